"""The back ends on both event loops."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from strongroom.server.listening.eager import resume
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
    assert await backend.fetch(objects[7].tenant, objects[7].unique_identifier) == objects[7]
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


@pytest.mark.postgres
@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_request_that_begins_outside_a_task_can_connect(
    postgres_server: PostgresServer, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """As the listener begins them: the first of several at once finds no idle connection."""
    url = parse(postgres_server.url(postgres_server.create_database()), Path("/"))
    assert isinstance(url, PostgresUrl)
    migrate.migrate(url)

    async def serve() -> list[object]:
        backend = PostgresBackend(url)
        await backend.start()
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[list[asyncio.Task[object]]] = loop.create_future()

        def begin() -> None:
            reads = [backend.store_keys() for _ in range(3)]
            begun.set_result([loop.create_task(resume(read, read.send(None))) for read in reads])

        loop.call_soon(begin)
        answers = await asyncio.gather(*await asyncio.wait_for(begun, 60))
        await backend.close()
        return answers

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(serve()) == [[], [], []]
