"""Notify (KMIP 1.x §5.1, 2.x §6.2.2)."""

from typing import Annotated

from strongroom.domain.operation import Request, Response, of_client
from strongroom.model.attribute_list import AttributeKey, TemplateAttributes
from strongroom.model.attribute_shapes import AttributeReferenceShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.notification import NotifiedShape
from strongroom.model.struct import Since
from strongroom.registry import V1_0, V2_0, V2_1, Operation, Tag


class NotifyResponse(Response):
    pass


class NotifyRequest(Request[NotifyResponse]):
    """`attributes` has an instance with the value None for each key of `attribute_reference`, for 1.x."""

    unique_identifier: UniqueIdentifier
    attributes: Annotated[TemplateAttributes | None, NotifiedShape()] = None
    attribute_reference: Annotated[
        tuple[AttributeKey, ...], Since(V2_0), AttributeReferenceShape(Tag.ATTRIBUTE_REFERENCE)
    ] = ()


NOTIFY = of_client(Operation.NOTIFY, NotifyRequest, since=V1_0, until=V2_1)
