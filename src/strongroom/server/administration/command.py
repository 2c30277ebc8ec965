"""How an administration command is declared, and the table of all of them.

Rule: `@command` on a coroutine function is all there is to say; where it runs, who may call it and what is
told to the other workers derive from it. A command runs in a worker of the live server or, without one, in
the process of whoever called it: the same code, with the same surroundings.

    @command("tenant.list", roles={Role.ADMINISTRATOR})
    async def list_(admin: Administrator, request: Message) -> object:
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from strongroom.domain.acts import Act
from strongroom.domain.audit import Recording
from strongroom.domain.clients import ClientStore
from strongroom.domain.identity import ClientIdentity, TenantId
from strongroom.domain.people import Role
from strongroom.domain.ports import RootKeyError, WrappedKeys
from strongroom.domain.store import Changes, ObjectStore
from strongroom.server import administration
from strongroom.server.access.restrictions import Restrictions
from strongroom.server.address import parse_listening
from strongroom.server.approving import Asked, essence_of, give_back, meant_by, use
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.messages import BrokenMessage, Message, optional_text, text
from strongroom.server.naming import any_tenant_named
from strongroom.server.ports import Live, RootKeys
from strongroom.server.recording import act as recorded_act
from strongroom.server.recording import failed


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

    `settings` have the addresses that the live server found, `live` is its worker, None when no server runs;
    `restrictions` are those in force in it.
    `caller` is the person who asks, None for whoever owns the data directory. `wrapped` are the places with
    something that the root key has wrapped. `facts` are those of the request (see Command): what is done is
    done to what they say.
    """

    clients: ClientStore
    store: ObjectStore
    directory: DataDirectory
    settings: Settings
    root_key: RootKeys
    now: datetime
    live: Live | None
    restrictions: Restrictions | None = None
    caller: Caller | None = None
    wrapped: Sequence[WrappedKeys] = ()
    facts: Message = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Tell whether other nodes may use the store too."""
        return not self.settings.store.startswith("sqlite:")

    @property
    def by(self) -> str | None:
        """Return who acts (`domain.audit.AuditEvent`), None for the user at the administration socket."""
        return None if self.caller is None else f"person:{self.caller.person}"

    @property
    def advertised(self) -> dict[str, str]:
        """Return what stands in a client's profile: where the listeners are reached, or `off`."""
        settings = self.settings
        return settings.told_to_clients(parse_listening(settings.listen), parse_listening(settings.https))

    def check_ports(self) -> None:
        """Return if a client can be told where the listeners are; raises OperatorError."""
        listening = map(parse_listening, (self.settings.listen, self.settings.https))
        if any(address is not None and not address.port for address in listening):
            raise OperatorError(
                "a port in strongroom.toml is 0, so nobody knows it before the server runs; start it:"
                f" strongroom serve {self.directory.path}"
            )


Handler: TypeAlias = Callable[[Administrator, Message], Awaitable[object]]


Judgement: TypeAlias = Callable[[Administrator, Message], Awaitable[Act | None]]
"""Tells which act a request is, None for one that needs no approval."""


async def tenant_it_names(admin: Administrator, request: Message) -> TenantId | None:
    """Return the tenant in a request whose command works in that tenant and in no other; None for none.

    Only such a command may say so: whoever asks could write any tenant into a request for another.
    """
    name = optional_text(request, "tenant")
    return None if name is None else await any_tenant_named(admin.store, name)


async def no_facts(_admin: Administrator, _request: Message) -> Message:
    """Say that a request is about nothing but what it says itself."""
    return {}


async def no_act(_admin: Administrator, _request: Message) -> Act | None:
    """Say of any request that it is no act that needs approval."""
    return None


def always(act: Act) -> Judgement:
    """Return what says of every request that it is this act."""

    async def judge(_admin: Administrator, _request: Message) -> Act | None:
        return act

    return judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, as declared.

    `roles`: a person needs one of them; whoever owns the data directory needs none. `spreads`: it changes
    what every worker keeps in memory, so each reads that again before the command returns. `approval` tells
    which act a request is, None for one that needs no approval. `concerns` finds the tenant whose rules it
    follows; None, which it may give too: those of all. `essence` gives what an approval is for: where a
    command makes a fresh key each time it is given, everything but that. `facts` looks up what a request is
    about, which people see and approve of with it: no secrets, and nothing that changes by itself. `local`:
    it hands out or takes in what opens every key, so it is done on the machine of the server and for nobody
    elsewhere.
    """

    name: str
    roles: frozenset[Role]
    spreads: bool
    handler: Handler
    approval: Judgement = no_act
    concerns: Callable[[Administrator, Message], Awaitable[TenantId | None]] | None = None
    essence: Callable[[Message], Message] = essence_of
    facts: Callable[[Administrator, Message], Awaitable[Message]] = no_facts
    local: bool = False


_DECLARED: Final[dict[str, Command]] = {}


def command(
    name: str,
    *,
    roles: Collection[Role],
    spreads: bool = False,
    approval: Act | Judgement | None = None,
    concerns: Callable[[Administrator, Message], Awaitable[TenantId | None]] | None = None,
    essence: Callable[[Message], Message] = essence_of,
    facts: Callable[[Administrator, Message], Awaitable[Message]] = no_facts,
    local: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare the decorated coroutine function as `noun.verb`; raises TypeError for a second declaration.

    `approval` is the act that every request is, or a function that tells; the rest is as in Command.
    """
    judge = no_act if approval is None else always(approval) if isinstance(approval, Act) else approval

    def declare(handler: Handler) -> Handler:
        if name in _DECLARED:
            raise TypeError(f"the command {name} is declared twice")
        _DECLARED[name] = Command(
            name=name,
            roles=frozenset(roles),
            spreads=spreads,
            handler=handler,
            approval=judge,
            concerns=concerns,
            essence=essence,
            facts=facts,
            local=local,
        )
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

    The act is recorded, whatever becomes of it, and approved first where that is demanded: an approval is
    used up before the act is done, and given back when it is refused. Raises OperatorError (PendingApproval
    among them), BrokenMessage, StoreFailure, TamperedRecord and RootKeyError.
    """
    peer = None if admin.caller is None else admin.caller.peer
    event = recorded_act(request, admin.now, by=admin.by, peer=peer)
    if admin.caller is not None:
        event = event._replace(client=admin.caller.client.client)
    recording = Recording(event)
    recorded = replace(
        admin, clients=admin.clients.recording(recording), store=admin.store.recording(recording)
    )
    try:
        declared = find(request)
        recorded = replace(recorded, facts=await declared.facts(admin, request))
        asked = await _asked(recorded, declared, request, event.by or "")
        approval = None if asked is None else await use(admin.store, admin.clients, asked, admin.now)
        try:
            result = await declared.handler(recorded, request)
        except (OperatorError, RootKeyError, BrokenMessage):
            # Of what the store does not answer nobody knows whether it was done.
            if asked is not None and approval is not None:
                await give_back(admin.store, approval, asked, admin.now)
            raise
    except Exception as error:
        # What it has committed before it failed is recorded; that it failed is, too.
        await admin.store.commit(Changes(events=[failed(recording.event, error)]))
        raise
    if not recording.used:
        await admin.store.commit(Changes(events=[recording.event]))
    return result


async def _asked(admin: Administrator, declared: Command, request: Message, by: str) -> Asked | None:
    """Return what people would approve, None where it is no act."""
    act = await declared.approval(admin, request)
    if act is None:
        return None
    tenant = None if declared.concerns is None else await declared.concerns(admin, request)
    essence, caller = declared.essence(request), admin.caller
    return Asked(
        command=declared.name,
        essence=essence,
        meant=meant_by(essence, await admin.clients.clients()),
        facts=admin.facts,
        act=act,
        tenant=tenant,
        person=None if caller is None else caller.person,
        client=0 if caller is None else caller.client.client,
        by=by,
    )
