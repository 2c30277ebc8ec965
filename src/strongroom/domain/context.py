"""What a handler is given.

Rule: everything here belongs to one batch item of one request. There is no version in it: a handler that
wants to know the version has found a gap in the model.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeAlias

from strongroom.domain.clients import ClientRecord
from strongroom.domain.crypto import Cryptography
from strongroom.domain.entries import Entries
from strongroom.domain.identity import ClientIdentity, Roles
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.provisioning import Provisioning
from strongroom.domain.randomness import Seeding
from strongroom.domain.store import Found
from strongroom.domain.streams import Streams
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.dialect import Dialect
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Struct
from strongroom.model.structures import ProfileInformation, ServerInformation
from strongroom.registry import ObjectType, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the administrator decides; see the configuration for the meaning of each."""

    legacy: bool = False
    lease_time: int = 3600
    ticket_lifetime: int = 86_400
    maximum_locate_items: int = 10_000
    rng_seed: Seeding = Seeding.MIX
    count_uses: bool = False
    issuer: UniqueIdentifier | None = None
    certificate_lifetime: timedelta = timedelta(days=397)
    time_stamp_window: timedelta | None = None
    iv_reuse: bool = True
    idempotency: Mapping[str, timedelta] = field(default_factory=dict)
    """How long the answers of named requests are kept, by the names of the clients that want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What Query says of the server itself."""

    vendor: str
    information: ServerInformation
    profiles: tuple[ProfileInformation, ...] = ()


class Objects(Protocol):
    """The caller's objects, seen through the permission that the operation needs."""

    async def get(
        self,
        reference: ObjectReference | None,
        *,
        archived: bool = False,
        destroyed: bool = False,
        permission: Permission | None = None,
    ) -> ManagedObject:
        """Return a working copy; None is the ID Placeholder. What was changed on it is committed.

        `permission` is what the caller needs on this object, where that is not the permission of the
        operation (the key that wraps another one).

        Raises ObjectNotFound (also for what the caller may not see), EmptyPlaceholder, ObjectArchived and
        ObjectDestroyed unless the keyword accepts it.
        """

    async def locate(
        self,
        filters: Sequence[AttributeInstance],
        *,
        storage: int,
        maximum: int | None,
        offset: int,
        oldest_first: bool = False,
        permission: Permission | None = None,
        mine: bool = False,
    ) -> Found:
        """Return the objects on which the caller has the permission, newest first unless told otherwise.

        `permission` None is that of the operation; `mine`: only what the caller owns.
        """

    def create(
        self,
        object_type: ObjectType,
        *,
        state: State | None = State.PRE_ACTIVE,
        like: ManagedObject | None = None,
    ) -> ManagedObject:
        """Return a fresh object of the caller; it is stored when the batch item succeeds.

        It begins with the attributes of `like`, None: without any.
        """

    async def adopt(
        self,
        unique_identifier: UniqueIdentifier,
        object_type: ObjectType,
        *,
        state: State | None,
        replace: bool,
    ) -> ManagedObject:
        """Return an empty object with an identifier of the client's choice, for Import.

        With `replace` it takes the place of one that the caller may import over and destroy. Any other object
        with the identifier, the caller's or not, is one ObjectAlreadyExists, and so is one of another client
        that was obliterated. InvalidField: the one to replace has another Object Type.
        """

    def renew(self, record: ClientRecord) -> None:
        """Change a client's record together with the objects."""

    @property
    def placeholder(self) -> UniqueIdentifier | None:
        """The ID Placeholder as the batch has it by now."""

    def place(self, unique_identifier: UniqueIdentifier | None) -> None:
        """Fill (or, with None, empty) the ID Placeholder for the rest of the batch."""


class ClientLog(Protocol):
    """Where clients may leave a message (Log, Interop)."""

    def message(self, caller: ClientIdentity, text: str) -> None:
        """Write one line; `text` is the client's and is escaped."""


class Backlog(Protocol):
    """What does the requests that wait, see `domain.asynchronous`."""

    async def finish(self, tenant: int, key: str, position: int) -> None:
        """Do the items of a batch up to this one now, those that are not done yet."""


class Nested(Protocol):
    """Operations as part of the one that is being done; `domain.operation.perform` is how it is called."""

    async def __call__(self, ctx: "Context", request: Struct, *, keep: Callable[[Any], bool]) -> Any:
        """Return the response of another operation of the caller, done with the permission that it needs.

        What it changed is undone when it raises, and unless `keep` says so of the response. The ID
        Placeholder stays as it is.
        """


Again: TypeAlias = Callable[..., Awaitable[Any]]
"""Takes the byte strings of a request by the names of its fields, long ones (`wire.place.LONG`) as views of
the message, and returns a response."""


class MakeAnother(Protocol):
    """Makes an object like one that was made."""

    async def __call__(self, ctx: "Context", *, name: str | None) -> Any:
        """Return the response to the request of `ctx`, which gives its object this Name, None: none."""


class Another(NamedTuple):
    """How other objects are made like one that was just made, whose Name is `name`; None: they have none."""

    name: str | None
    make: MakeAnother


class Locate(Protocol):
    """Finds objects of the caller, from the first on."""

    async def __call__(
        self,
        filters: Sequence[AttributeInstance],
        *,
        storage: int,
        maximum: int | None,
        oldest_first: bool,
    ) -> Found:
        """Return what matches all filters."""


Seek: TypeAlias = Callable[[Locate, str], Awaitable[Any]]
"""Looks for a Name and returns the response."""


class Sought(NamedTuple):
    """How other names are sought than the one that was just sought."""

    name: str
    seek: Seek


@dataclass(slots=True, kw_only=True)
class Context:
    """One batch item's surroundings. `now` is the same for the whole request.

    `dialect` writes what has to be bytes before the answer is, because it is encrypted. `roles` are those on
    the connection, None where they cannot be turned; `provisioning` is None where nobody can be let in.

    `again` is for the handler to set: what is still to be done for a request that differs in byte strings of
    its payload only, once all else was checked. The engine uses it while the objects that the handler got are
    unchanged, none of their dates passes, and the caller has the rights that it has.

    `another` is the same for what makes an object: how it is done for a request that differs in the Name of
    the object only. `sought` is the same for a search that changes nothing and asks for nothing else.
    """

    caller: ClientIdentity
    now: datetime
    objects: Objects
    entries: Entries
    crypto: Cryptography
    streams: Streams
    nested: Nested
    policy: Policy
    client_log: ClientLog
    backlog: Backlog
    server: ServerFacts
    dialect: Dialect
    roles: Roles | None
    provisioning: Provisioning | None
    again: Again | None = None
    another: Another | None = None
    sought: Sought | None = None
