"""The back ends on both event loops."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from strongroom.store import migrate
from strongroom.store.postgres import PostgresBackend
from strongroom.store.records import Backend, Conflict, LocateQuery
from strongroom.store.sqlite import SqliteBackend
from strongroom.store.url import PostgresUrl, parse
from tests.postgres import PostgresServer, postgres_server
from tests.unit.store.processes import WriterProcess
from tests.unit.store.samples import creation, row

__all__ = ["postgres_server"]

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


async def exercise(backend: Backend) -> None:
    await backend.start()
    objects = [row(1) for _ in range(50)]
    await asyncio.gather(*(backend.commit(creation(new, terms=[b"t"])) for new in objects))
    with pytest.raises(Conflict):
        await backend.commit(creation(objects[0]))
    assert await backend.fetch(objects[7].unique_identifier) == objects[7]
    located = await backend.locate(LocateQuery(tenant=1, owner=1, terms=[b"t"]))
    assert located.unique_identifiers == [new.unique_identifier for new in reversed(objects)]
    await backend.close()


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_sqlite_works_on_both_loops(
    writer: WriterProcess,
    database: Path,
    address: Path,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(exercise(SqliteBackend(database, address)))


@pytest.mark.postgres
@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_postgresql_works_on_both_loops(
    postgres_server: PostgresServer, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    url = parse(postgres_server.url(postgres_server.create_database()), Path("/"))
    assert isinstance(url, PostgresUrl)
    migrate.migrate(url)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(exercise(PostgresBackend(url)))
