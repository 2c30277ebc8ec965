"""A store key that takes over: what it seals is never without it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.store import Changes, StoreFailure
from strongroom.server.root.change import RootHandover
from strongroom.store import sealing
from strongroom.store.records import ChangeSet, StoreUnavailable
from strongroom.store.url import PostgresUrl, parse
from tests.kms import TestKms
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kms(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestKms]:
    """Give a key manager whose store key is as old as one may be."""
    url = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = parse(server.url(server.create_database()), tmp_path)
        assert isinstance(url, PostgresUrl)
    kms = TestKms(tmp_path, store=url)
    kms.create_symmetric_key()
    later = time.time() + sealing.LIFETIME
    monkeypatch.setattr(time, "time", lambda: later)
    yield kms
    kms.close()


def kept(key: str) -> Changes:
    """Return a change that is sealed."""
    value: Entry = RootHandover(record="any")
    entry = Kept(tenant=1, key=key, owner=0, value=value)
    return Changes(entries=[EntryChange(RootHandover, 1, key, 0, entry)])


def test_commits_that_wait_for_a_store_key_wait_for_the_same(kms: TestKms) -> None:
    """Each would make its own: one might seal with that of another, which is nowhere yet."""
    made: list[int] = []
    real = kms.backend.commit

    async def commit(changes: ChangeSet) -> None:
        made.extend(row.store_key for row in changes.store_keys)
        await asyncio.sleep(0.01)
        await real(changes)

    async def many() -> None:
        await asyncio.gather(*(kms.repository.commit(kept(f"entry {number}")) for number in range(5)))

    vars(kms.backend)["commit"] = commit
    kms.run(many())
    assert len(made) == 1
    assert kms.repository._keys.current == made[0]


def test_what_is_stored_is_never_sealed_by_a_store_key_whose_commit_fails(kms: TestKms) -> None:
    """The connection is cut while several need the next store key; whoever is told "done" finds it again."""
    real = kms.backend.commit
    attempts = 0

    async def commit(changes: ChangeSet) -> None:
        nonlocal attempts
        if changes.store_keys:
            attempts += 1
            fails = attempts != 2
            # Those that fail fail late: by then somebody may have stored something.
            await asyncio.sleep(0.2 if fails else 0.01)
            if fails:
                raise StoreUnavailable("the database did not answer")
        await real(changes)

    async def one(key: str) -> str | None:
        try:
            await kms.repository.commit(kept(key))
        except StoreFailure:
            return None
        return key

    async def many() -> list[str | None]:
        return await asyncio.gather(*(one(f"entry {number}") for number in range(4)))

    vars(kms.backend)["commit"] = commit
    done = [key for key in kms.run(many()) if key is not None]
    assert 0 < len(done) < 4
    kms.forget()
    for key in done:
        assert kms.run(kms.repository.load_entry(RootHandover, 1, key)) is not None
