"""Messages of the server as bytes, and what clients answer.

Rule: the version is the nearest that the operation exists in and that the client has said to speak. An answer
counts as one whatever its Result Status; what is no answer to the question raises EndpointUnreachable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from strongroom.attributes.rules import select, visible
from strongroom.domain.errors import KmipError
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, declared_of_clients
from strongroom.domain.outgoing import EndpointUnreachable, Outgoing
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.convert import decoder, encoder
from strongroom.model.errors import NotInVersion
from strongroom.model.messages import RequestHeader, ResponseBatchItem, ResponseHeader
from strongroom.model.structures import ProtocolVersion
from strongroom.operations.to_client.discover_versions import ClientVersionsRequest
from strongroom.operations.to_client.notify import NotifyRequest
from strongroom.operations.to_client.put import PutRequest
from strongroom.operations.to_client.query import ClientQueryRequest
from strongroom.procedures.retrieval import as_kept
from strongroom.registry import Operation, PutFunction, ResultStatus, Tag, Version
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

OPERATIONS: Final = {spec.request: spec for spec in declared_of_clients().values()}


class Unsayable(Exception):
    """The message has no content any more, or none that may be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client answered: the payload, None with the reason when it refused."""

    response: Any
    refusal: str = ""


def payload(message: Outgoing, obj: ManagedObject | None, now: datetime) -> Request[Any]:
    """Return what to send; `obj` is the object that the message names, settled. Raises Unsayable."""
    match message.operation:
        case Operation.QUERY:
            return ClientQueryRequest(query_function=message.query_function)
        case Operation.DISCOVER_VERSIONS:
            return ClientVersionsRequest()
        case Operation.PUT:
            return _put(message, _there(obj), now)
        case Operation.NOTIFY:
            return _notify(message, _there(obj), now)
        case other:
            raise Unsayable(f"{other.name} is not sent to clients")


def _there(obj: ManagedObject | None) -> ManagedObject:
    if obj is None:
        raise Unsayable("the object is not there any more")
    return obj


def _put(message: Outgoing, obj: ManagedObject, now: datetime) -> PutRequest:
    try:
        material = as_kept(obj)
    except KmipError as error:
        raise Unsayable(error.message) from error
    return PutRequest(
        unique_identifier=obj.unique_identifier,
        put_function=PutFunction.NEW if message.replaced is None else PutFunction.REPLACE,
        replaced_unique_identifier=message.replaced,
        managed_object=material,
        attributes=TemplateAttributes(attributes=Attributes(visible(obj, now))),
    )


def _notify(message: Outgoing, obj: ManagedObject, now: datetime) -> NotifyRequest:
    there = select(obj, message.changed, now)
    gone = tuple(key for key in message.changed if key not in {one.key for one in there})
    deleted = [AttributeInstance(key, None) for key in gone]
    return NotifyRequest(
        unique_identifier=obj.unique_identifier,
        attributes=TemplateAttributes(attributes=Attributes((*there, *deleted))),
        attribute_reference=gone,
    )


def version_for(request: Request[Any], wanted: Version, spoken: Sequence[ProtocolVersion]) -> Version:
    """Return the version to send a request in to a client that speaks these versions (none: not known)."""
    spec = OPERATIONS[type(request)]
    known = sorted(Version(v.protocol_version_major, v.protocol_version_minor) for v in spoken)
    possible = [version for version in known if spec.in_version(version)]
    if not possible or wanted in possible:
        return spec.nearest(wanted)
    return max((version for version in possible if version < wanted), default=possible[0])


def write(request: Request[Any], version: Version) -> bytes:
    """Return the request message; raises Unsayable for what the version cannot say."""
    protocol = ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor)
    header = RequestHeader(protocol_version=protocol, batch_count=1)
    try:
        content = encoder(type(request), version)(request)
    except NotInVersion as error:
        raise Unsayable(f"KMIP {version} cannot say it: {error}") from error
    item: Item = (
        int(Tag.BATCH_ITEM),
        1,
        [
            (int(Tag.OPERATION), 5, int(OPERATIONS[type(request)].operation)),
            (int(Tag.REQUEST_PAYLOAD), 1, content),
        ],
    )
    head: Item = (int(Tag.REQUEST_HEADER), 1, encoder(RequestHeader, version)(header))
    return binary.encode((int(Tag.REQUEST_MESSAGE), 1, [head, item]))


def read(request: Request[Any], message: bytes, version: Version) -> Answer:
    """Return what a client answered to a request; raises EndpointUnreachable for what is no answer to it."""
    spec = OPERATIONS[type(request)]
    try:
        root = binary.decode(message)  # the framing has seen to it that it is a response message
        head, *items = root[2]
        if head[0] != Tag.RESPONSE_HEADER or [i[0] for i in items] != [Tag.BATCH_ITEM]:
            raise EndpointUnreachable("the answer does not have one batch item")
        decoder(ResponseHeader, version, lenient=True)(head[2])
        item = decoder(ResponseBatchItem, version, lenient=True)(items[0][2])
        if item.operation not in (spec.operation, None):
            raise EndpointUnreachable("the answer is to another operation")
        if item.result_status is not ResultStatus.SUCCESS:
            return Answer(None, f"{item.result_reason!r}: {item.result_message or ''}")
        response: Response = decoder(spec.response, version, lenient=True)(item.response_payload or [])
        return Answer(response)
    except (DecodeError, ValueError, TypeError, IndexError) as error:
        raise EndpointUnreachable(f"the answer is no KMIP response: {error}") from error
