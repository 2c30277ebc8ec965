"""Upgrades from every earlier schema, whole and interrupted, and downgrades (fault 35).

Rule: whatever schema versions there are, the newest reads all that the others have left: a client of then is
let in and sees what it saw. An upgrade that ends half way has not begun.
"""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from strongroom import testing
from strongroom.cli.exit import ExitCode
from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.file import FileRootKey
from strongroom.store import migrate, postgres_connect, postgres_schema
from strongroom.store.records import ObjectRow, StoreKeyRow, StoreUnavailable
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.url import PostgresUrl, SqliteUrl, parse
from strongroom.store.versions import VERSIONS
from tests.e2e.backups import Kit, old_client, running
from tests.faults import samples
from tests.faults.samples import Sample
from tests.inventory import Inventory, inventory
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

MANY: Final = 3_000
LONG_MANY: Final = 100_000
MOST_MEMORY: Final = 256 << 20
"""Bytes that an upgrade may take, however many objects there are."""

SECONDS_EACH: Final = 0.001
"""Seconds that an upgrade may take for one object, beside those that it always takes."""

SECONDS_ALWAYS: Final = 30.0
MOST_POINTS: Final = 8
"""Points at which a migration of PostgreSQL is interrupted."""

Old = Callable[[str], Sample]


@pytest.fixture(params=samples.VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Sample:
    """Give a data directory of each schema version that is kept."""
    return samples.unpack(request.param, tmp_path / "old")


def test_the_samples_are_of_schemas_that_are_known() -> None:
    assert samples.VERSIONS[0] == VERSIONS[0]
    assert set(samples.VERSIONS) <= set(VERSIONS)


def compare(shown: Inventory, expected: Inventory) -> None:
    """Return if a client sees all that it saw; a newer release may show it more."""
    assert shown.keys() == expected.keys()
    for identifier, then in expected.items():
        now = shown[identifier]
        assert now["material"] == then["material"], identifier
        for tag, values in then["attributes"].items():
            assert now["attributes"].get(tag) == values, (identifier, tag)


def serve_and_compare(sample: Sample) -> None:
    with running(sample.folder) as server, old_client(sample.profile, server) as client:
        compare(inventory(client), sample.expected)
        client.create_symmetric_key(name="after the upgrade")


def test_an_old_data_directory_is_upgraded_and_its_client_sees_what_it_saw(old: Sample) -> None:
    server = testing.Server(old.folder)
    if old.version != VERSIONS[-1]:
        refused = server.try_run("serve", str(old.data))
        assert refused.returncode == ExitCode.FAILURE
        assert f"has schema version {old.version}" in refused.stderr
        assert "strongroom store migrate" in refused.stderr
    server.run("store", "migrate", str(old.data))
    serve_and_compare(old)
    with closing(sqlite3.connect(old.database)) as database:
        newest = database.execute("SELECT store_key FROM objects ORDER BY sequence DESC LIMIT 1").fetchone()
    assert newest[0] < 0, "it is sealed under a store key that says truly when it was made"


@pytest.mark.postgres
def test_an_old_data_directory_on_postgresql_is_upgraded(
    old: Sample, postgres_server: PostgresServer
) -> None:
    samples.on_postgres(old, postgres_server)
    testing.Server(old.folder).run("store", "migrate", str(old.data))
    serve_and_compare(old)


@pytest.mark.parametrize("step", VERSIONS[1:-1])
def test_every_schema_between_is_upgraded_from(step: str, tmp_path: Path) -> None:
    """Also those that no release has left behind: the store stops at each on its way."""
    start = max(version for version in samples.VERSIONS if version <= step)
    old = samples.unpack(start, tmp_path / "old")
    with closing(sqlite3.connect(old.database, isolation_level=None)) as database:
        migrate.migrate_sqlite(database, str(old.database), to=step)
        assert migrate.sqlite_version(database) == step
    testing.Server(old.folder).run("store", "migrate", str(old.data))
    serve_and_compare(old)


def test_a_backup_of_an_older_schema_is_restored_and_upgraded(old: Sample, tmp_path: Path) -> None:
    kit = Kit(tmp_path / "kit")
    samples.archive(old, tmp_path / "old.age", kit.recipient)
    new = tmp_path / "new"
    words = ["--identity", str(kit.path), "--data", str(new / "data")]
    testing.Server(new).run("backup", "restore", str(tmp_path / "old.age"), *words)
    with running(new) as server, old_client(old.profile, server) as client:
        compare(inventory(client), old.expected)


# Interrupted


def killed_at(database: Path, point: int) -> bool:
    """Migrate in a process that dies before its statement number `point`; return whether it had so many."""
    migrate.script("sqlite", migrate.current_version(SqliteUrl(database)))  # made before, not in the child
    child = os.fork()
    if not child:
        try:
            connect = sqlite3.connect
            executed = 0

            def dying(_statement: str) -> None:
                nonlocal executed
                if executed == point:
                    os.kill(os.getpid(), signal.SIGKILL)
                executed += 1

            def traced(*arguments: Any, **keywords: Any) -> Any:
                connection = connect(*arguments, **keywords)
                connection.set_trace_callback(dying)
                return connection

            sqlite3.connect = traced
            migrate.migrate(SqliteUrl(database))
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_an_upgrade_that_is_killed_before_any_statement_has_not_begun(old: Sample, tmp_path: Path) -> None:
    if old.version == VERSIONS[-1]:
        pytest.skip("there is nothing to migrate")
    point = 0
    while True:
        url = SqliteUrl(samples.copy_database(old, tmp_path / f"{point}.db"))
        killed = killed_at(url.path, point)
        if not killed:
            break
        assert migrate.current_version(url) in (old.version, VERSIONS[-1])
        migrate.migrate(url)
        check(url.path)
        if point == 10:
            url.path.replace(old.database)
        else:
            url.path.unlink()
        point += 1
    assert point > 5
    check(url.path)
    testing.Server(old.folder).run("store", "migrate", str(old.data))
    serve_and_compare(old)


def check(database: Path) -> None:
    """Return if a database is whole, and has the newest schema."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert migrate.sqlite_version(connection) == VERSIONS[-1]


LOCK: Final = 4711
"""What the migration waits for at the point where it is killed."""


@pytest.mark.postgres
async def test_an_upgrade_of_postgresql_that_is_killed_anywhere_has_not_begun(
    old: Sample, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = samples.on_postgres(old, postgres_server)
    url = parse(postgres_server.url(name), tmp_path)
    assert isinstance(url, PostgresUrl)
    if old.version == VERSIONS[-1]:
        pytest.skip("there is nothing to migrate")
    statements = re.split(r"(?<=;)\n\n", migrate.script("postgresql", old.version))
    places = range(0, len(statements) + 1, max(1, len(statements) // MOST_POINTS))
    connection = await postgres_connect.connect(url)
    await connection.execute("SET application_name = 'the test'")  # while a server is connected there is none
    try:
        for place in places:
            script = "\n\n".join(
                [*statements[:place], f"SELECT pg_advisory_lock({LOCK});", *statements[place:]]
            )
            await kill_while_it_waits(connection, url, script)
            assert await postgres_schema.version(connection) == old.version, place
    finally:
        await connection.close()
    await asyncio.to_thread(testing.Server(old.folder).run, "store", "migrate", str(old.data))
    await asyncio.to_thread(serve_and_compare, old)


@pytest.mark.postgres
async def test_postgresql_is_not_upgraded_while_a_server_is_at_work(
    old: Sample, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on by the schema that it knows."""
    monkeypatch.setattr(postgres_schema, "OTHERS_WITHIN", 0.5)
    if old.version == VERSIONS[-1]:
        pytest.skip("there is nothing to migrate")
    url = parse(postgres_server.url(samples.on_postgres(old, postgres_server)), tmp_path)
    assert isinstance(url, PostgresUrl)
    server = await postgres_connect.connect(url)
    with pytest.raises(StoreUnavailable, match="stop every server that uses it"):
        await asyncio.to_thread(migrate.migrate, url)
    assert await postgres_schema.version(server) == old.version
    monkeypatch.setattr(postgres_schema, "OTHERS_WITHIN", 60.0)
    migrating = asyncio.create_task(asyncio.to_thread(migrate.migrate, url))
    await server.close()
    await migrating
    assert await asyncio.to_thread(migrate.current_version, url) == VERSIONS[-1]


async def kill_while_it_waits(connection: asyncpg.Connection, url: PostgresUrl, script: str) -> None:
    """Start a migration in another process, kill it where it waits for the lock, and let the server go on."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from strongroom.store import postgres_schema, url\n"
        "where = url.PostgresUrl(dsn=sys.argv[1], hosts=(url.Host(sys.argv[2], int(sys.argv[3])),))\n"
        "asyncio.run(postgres_schema.migrate(where, lambda _: sys.stdin.read()))\n"
    )
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    (host,) = url.hosts
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, url.dsn, host.name, str(host.port),
        stdin=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(script.encode())
    process.stdin.close()
    await until(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1)
    process.kill()
    await process.wait()
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await until(connection, f"SELECT count(*) FROM pg_stat_activity WHERE {others}", 0)


async def until(connection: asyncpg.Connection, counting: str, wanted: int) -> None:
    """Return when the database counts so many."""
    async with asyncio.timeout(60):
        while await connection.fetchval(counting) != wanted:  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)


@pytest.mark.postgres
def test_a_migration_may_take_longer_than_a_statement_of_a_request(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = parse(postgres_server.url(postgres_server.create_database()), tmp_path)
    monkeypatch.setattr(postgres_connect, "STATEMENT_TIMEOUT", 2.0)
    script = migrate.script("postgresql", None)
    monkeypatch.setattr(migrate, "script", lambda *_: f"SELECT pg_sleep(3); {script}")
    migrate.migrate(url)
    assert migrate.current_version(url) == VERSIONS[-1]


# Downgrades


def test_a_downgrade_is_refused_with_an_explanation(tmp_path: Path) -> None:
    newest = samples.unpack(samples.VERSIONS[-1], tmp_path / "new")
    server = testing.Server(newest.folder)
    server.run("store", "migrate", str(newest.data))
    with closing(sqlite3.connect(newest.database)) as database:
        database.execute("UPDATE schema_version SET version_num = '9999'")
        database.commit()
    before = newest.database.read_bytes()
    recipient = ["--recipient", Kit(tmp_path / "kit").recipient]
    for words in (
        ["serve", str(newest.data)],
        ["store", "migrate", str(newest.data)],
        ["client", "list", "--data", str(newest.data)],
        ["backup", "create", "--data", str(newest.data), "--to", str(tmp_path / "b"), *recipient],
    ):
        refused = server.try_run(*words)
        assert refused.returncode == ExitCode.FAILURE, words
        assert "has schema version 9999" in refused.stderr, words
        assert f"knows versions up to {VERSIONS[-1]}" in refused.stderr
        assert "run the newer Strongroom, or restore a backup" in refused.stderr
        assert refused.stderr.strip().count("\n") == 0
    assert newest.database.read_bytes() == before


# Many objects


def fill(sample: Sample, many: int) -> list[str]:
    """Add objects to an old store, sealed as that release did; return some of their identifiers."""
    root_key = FileRootKey(sample.data / "root.key")
    with closing(sqlite3.connect(sample.database)) as database:
        keys = StoreKeys(root_key)
        rows = database.execute("SELECT store_key, wrapped, created_at FROM store_keys").fetchall()
        keys.load(StoreKeyRow._make(row) for row in rows)
        columns = [row[1] for row in database.execute("PRAGMA table_info(objects)")]
        assert set(ObjectRow._fields) == set(columns), "the store has other columns: seal as that release did"
        picked = ", ".join(ObjectRow._fields)
        (pattern,) = database.execute(
            f"SELECT {picked} FROM objects WHERE object_type = 2 AND state = 1 LIMIT 1"
        ).fetchall()
        pattern = ObjectRow._make(pattern)
        terms = database.execute(
            "SELECT tenant, term FROM terms WHERE sequence = ?", (pattern.sequence,)
        ).fetchall()
        material = keys.open(pattern)
        for number in range(many):
            database.execute(
                f"INSERT INTO objects ({picked}) VALUES ({', '.join('?' * len(pattern))})",
                copied(pattern, number, keys, material),
            )
            database.executemany(
                "INSERT INTO terms (tenant, term, sequence) VALUES (?, ?, ?)",
                [(tenant, term, number + 1) for tenant, term in terms],
            )
        database.commit()
    return [f"many-{number}" for number in range(0, many, max(1, many // 50))]


def copied(pattern: ObjectRow, number: int, keys: StoreKeys, material: SecretBytes) -> ObjectRow:
    row = pattern._replace(unique_identifier=f"many-{number}", sequence=number + 1, sealed=b"")
    return row._replace(sealed=keys.seal(row, material))


def peak_memory(process: int) -> int:
    """Return the most bytes that a process has held so far, 0 when it has ended.

    What the kernel counts for a parent (`ru_maxrss`) begins with the memory of the test that forked.
    """
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return 0


def upgrade_many(folder: Path, many: int) -> None:
    old = samples.unpack(samples.VERSIONS[0], folder / "old")
    some = fill(old, many)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom.cli", "store", "migrate", str(old.data)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    most = 0
    while process.poll() is None:
        most = max(most, peak_memory(process.pid))
        time.sleep(0.01)
    assert process.returncode == 0
    assert time.monotonic() - started < SECONDS_ALWAYS + many * SECONDS_EACH
    assert 0 < most < MOST_MEMORY
    check(old.database)
    asyncio.run(load_some(old, some))


async def load_some(old: Sample, some: list[str]) -> None:
    backend = InlineSqliteBackend(old.database)
    await backend.start()
    try:
        keys = StoreKeys(FileRootKey(old.data / "root.key"))
        keys.load(await backend.store_keys())
        repository = Repository(backend, keys)
        for identifier in some:
            assert await repository.load(DEFAULT_TENANT, UniqueIdentifier(identifier)) is not None
    finally:
        await backend.close()


def test_many_objects_are_upgraded_in_bounded_time_and_memory(tmp_path: Path) -> None:
    upgrade_many(tmp_path, MANY)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_objects_are_upgraded_in_bounded_time_and_memory(tmp_path: Path) -> None:
    upgrade_many(tmp_path, LONG_MANY)
