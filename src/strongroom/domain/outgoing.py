"""Messages of the server to a client (KMIP 1.x §5, 2.x §6.2): Put, Notify, and questions.

Rule: what waits for a client is an entry that names the object; what is sent is read from the object when it
is sent, so that no key material is kept twice. A message is written in the commit that makes it true and
removed when the client has answered: it arrives at least once, and mostly once.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol, TypeAlias

from strongroom.domain.entries import Entry
from strongroom.domain.identity import ClientIdentity
from strongroom.model.attribute_list import AttributeKey
from strongroom.model.attribute_shapes import AttributeReferenceShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Int32, Tagged
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import ObjectType, Operation, QueryFunction, Tag, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What the administrator wants a client to be told. `version` None: that of the request behind it."""

    put: bool = False
    notify: bool = False
    version: Version | None = None


class Outgoing(Entry, kind=6, passing=True):
    """One message that waits for a client, its owner; due when it is given up.

    `protocol_version` is that of the request that caused it, None when none did. Put: `replaced` is what the
    object replaces. Notify: `changed` are the attributes that changed or were deleted.
    """

    operation: Operation
    protocol_version: ProtocolVersion | None = None
    unique_identifier: UniqueIdentifier | None = None
    replaced: Annotated[UniqueIdentifier | None, Tagged(Tag.REPLACED_UNIQUE_IDENTIFIER)] = None
    changed: Annotated[tuple[AttributeKey, ...], AttributeReferenceShape()] = ()
    query_function: tuple[QueryFunction, ...] = ()


class Correspondence(Entry, kind=7):
    """How it stands with the messages to one client; the key is its number.

    Until it is due, the worker named `holder` delivers, or, with no name, nobody tries the endpoint again.
    `failures` counts the tries in vain since the last answer. The rest is what the client has said of itself
    at `asked_at`; no versions: it did not say.
    """

    holder: Annotated[str, Tagged(Tag.SERVER_NAME)] = ""
    failures: Annotated[Int32, Tagged(Tag.ITERATION_COUNT)] = 0
    asked_at: Annotated[datetime | None, Tagged(Tag.TIME_STAMP)] = None
    protocol_version: tuple[ProtocolVersion, ...] = ()
    operation: tuple[Operation, ...] = ()
    object_type: tuple[ObjectType, ...] = ()
    vendor_identification: str | None = None


class DateWatch(Entry, kind=8, passing=True):
    """An object whose client wants to know when a date changes its State; the key is its Unique Identifier.

    It is due at that date.
    """


class EndpointUnreachable(Exception):
    """The client does not answer, or not as a client does; the message says how."""


Exchange: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Send one request message to a client and return its response; raises EndpointUnreachable."""


class Endpoints(Protocol):
    """Where clients listen."""

    def open(self, client: ClientIdentity) -> AbstractAsyncContextManager[Exchange] | None:
        """Return a connection to be opened, None when the client listens nowhere.

        Opening raises EndpointUnreachable, also for an endpoint that cannot prove to be the client.
        """


class OutgoingQueue(Protocol):
    """Told of messages that were committed, so that they need not be looked for."""

    def wake(self, client: int) -> None:
        """Deliver what waits for a client soon."""
