"""`person`: who administers, and as what.

Rule: a client belongs to one person at most. Whoever owns the data directory makes the first administrator,
and is bound by no role.
"""

from collections.abc import Iterable

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import ClientId
from strongroom.domain.people import PEOPLE, PeopleRevision, Person, Role
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import Administrator, command
from strongroom.server.clients.records import check_name
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.kept import OF_THE_TENANT, counted, decided, drop, put
from strongroom.server.messages import Message, text, texts
from strongroom.server.naming import client_named


@command("person.add", roles={Role.ADMINISTRATOR}, approval=Act.POLICY)
async def add(admin: Administrator, request: Message) -> object:
    name, store = check_name(text(request, "name"), "name of a person"), admin.store
    roles = _roles(texts(request, "roles"))
    if not roles:
        raise InvalidOption(f"--role: a person has at least one; there are {', '.join(_known())}")
    clients = await _numbers(admin, texts(request, "clients"))

    async def decide() -> tuple[list[EntryChange], Person]:
        claim = await _claim(admin)
        if await store.load_entry(Person, SYSTEM_TENANT, name) is not None:
            raise OperatorError(f"there is a person {name} already; change them: strongroom person set")
        person = Person(roles=tuple(sorted(roles)), clients=tuple(sorted(clients)))
        await _check_free(admin, name, person.clients)
        return [claim, put(Person, SYSTEM_TENANT, name, person, None)], person

    return await _shown(admin, name, await decided(store, decide))


@command("person.set", roles={Role.ADMINISTRATOR}, approval=Act.POLICY)
async def set_(admin: Administrator, request: Message) -> object:
    """Add and take away roles and clients."""
    name, store = text(request, "name"), admin.store
    added, dropped = _roles(texts(request, "roles")), _roles(texts(request, "without_roles"))
    theirs = await _numbers(admin, texts(request, "clients"))
    records = await admin.clients.clients()
    # Those that are revoked, too: each that has had the name.
    not_theirs = {
        client: {record.client for record in records if record.name == client}
        for client in texts(request, "without_clients")
    }

    async def decide() -> tuple[list[EntryChange], Person]:
        claim, before = await _claim(admin), await _find(admin, name)
        old = before.value
        if not dropped <= set(old.roles):
            raise NotFound(f"--without-role: {name} has not the role {min(dropped - set(old.roles))}")
        if strangers := [one for one, numbers in not_theirs.items() if numbers.isdisjoint(old.clients)]:
            raise NotFound(f"--without-client: {name} has no client {strangers[0]}")
        person = Person(
            roles=tuple(sorted((set(old.roles) | added) - dropped)),
            clients=tuple(sorted((set(old.clients) | theirs).difference(*not_theirs.values()))),
        )
        if not person.roles:
            raise OperatorError(f"{name} would have no role left; remove them: strongroom person remove")
        await _check_free(admin, name, person.clients)
        return [] if person == old else [claim, put(Person, SYSTEM_TENANT, name, person, before)], person

    return await _shown(admin, name, await decided(store, decide))


@command("person.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    people = await admin.store.entries_of(Person, SYSTEM_TENANT, OF_THE_TENANT)
    return [await _shown(admin, kept.key, kept.value) for kept in people]


@command("person.remove", roles={Role.ADMINISTRATOR}, approval=Act.POLICY)
async def remove(admin: Administrator, request: Message) -> object:
    name = text(request, "name")

    async def decide() -> tuple[list[EntryChange], None]:
        return [drop(await _find(admin, name))], None

    await decided(admin.store, decide)
    return None


async def _find(admin: Administrator, name: str) -> Kept[Person]:
    kept = await admin.store.load_entry(Person, SYSTEM_TENANT, name)
    if kept is None:
        raise NotFound(f"there is no person {name}; list them: strongroom person list")
    return kept


async def _claim(admin: Administrator) -> EntryChange:
    """Return what is committed with whose clients are whose; to be asked for before it is looked at."""
    return await counted(admin.store, PeopleRevision, PEOPLE, PeopleRevision())


async def _check_free(admin: Administrator, name: str, clients: Iterable[int]) -> None:
    """Return if the clients are nobody else's; raises OperatorError."""
    for other in await admin.store.entries_of(Person, SYSTEM_TENANT, OF_THE_TENANT):
        if other.key != name and not set(other.value.clients).isdisjoint(clients):
            raise OperatorError(f"one of these clients belongs to {other.key}; a client is one person's")


async def _numbers(admin: Administrator, names: Iterable[str]) -> set[ClientId]:
    return {(await client_named(admin.clients, name)).client for name in names}


def _roles(given: Iterable[str]) -> set[str]:
    unknown = sorted(set(given) - set(_known()))
    if unknown:
        raise InvalidOption(f"--role: there is no {', '.join(unknown)}; there are {', '.join(_known())}")
    return set(given)


def _known() -> list[str]:
    return [role.value for role in Role]


async def _shown(admin: Administrator, name: str, person: Person) -> Message:
    records = await admin.clients.clients()
    return {
        "name": name,
        "roles": list(person.roles),
        "clients": [record.name for record in records if record.client in person.clients],
    }
