"""Who begins with a database: one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.rootkey.memory import MemoryRootKey
from strongroom.store import migrate
from strongroom.store.claiming import claim
from strongroom.store.url import SqliteUrl, StoreUrl, parse
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUrl:
    made: StoreUrl = SqliteUrl(tmp_path / "strongroom.db")
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        made = parse(server.url(server.create_database()), tmp_path)
    migrate.migrate(made)
    return made


def test_of_many_who_begin_with_a_database_one_gets_it(url: StoreUrl) -> None:
    assert not migrate.holds_keys(url)
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda _: claim(url, MemoryRootKey()), range(8)))
    assert won.count(True) == 1
    assert migrate.holds_keys(url)
    assert not claim(url, MemoryRootKey())
