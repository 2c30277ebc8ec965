"""People, as an administrator would have made them: written to the store of a test."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from strongroom import testing
from strongroom.domain.clients import ClientStore
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Person, Role
from strongroom.domain.store import Changes, ObjectStore
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.app import StrongroomAdapters
from strongroom.server.config import load_settings
from strongroom.server.data_directory import DataDirectory


async def appoint(store: ObjectStore, name: str, roles: Iterable[Role], clients: Iterable[int]) -> None:
    """Make a person, or give one these roles and clients and no others."""
    before = await store.load_entry(Person, SYSTEM_TENANT, name)
    value = Person(roles=tuple(role.value for role in roles), clients=tuple(clients))
    generation = 0 if before is None else before.generation
    after = Kept(tenant=SYSTEM_TENANT, key=name, owner=0, value=value, generation=generation)
    await store.commit(Changes(entries=[EntryChange(Person, SYSTEM_TENANT, name, generation, after)]))


def with_store(directory: Path, job: Callable[[ObjectStore, ClientStore], Awaitable[None]]) -> None:
    """Do something to the store of a data directory that no server is using."""

    async def run() -> None:
        adapters, opened = StrongroomAdapters(), DataDirectory.open(directory)
        lock = opened.lock()
        try:
            settings = load_settings(opened.configuration)
            store = await adapters.open_administration(settings, opened, adapters.open_root_key(opened))
            try:
                await job(store.store, store.clients)
            finally:
                await store.close()
        finally:
            os.close(lock)

    asyncio.run(run())


def hire(server: testing.Server, people: Mapping[str, tuple[Iterable[Role], Iterable[str]]]) -> None:
    """Enrol clients and make people with them, while a server is stopped for a moment.

    `people` maps a name to roles and names of clients.
    """
    for _, clients in people.values():
        for client in clients:
            server.enrol(client)

    async def job(store: ObjectStore, records: ClientStore) -> None:
        numbers = {record.name: record.client for record in await records.clients()}
        for name, (roles, clients) in people.items():
            await appoint(store, name, roles, [numbers[client] for client in clients])

    server.stop()
    with_store(server.directory, job)
    server.start()
