"""Makes an old data directory for the tests of upgrades: what the Strongroom on PYTHONPATH leaves behind.

    git worktree add /tmp/old COMMIT
    PYTHONPATH=/tmp/old/src:. python tools/make_upgrade_sample.py tests/data/upgrades

Rule: it runs on every release from the first schema on, so it imports nothing that came later. The file is
named after the schema version and holds

    data/            a data directory with an SQLite store, as SIGTERM left it
    test/            key, certificate and profile of its client; they are valid as long as the authority
    postgresql.sql   the same store, as the same release makes it on PostgreSQL
    expected.json    what the client saw last: `tests/inventory.py`

Nothing in it is secret: these keys protect nothing.
"""

import json
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from strongroom import Client, testing
from strongroom.store import migrate
from tests.inventory import inventory, populate

# A client's certificate lasts two years, and the tests are to outlive that.
COMMAND: Final = (
    sys.executable,
    "-c",
    "import datetime; from strongroom.server.certificates import ca;"
    "ca.CLIENT_LIFETIME = datetime.timedelta(days=7200); from strongroom.cli.main import main; main()",
)
LEFT_OUT: Final = frozenset({"lock", "admin.sock", "writer.sock", "worker-0.sock", "worker-1.sock"})


def make(folder: Path) -> str:
    """Fill a folder with a sample and return its schema version."""
    with testing.server(folder, command=COMMAND) as server, Client.from_profile(server.profile) as client:
        populate(client)
        more(client)
        expected = inventory(client)
    database = folder / "data" / "strongroom.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        version = migrate.sqlite_version(connection)
        assert version is not None, "the store has no schema"
        # It had another name in older releases, on which this runs, too.
        script = getattr(migrate, "script", None) or vars(migrate)["_script"]
        lines = [script("postgresql", None), *rows(connection)]
    (folder / "postgresql.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True))
    return version


def more(client: Client) -> None:
    """Make what later releases keep beside objects."""
    if hasattr(client, "login"):
        client.login()


def rows(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield SQL that puts the rows of an SQLite store into a PostgreSQL database."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    ).fetchall()
    for (table,) in tables:
        if table in ("schema_version", "sqlite_sequence"):
            continue
        cursor = connection.execute(f'SELECT * FROM "{table}"')
        columns = ", ".join(f'"{column[0]}"' for column in cursor.description)
        for row in cursor:
            yield f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(map(literal, row))});'


def literal(value: int | str | bytes | None) -> str:
    """Return a value as PostgreSQL reads it."""
    match value:
        case None:
            return "NULL"
        case int():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"'\\x{value.hex()}'::bytea"


def main() -> None:
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        version = make(folder)
        target = out / f"{version}.tar.xz"
        with tarfile.open(target, "w:xz") as archive:
            for part in ("data", "test", "postgresql.sql", "expected.json"):
                archive.add(folder / part, part, filter=cleaned)
    print(target, target.stat().st_size)


def cleaned(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Return what is packed, without who packed it; None for what is not."""
    if Path(info.name).name in LEFT_OUT:
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main()
