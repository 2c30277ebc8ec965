"""PostgreSQL when things go wrong (faults 33 and 34)."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.domain.backups import Table
from strongroom.domain.store_failures import StoreFailure
from strongroom.store import (
    migrate,
    postgres,
    postgres_chain,
    postgres_connect,
    postgres_outcome,
    postgres_schema,
    versions,
)
from strongroom.store.filling import fill
from strongroom.store.postgres import PostgresBackend
from strongroom.store.records import (
    ChangeSet,
    EntryRemoval,
    ObjectRemoval,
    ObjectRow,
    OutcomeUnknown,
    StoreUnavailable,
)
from strongroom.store.snapshot import take_snapshot
from strongroom.store.url import PostgresUrl, parse
from tests.postgres import PostgresServer, running_server
from tests.unit.store.load import Load
from tests.unit.store.samples import creation, entry, generation_of, row, update

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that tests may stop."""
    with running_server() as started:
        yield started


def store_url(server: PostgresServer, database: str, *, hosts: str | None = None) -> PostgresUrl:
    url = parse(server.url(database, hosts=hosts), Path("/"))
    assert isinstance(url, PostgresUrl)
    return url


@pytest.fixture
def url(server: PostgresServer) -> PostgresUrl:
    made = store_url(server, server.create_database())
    migrate.migrate(made)
    return made


async def assert_nothing_lost(backend: PostgresBackend, load: Load) -> None:
    for identifier, generation in load.acknowledged.items():
        found = await generation_of(backend, 1, identifier)
        assert found is not None
        assert found >= generation


async def test_a_crash_of_the_server_loses_no_acknowledged_change(
    server: PostgresServer, url: PostgresUrl
) -> None:
    backend = PostgresBackend(url)
    await backend.start()
    load = Load(backend)
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.stop, signal.SIGQUIT)
        before = len(load.acknowledged)
        await asyncio.to_thread(server.start)
        await load.progress(beyond=before + 20)
    await load.stop()
    assert not load.failures
    await assert_nothing_lost(backend, load)
    await backend.close()
    database = url.dsn.partition("@/")[2].partition("?")[0]
    generations, terms, events = (
        server.sql(database, query)
        for query in (
            "SELECT sum(generation) FROM objects",
            "SELECT count(*) FROM terms",
            "SELECT count(*) FROM audit",
        )
    )
    assert generations == terms == events


async def test_a_change_whose_answer_was_lost_is_not_made_twice(
    server: PostgresServer, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    backend = PostgresBackend(url)
    await backend.start()
    old = row(1)
    await backend.commit(creation(old, events=[b"one"]))
    change = update(old)
    with server.paused():
        commit = asyncio.create_task(backend.commit(ChangeSet(objects=[change], events=[b"two"])))
        await asyncio.sleep(3)
    await commit
    assert await backend.fetch(old.tenant, old.unique_identifier) == change.row
    await backend.close()
    database = url.dsn.partition("@/")[2].partition("?")[0]
    assert server.sql(database, "SELECT count(*) FROM audit") == "2"


async def test_a_lost_answer_that_nothing_tells_of_is_an_unknown_outcome(
    server: PostgresServer, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    monkeypatch.setattr(postgres, "QUIET", 60.0)
    backend = PostgresBackend(url)
    await backend.start()
    with server.paused(), pytest.raises(OutcomeUnknown, match="look before you repeat"):
        await backend.commit(ChangeSet(events=[b"only an event"]))
    await backend.close()


class Firewall:
    """Stands before a server, and can forget the connections that there are without telling anybody."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._flows: list[asyncio.Task[None]] = []

    async def start(self) -> str:
        """Return the host to connect to."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return "{}:{}".format(*self._listener.sockets[0].getsockname())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server.port)
        for flow in (self._pass_on(reader, to_server), self._pass_on(from_server, writer)):
            self._flows.append(asyncio.create_task(flow))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
            writer.close()

    def forget(self) -> None:
        for flow in self._flows:
            flow.cancel()


async def test_a_connection_that_leads_nowhere_any_more_is_found_before_it_is_used(
    server: PostgresServer, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "QUIET", 0.0)
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 600.0)
    firewall = Firewall(server)
    database = url.dsn.partition("@/")[2].partition("?")[0]
    backend = PostgresBackend(store_url(server, database, hosts=await firewall.start()))
    await backend.start()
    async with asyncio.timeout(120):
        await asyncio.gather(*(backend.clients() for _ in range(4)))
        firewall.forget()
        assert await backend.clients() == []
        firewall.forget()
        await backend.commit(ChangeSet(events=[b"nobody could tell what became of it"]))
    await backend.close()
    assert server.sql(database, "SELECT count(*) FROM audit") == "1"


async def test_a_backup_of_much_waits_for_its_rows(
    url: PostgresUrl, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting and sorting take longer than a host that says nothing counts as there."""
    database = url.dsn.partition("@/")[2].partition("?")[0]
    server.sql(database, "CREATE VIEW slow AS SELECT 'a' || pg_sleep(3)::text AS a")
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    slow = Table("slow", ("a",), ("a",))
    async with take_snapshot(url) as snapshot:
        assert await snapshot.count(slow) == 1
        assert [list(page) async for page in snapshot.rows(slow)] == [[("a",)]]
    other = await postgres_connect.connect(url)
    async with take_snapshot(url) as snapshot, other.transaction():
        await other.execute("LOCK TABLE entries")
        reading = asyncio.ensure_future(anext(aiter(snapshot.rows(Table("entries", ("key",))))))
        await asyncio.sleep(3)
        assert not reading.done()
        reading.cancel()
    await other.close()


async def test_a_restore_of_much_waits_for_its_commit(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = store_url(server, server.create_database())
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    async with fill(empty) as filling:
        await filling.begin(versions.VERSIONS[-1])
        connection = filling._connection  # type: ignore[attr-defined]  # nothing else makes a commit slow
        await connection.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';"
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION wait();"
            "INSERT INTO audit (event) VALUES ('')"
        )
        await filling.commit()
    database = empty.dsn.partition("@/")[2].partition("?")[0]
    assert server.sql(database, "SELECT count(*) FROM audit") == "1"


async def test_a_server_that_stays_away_is_unavailable_after_a_bounded_time(
    url: PostgresUrl, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "RETRY_FOR", 0.3)
    backend = PostgresBackend(url)
    await backend.start()
    server.stop()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await backend.fetch(1, "any")
    with pytest.raises(StoreUnavailable, match="nothing was changed"):
        await backend.commit(creation(row(1)))
    server.start()
    await backend.commit(creation(row(1)))
    await backend.close()


async def test_a_failover_with_a_synchronous_standby_loses_no_acknowledged_change(
    server: PostgresServer, tmp_path: Path
) -> None:
    """faults 34."""
    database = server.create_database()
    migrate_url = store_url(server, database)
    await asyncio.to_thread(migrate.migrate, migrate_url)
    with server.standby() as standby:
        hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
        url = store_url(server, database, hosts=hosts)
        assert await postgres_schema.warnings(url) == []
        backend = PostgresBackend(url)
        await backend.start()
        load = Load(backend)
        await load.progress(beyond=50)
        await asyncio.to_thread(server.stop, signal.SIGQUIT)
        before = len(load.acknowledged)
        await asyncio.to_thread(standby.promote)
        await load.progress(beyond=before + 50)
        await load.stop()
        assert not load.failures
        await assert_nothing_lost(backend, load)
        await backend.close()
    server.start()


WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.parametrize(
    ("end", "back"),
    [("pg_terminate_backend", False), ("pg_cancel_backend", False), ("pg_cancel_backend", True)],
)
async def test_what_the_standby_has_not_got_is_not_acknowledged_though_it_can_be_read(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, end: str, back: bool
) -> None:
    """faults 34. When the wait for the standby is ended, the server keeps the change; a failover loses it."""
    monkeypatch.setattr(postgres, "RETRY_FOR", 1.0)
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 60.0 if back else 4.0)
    database = server.create_database()
    await asyncio.to_thread(migrate.migrate, store_url(server, database))
    with server.standby() as standby:
        backend = PostgresBackend(store_url(server, database))
        await backend.start()
        await asyncio.to_thread(standby.stop)
        new = row(1)
        commit = asyncio.create_task(backend.commit(creation(new, events=[b"event"])))
        while await asyncio.to_thread(server.sql, "postgres", f"SELECT count(*) {WAITING}") != "1":
            assert not commit.done()
        await asyncio.to_thread(server.sql, "postgres", f"SELECT {end}(pid) {WAITING}")
        while await backend.fetch(1, new.unique_identifier) is None:
            assert not commit.done()
        if back:
            await asyncio.to_thread(standby.start)
            await commit
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            await asyncio.to_thread(standby.promote)
            standby_backend = PostgresBackend(store_url(standby, database))
            await standby_backend.start()
            assert await standby_backend.fetch(1, new.unique_identifier) == new
            await standby_backend.close()
        else:
            with pytest.raises(OutcomeUnknown, match="look before you repeat"):
                await commit
        await backend.close()
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


async def test_what_the_standby_has_not_got_is_not_signed_for(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """faults 34. After a failover it would be missed, and the store be taken for one that was put back."""
    monkeypatch.setattr(postgres, "RETRY_FOR", 1.0)
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 4.0)
    database = server.create_database()
    await asyncio.to_thread(migrate.migrate, store_url(server, database))
    with server.standby() as standby:
        backend = PostgresBackend(store_url(server, database))
        await backend.start()
        await backend.commit(ChangeSet(events=[b"one"]))
        assert await backend.chain_events() == 1
        assert (await backend.audit_head()).position == 1
        await asyncio.to_thread(standby.stop)
        with pytest.raises(OutcomeUnknown):
            await backend.commit(ChangeSet(events=[b"two"]))
        while len(await backend.audit_rows(0, 10)) < 2:
            with contextlib.suppress(StoreUnavailable):
                await backend.chain_events()
        with pytest.raises(StoreUnavailable):
            await backend.audit_head()
        await backend.close()
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


class Frozen:
    """A connection of a process that stands still once it has found out that the lock is its own."""

    def __init__(self, connection: postgres_outcome.Connection) -> None:
        self.transaction = connection.transaction
        self.fetchval = connection.fetchval

    async def fetch(self, _: str) -> None:
        await asyncio.Event().wait()


async def test_events_are_chained_though_a_node_stands_still_while_it_does_so(
    server: PostgresServer, url: PostgresUrl
) -> None:
    connection = await postgres_connect.connect(url)
    frozen = asyncio.create_task(postgres_chain.extend_chain(Frozen(connection)))
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    while await asyncio.to_thread(server.sql, "postgres", locks) == "0":
        assert not frozen.done()
    backend = PostgresBackend(url)
    await backend.start()
    await backend.commit(ChangeSet(events=[b"event"]))
    async with asyncio.timeout(60):
        while not await backend.chain_events():
            pass
    frozen.cancel()
    connection.terminate()
    await backend.close()


async def test_several_hosts_without_a_synchronous_standby_are_warned_of(
    server: PostgresServer, url: PostgresUrl
) -> None:
    assert await postgres_schema.warnings(url) == []
    database = url.dsn.partition("@/")[2].partition("?")[0]
    both = store_url(server, database, hosts=f"127.0.0.1:{server.port},127.0.0.1:1")
    (warning,) = await postgres_schema.warnings(both)
    assert "set synchronous_standby_names" in warning


async def test_a_host_that_is_down_is_passed_over(server: PostgresServer, url: PostgresUrl) -> None:
    database = url.dsn.partition("@/")[2].partition("?")[0]
    backend = PostgresBackend(store_url(server, database, hosts=f"127.0.0.1:1,127.0.0.1:{server.port}"))
    await backend.start()
    await backend.commit(creation(row(1)))
    await backend.close()


@pytest.mark.parametrize(
    ("damage", "cure"),
    [
        ("password", "passfile"),
        ("open file", "chmod 600"),
        ("no file", "No such file or directory"),
        ("database", "create it"),
        ("user", "passfile"),
    ],
)
async def test_a_login_that_fails_names_the_cure(
    server: PostgresServer, url: PostgresUrl, tmp_path: Path, damage: str, cure: str
) -> None:
    text = server.url(url.dsn.partition("@/")[2].partition("?")[0])
    if damage in ("password", "open file", "no file"):
        wrong = tmp_path / "passfile"
        if damage != "no file":
            wrong.write_text("*:*:*:*:wrong\n")
            wrong.chmod(0o600 if damage == "password" else 0o644)
        text = text.replace(str(server.passfile), str(wrong))
    elif damage == "database":
        text = text.replace("/test_", "/no_such_")
    else:
        text = text.replace("strongroom@", "nobody@")
    bad = parse(text, Path("/"))
    assert isinstance(bad, PostgresUrl)
    with pytest.raises(StoreUnavailable, match=cure) as caught:
        await PostgresBackend(bad).start()
    assert server.password not in str(caught.value)


async def test_a_cancelled_caller_does_not_disturb_the_others(url: PostgresUrl) -> None:
    backend = PostgresBackend(url, connections=2)
    await backend.start()
    commits = [asyncio.create_task(backend.commit(creation(row(1)))) for _ in range(6)]
    await asyncio.sleep(0)
    commits[0].cancel()
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [asyncio.CancelledError]
    await backend.commit(creation(row(1)))
    await backend.close()


async def test_more_callers_than_connections_wait_for_their_turn(url: PostgresUrl) -> None:
    backend = PostgresBackend(url, connections=2)
    await backend.start()
    objects = [row(1) for _ in range(20)]
    await asyncio.gather(*(backend.commit(creation(new)) for new in objects))
    found = await asyncio.gather(
        *(generation_of(backend, new.tenant, new.unique_identifier) for new in objects)
    )
    assert found == [1] * 20
    await backend.close()


async def test_a_closed_store_says_so(url: PostgresUrl) -> None:
    backend = PostgresBackend(url)
    await backend.start()
    await backend.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await backend.fetch(1, "any")


async def test_an_identifier_that_is_too_long_for_its_indexes_is_named(server: PostgresServer) -> None:
    """As older releases let clients choose them."""
    chosen = "".join(random.choices([chr(one) for one in range(0x4E00, 0x9FA0)], k=1024))
    objects = Table("objects", tuple(ObjectRow._fields))
    async with fill(store_url(server, server.create_database())) as filling:
        await filling.begin(versions.VERSIONS[-1])
        with pytest.raises(StoreFailure, match=f"what is called '{chosen[:64]}'... has to be obliterated"):
            await filling.put(objects, [tuple(row(1)), tuple(row(1, unique_identifier=chosen))])


def on_disk(server: PostgresServer, database: str, table: str) -> bytes:
    server.sql(database, "CHECKPOINT")
    read = f"SELECT encode(pg_read_binary_file(pg_relation_filepath('{table}')), 'hex')"
    return bytes.fromhex(server.sql(database, read))


async def test_what_is_removed_is_vacuumed_once_nobody_can_see_it_any_more(server: PostgresServer) -> None:
    database = server.create_database()
    url = store_url(server, database)
    await asyncio.to_thread(migrate.migrate, url)
    backend = PostgresBackend(url)
    await backend.start()
    new, kept = row(1), entry(1, "k")._replace(sealed=random.randbytes(64))
    await backend.commit(ChangeSet(objects=creation(new).objects, entries=[kept]))
    reader = await postgres_connect.connect(url)
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        await reader.fetch("SELECT 1 FROM objects")
        await backend.commit(
            ChangeSet(
                removals=[ObjectRemoval(new.sequence, new.unique_identifier, new.written, 1, [], [])],
                entry_removals=[EntryRemoval(1, kept.kind, "k", kept.written)],
            )
        )
        await asyncio.sleep(1.1)
        with pytest.raises(StoreUnavailable, match="read for long"):
            await backend.scrub()
    await reader.close()
    assert new.sealed in await asyncio.to_thread(on_disk, server, database, "objects")
    await backend.scrub()
    assert new.sealed not in await asyncio.to_thread(on_disk, server, database, "objects")
    assert kept.sealed not in await asyncio.to_thread(on_disk, server, database, "entries")
    await backend.close()


async def test_a_vacuum_may_take_longer_than_other_statements(
    url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    monkeypatch.setattr(postgres, "_VACUUM", "SELECT pg_sleep(3)")
    backend = PostgresBackend(url)
    await backend.start()
    await backend.scrub()


async def test_reads_do_not_wait_for_commits_that_wait(url: PostgresUrl) -> None:
    """As those of a worker for a standby that is away: it has to hear of revocations all the same."""
    backend = PostgresBackend(url, connections=4)
    await backend.start()
    other = await postgres_connect.connect(url)
    async with other.transaction():
        await other.execute("LOCK TABLE objects IN EXCLUSIVE MODE")
        commits = [asyncio.create_task(backend.commit(creation(row(1)))) for _ in range(8)]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(60):
            assert await backend.clients() == []
        assert not any(commit.done() for commit in commits)
    await asyncio.gather(*commits)
    await other.close()
    await backend.close()


async def test_what_nobody_waits_for_any_more_is_ended_on_the_server(
    server: PostgresServer, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections would be used up by and by."""
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    backend = PostgresBackend(url)
    await backend.start()
    other = await postgres_connect.connect(url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with other.transaction():
        await other.execute("LOCK TABLE objects IN EXCLUSIVE MODE")
        with pytest.raises(OutcomeUnknown):
            await backend.commit(creation(row(1)))
        cancelled = asyncio.create_task(backend.commit(creation(row(1))))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        async with asyncio.timeout(60):
            while await asyncio.to_thread(server.sql, "postgres", waiting) != "0":
                pass
    await other.close()
    await backend.close()
