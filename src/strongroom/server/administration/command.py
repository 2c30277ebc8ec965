"""How an administration command is declared, and the table of all of them.

Rule: `@command` on a coroutine function is all there is to say; where it runs, who may call it and what is
told to the other workers derive from it. A command runs in a worker of the live server or, without one, in
the process of whoever called it: the same code, with the same surroundings.

    @command("tenant.list", roles={Role.ADMINISTRATOR})
    async def list_(admin: Administrator, request: Message) -> object:
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from strongroom.domain.audit import Recording
from strongroom.domain.clients import ClientStore
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.people import Role
from strongroom.domain.ports import RootKey
from strongroom.domain.store import Changes, ObjectStore
from strongroom.server import administration
from strongroom.server.address import parse_listening
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, text
from strongroom.server.ports import Live
from strongroom.server.recording import act, failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person who administers from another machine, with one of their clients. `peer` is for logs."""

    person: str
    roles: frozenset[Role]
    client: ClientIdentity
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """The surroundings of one command.

    `settings` have the addresses that the live server found, `live` is its worker, None when no server runs.
    `caller` is the person who asks, None for whoever owns the data directory.
    """

    clients: ClientStore
    store: ObjectStore
    directory: DataDirectory
    settings: Settings
    root_key: RootKey
    now: datetime
    live: Live | None
    caller: Caller | None = None

    @property
    def by(self) -> str | None:
        """Return who acts (`domain.audit.AuditEvent`), None for the user at the administration socket."""
        return None if self.caller is None else f"person:{self.caller.person}"

    @property
    def advertised(self) -> dict[str, str]:
        """Return what stands in a client's profile: where the listeners are reached, or `off`."""
        settings = self.settings
        return settings.told_to_clients(parse_listening(settings.listen), parse_listening(settings.https))


Handler: TypeAlias = Callable[[Administrator, Message], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, as declared.

    `roles`: a person needs one of them; whoever owns the data directory needs none. `spreads`: it changes
    what every worker keeps in memory, so each reads that again before the command returns.
    """

    name: str
    roles: frozenset[Role]
    spreads: bool
    handler: Handler


_DECLARED: Final[dict[str, Command]] = {}


def command(name: str, *, roles: Collection[Role], spreads: bool = False) -> Callable[[Handler], Handler]:
    """Declare the decorated coroutine function as `noun.verb`; raises TypeError for a second declaration."""

    def declare(handler: Handler) -> Handler:
        if name in _DECLARED:
            raise TypeError(f"the command {name} is declared twice")
        _DECLARED[name] = Command(name=name, roles=frozenset(roles), spreads=spreads, handler=handler)
        return handler

    return declare


@cache
def commands() -> Mapping[str, Command]:
    """Return every command, by name."""
    for module in pkgutil.iter_modules(administration.__path__):
        importlib.import_module(f"{administration.__name__}.{module.name}")
    return _DECLARED


def find(request: Message) -> Command:
    """Return the command of a request; raises OperatorError and BrokenMessage."""
    name = text(request, "command")
    found = commands().get(name)
    if found is None:
        raise OperatorError(f"this server does not know the command {name!r}; is it the same release?")
    return found


async def perform(admin: Administrator, request: Message) -> object:
    """Do what a request asks and return its result, which JSON can hold.

    The act is recorded, whatever becomes of it. Raises OperatorError, BrokenMessage, StoreFailure,
    TamperedRecord and RootKeyError.
    """
    recording = Recording(
        act(request, admin.now, by=admin.by, peer=None if admin.caller is None else admin.caller.peer)
    )
    recorded = replace(
        admin, clients=admin.clients.recording(recording), store=admin.store.recording(recording)
    )
    try:
        result = await find(request).handler(recorded, request)
    except Exception as error:
        # What it has committed before it failed is recorded; that it failed is, too.
        await admin.store.commit(Changes(events=[failed(recording.event, error)]))
        raise
    if not recording.used:
        await admin.store.commit(Changes(events=[recording.event]))
    return result
