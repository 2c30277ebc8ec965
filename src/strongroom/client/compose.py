"""Requests to bytes.

Rule: one message in one version; nothing is kept between messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from strongroom.client.errors import InvalidRequest, VersionNotSupported, operation_name
from strongroom.client.gates import check_sayable
from strongroom.domain.operation import OperationSpec, Request, Response, declared
from strongroom.model.convert import encoder
from strongroom.model.errors import NotInVersion
from strongroom.model.messages import (
    Authentication,
    Credential,
    RawShape,
    RequestBatchItem,
    RequestHeader,
    Ticket,
    TicketCredential,
    UsernameAndPassword,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import (
    V3_0,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    CredentialType,
    Operation,
    Tag,
    Version,
)
from strongroom.wire.encodings import Codec
from strongroom.wire.errors import EncodeError
from strongroom.wire.item import STRUCTURE, Item


class RawResponse(Response):
    """The payload of an operation that has no declaration here, as Items."""

    response_payload: Annotated[list[Item] | None, RawShape()] = None


class RawRequest(Request[RawResponse]):
    """An operation that has no declaration here: its number and its payload as Items."""

    operation: Operation
    request_payload: Annotated[list[Item], RawShape()]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What goes into the header of each request beside the certificate; any of it may be left out."""

    username: str | None = None
    password: SecretBytes | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a message: how its answer is recognised and read."""

    operation: Operation
    unique_batch_item_id: bytes | None
    response: type[Response]


def compose(
    requests: Sequence[Request[Any]],
    version: Version,
    *,
    credentials: Credentials | None = None,
    on_error: BatchErrorContinuationOption | None = None,
    asynchronous: AsynchronousIndicator | None = None,
) -> tuple[Item, tuple[Asked, ...]]:
    """Return the message and what to look for in its answer.

    Raises InvalidRequest, and VersionNotSupported for what `version` cannot say.
    """
    if not requests:
        raise InvalidRequest("an empty batch asks for nothing; give at least one request")
    several = len(requests) > 1
    header = RequestHeader(
        protocol_version=ProtocolVersion(
            protocol_version_major=version.major, protocol_version_minor=version.minor
        ),
        asynchronous_indicator=asynchronous,
        authentication=None if credentials is None else _authentication(credentials, version),
        batch_error_continuation_option=on_error,
        # Without it a server may do the items in any order, and the ID Placeholder means nothing.
        batch_order_option=True if several else None,
        batch_count=len(requests),
    )
    children: list[Item] = [(int(Tag.REQUEST_HEADER), STRUCTURE, encoder(RequestHeader, version)(header))]
    asked: list[Asked] = []
    for number, request in enumerate(requests, 1):
        item_id = number.to_bytes(4) if several and version < V3_0 else None
        operation, response, payload = _payload(request, version)
        item = RequestBatchItem(operation=operation, unique_batch_item_id=item_id, request_payload=payload)
        children.append((int(Tag.BATCH_ITEM), STRUCTURE, encoder(RequestBatchItem, version)(item)))
        asked.append(Asked(operation, item_id, response))
    return (int(Tag.REQUEST_MESSAGE), STRUCTURE, children), tuple(asked)


def write(message: Item, version: Version, codec: Codec) -> bytes:
    """Return a request message as it is sent; raises InvalidRequest for a value that cannot be written."""
    try:
        return codec.encode(message, version=version)
    except EncodeError as exc:
        raise InvalidRequest(f"the request cannot be written: {exc}") from exc


@cache
def spec_of(request: type[Request[Any]]) -> OperationSpec:
    """Return the operation that a request class belongs to; raises InvalidRequest."""
    for spec in declared().values():
        if spec.request is request:
            return spec
    raise InvalidRequest(f"{request.__name__} is not the request of a declared operation; use RawRequest")


def _payload(request: Request[Any], version: Version) -> tuple[Operation, type[Response], list[Item]]:
    if isinstance(request, RawRequest):
        return request.operation, RawResponse, request.request_payload
    spec = spec_of(type(request))
    if not spec.in_version(version):
        raise VersionNotSupported(
            f"{operation_name(spec.operation)} is an operation of KMIP {spec.since} to {spec.until}, "
            f"not of {version}"
        )
    check_sayable(request, version)
    try:
        return spec.operation, spec.response, encoder(spec.request, version)(request)
    except NotInVersion as exc:
        raise VersionNotSupported(f"{operation_name(spec.operation)}: {exc}") from exc


def _authentication(credentials: Credentials, version: Version) -> Authentication:
    given: list[Credential] = []
    if credentials.ticket is not None:
        ticket = TicketCredential(ticket=credentials.ticket)
        given.append(
            Credential(
                credential_type=CredentialType.TICKET,
                credential_value=encoder(TicketCredential, version)(ticket),
            )
        )
    if credentials.username is not None:
        named = UsernameAndPassword(username=credentials.username, password=credentials.password)
        given.append(
            Credential(
                credential_type=CredentialType.USERNAME_AND_PASSWORD,
                credential_value=encoder(UsernameAndPassword, version)(named),
            )
        )
    authentication = Authentication(credential=tuple(given))
    check_sayable(authentication, version)
    return authentication
