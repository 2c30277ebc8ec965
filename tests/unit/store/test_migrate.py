"""Schema versions (fault 35)."""

import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from strongroom.store import migrate, schema, versions
from strongroom.store.records import ObjectRow, SchemaTooNew, SchemaTooOld, StoreGone, StoreUnavailable
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl, parse
from strongroom.store.versions import VERSION_TABLE, VERSIONS
from tests.postgres import PostgresServer, postgres_server
from tests.unit.store.samples import row

__all__ = ["postgres_server"]


OBJECTS = 100


def catalogue(database: Path) -> list[tuple[str, ...]]:
    """Return every table and index with the columns it has."""
    connection = sqlite3.connect(database)
    found: list[tuple[str, ...]] = []
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if table == VERSION_TABLE:
            continue
        found += [(table, *map(str, row)) for row in connection.execute(f"PRAGMA table_xinfo({table})")]
        for _, index, *facts in connection.execute(f"PRAGMA index_list({table})").fetchall():
            found.append((table, index, *map(str, facts)))
            found += [(index, *map(str, row)) for row in connection.execute(f"PRAGMA index_xinfo({index})")]
    connection.close()
    return sorted(found)


def definitions(dialect: Dialect) -> str:
    """Return the SQL that makes what `store/schema.py` declares."""
    statements: list[str] = []
    for table in schema.METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]
    return ";".join(statements)


def test_the_migrations_lead_to_the_schema_on_sqlite(tmp_path: Path) -> None:
    migrate.migrate(SqliteUrl(tmp_path / "migrated.db"))
    connection = sqlite3.connect(tmp_path / "made.db")
    connection.executescript(definitions(sqlite.dialect()))
    connection.close()
    assert catalogue(tmp_path / "migrated.db") == catalogue(tmp_path / "made.db")


@pytest.mark.postgres
def test_the_migrations_lead_to_the_schema_on_postgresql(postgres_server: PostgresServer) -> None:
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, ordinal_position"
        " FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'schema_version' ORDER BY 1, 5"
    )
    indexes = (
        "SELECT indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename <> 'schema_version' ORDER BY 1"
    )
    migrated, made = postgres_server.create_database(), postgres_server.create_database()
    migrate.migrate(parse(postgres_server.url(migrated), Path("/")))
    postgres_server.sql(made, definitions(postgresql.dialect()))  # type: ignore[no-untyped-call]
    for query in (columns, indexes):
        assert postgres_server.sql(migrated, query) == postgres_server.sql(made, query)


def test_every_version_has_its_file() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    assert tuple(sorted(file.name[:4] for file in versions.glob("0*.py"))) == VERSIONS


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    url = SqliteUrl(tmp_path / "store.db")
    assert migrate.current_version(url) is None
    migrate.migrate(url)
    before = url.path.read_bytes()
    migrate.migrate(url)
    assert migrate.current_version(url) == VERSIONS[-1]
    assert url.path.read_bytes() == before


def test_an_interrupted_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = SqliteUrl(tmp_path / "store.db")
    script = migrate.script("sqlite", None)
    monkeypatch.setattr(migrate, "script", lambda *_: script + "this is no SQL;")
    with pytest.raises(StoreUnavailable, match="nothing was changed"):
        migrate.migrate(url)
    monkeypatch.undo()
    assert catalogue(url.path) == []
    migrate.migrate(url)
    check(url)


def check(url: StoreUrl) -> None:
    """Return if a server would start on the database."""
    versions.check(migrate.current_version(url), "the database")


@pytest.fixture
def keeps_what_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an SQLite that was not built to overwrite what is removed."""
    connect = sqlite3.connect

    def connect_to(*given: Any, **keywords: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **keywords)
        connection.execute("PRAGMA secure_delete = OFF").close()
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_to)


def older_store(path: Path, sealed: bytes, *, version: str) -> None:
    """Make a store of some version, as older releases did, with objects on several pages."""
    connection = sqlite3.connect(path, isolation_level=None)
    migrate.migrate_sqlite(connection, str(path), to=version)
    names, places = ", ".join(ObjectRow._fields), ", ".join("?" * len(ObjectRow._fields))
    rows = [row(1, sealed=sealed) for _ in range(OBJECTS)]
    connection.executemany(f"INSERT INTO objects ({names}) VALUES ({places})", rows)
    connection.close()


@pytest.mark.usefixtures("keeps_what_is_removed")
def test_a_migration_leaves_nothing_of_what_it_moves(tmp_path: Path) -> None:
    url, sealed = SqliteUrl(tmp_path / "store.db"), secrets.token_bytes(200)
    older_store(url.path, sealed, version=VERSIONS[-2])
    migrate.migrate(url)
    assert url.path.read_bytes().count(sealed) == OBJECTS


@pytest.mark.usefixtures("keeps_what_is_removed")
def test_what_an_older_release_left_is_overwritten_once(tmp_path: Path) -> None:
    url, sealed = SqliteUrl(tmp_path / "store.db"), secrets.token_bytes(200)
    older_store(url.path, sealed, version=VERSIONS[-1])
    editor = sqlite3.connect(url.path, isolation_level=None)
    editor.execute("DELETE FROM objects")
    ((built_in,),) = editor.execute("SELECT sqlite_compileoption_used('SECURE_DELETE')").fetchall()
    editor.close()
    assert sealed in url.path.read_bytes()
    assert migrate.may_hold_remains(url.path) is not bool(built_in)
    migrate.migrate(url)
    assert sealed not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not migrate.may_hold_remains(url.path)
    before = url.path.read_bytes()
    migrate.migrate(url)
    assert url.path.read_bytes() == before


async def test_a_newer_schema_is_refused(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("UPDATE schema_version SET version_num = '9999'")
    connection.close()
    url = SqliteUrl(database)
    with pytest.raises(SchemaTooNew, match="run the newer Strongroom"):
        check(url)
    with pytest.raises(SchemaTooNew):
        migrate.migrate(url)
    with pytest.raises(SchemaTooNew):
        await InlineSqliteBackend(database).start()


async def test_an_older_schema_names_the_command_that_upgrades_it(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("UPDATE schema_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(SchemaTooOld, match="strongroom store migrate"):
        check(SqliteUrl(database))
    with pytest.raises(SchemaTooOld, match="strongroom store migrate"):
        await InlineSqliteBackend(database).start()


async def test_a_store_that_is_gone_is_told_from_an_older_one(tmp_path: Path) -> None:
    """Brought to the newest schema, an empty one would answer that no key exists."""
    empty = SqliteUrl(tmp_path / "store.db")
    with pytest.raises(StoreGone, match="strongroom backup restore"):
        check(empty)
    sqlite3.connect(empty.path).close()
    with pytest.raises(StoreGone, match="strongroom backup restore"):
        await InlineSqliteBackend(empty.path).start()


@pytest.mark.postgres
def test_a_newer_schema_is_refused_on_postgresql(postgres_server: PostgresServer) -> None:
    database = postgres_server.create_database()
    url = parse(postgres_server.url(database), Path("/"))
    assert isinstance(url, PostgresUrl)
    with pytest.raises(StoreGone, match="strongroom backup restore"):
        check(url)
    migrate.migrate(url)
    migrate.migrate(url)
    check(url)
    postgres_server.sql(database, "UPDATE schema_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew):
        check(url)
    with pytest.raises(SchemaTooNew):
        migrate.migrate(url)


def test_an_error_names_the_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot create"):
        migrate.migrate(SqliteUrl(tmp_path / "missing" / "store.db"))


def test_nothing_at_run_time_loads_sqlalchemy_or_alembic() -> None:
    program = (
        "import sys; from strongroom.store import migrate, postgres, sealing, sqlite, url, writer;"
        "sys.exit(bool({'sqlalchemy', 'alembic'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})
