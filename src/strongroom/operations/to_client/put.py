"""Put (KMIP 1.x §5.2, 2.x §6.2.3)."""

from typing import Annotated

from strongroom.domain.operation import Request, Response, of_client
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, ObjectShape
from strongroom.registry import V1_0, V2_1, Operation, PutFunction, Tag


class PutResponse(Response):
    pass


class PutRequest(Request[PutResponse]):
    unique_identifier: UniqueIdentifier
    put_function: PutFunction
    replaced_unique_identifier: UniqueIdentifier | None = None
    managed_object: Annotated[ManagedObjectStruct, ObjectShape()]
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None)] = None


PUT = of_client(Operation.PUT, PutRequest, since=V1_0, until=V2_1)
