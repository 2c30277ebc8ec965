"""A store key that takes over: what it seals is never without it (fault 40)."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.store import Changes
from strongroom.domain.store_failures import StoreFailure
from strongroom.rootkey import file
from strongroom.rootkey.keyring import Keyring
from strongroom.rootkey.roots import SoftwareRoot, new_secret
from strongroom.server.root.announcing import RootHandover
from strongroom.store import sealing
from strongroom.store.records import ChangeSet, StoreKeyLost, StoreKeyRow, StoreUnavailable
from strongroom.store.sealing import StoreKeys, UnknownStoreKey
from strongroom.store.store_keys import StoredStoreKeys, renew
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


def test_a_store_key_that_another_process_has_made_is_not_made_again(kms: TestKms) -> None:
    other = StoreKeys(kms.root_key)
    kms.run(renew(kms.backend, other))
    kms.run(kms.repository.commit(kept("a")))
    assert kms.repository._keys.current == other.current
    assert len(kms.run(kms.backend.store_keys())) == 2


def test_a_store_key_that_has_sealed_enough_is_replaced_though_it_is_young(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NIST SP 800-38D §8.3: to look for that of another process does not count from the beginning."""
    kms.run(kms.repository.commit(kept("a")))
    young = kms.repository._keys.current
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 1)
    kms.run(kms.repository.commit(kept("b")))
    assert kms.repository._keys.current != young


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


class Change:
    """The root key of a key manager is replaced, by another process that looks at every store key."""

    def __init__(self, kms: TestKms, folder: Path) -> None:
        self._kms = kms
        self._old = SoftwareRoot(file.read(folder / "root.key"), 1)
        self._new = SoftwareRoot(new_secret(), 2)
        self.made: list[StoreKeyRow] = []

    async def finish(self) -> None:
        """Let go of the older root key, once nothing is under it."""
        where, both = StoredStoreKeys(self._kms.backend), Keyring([self._old, self._new])
        await where.rewrap(both)
        assert all(both.is_current(wrapped) for wrapped in await where.wrapped())
        self._kms.repository._keys._root_key = Keyring([self._new])

    def restart(self) -> None:
        """Start again with the newer root key alone."""
        self._kms.root_key = Keyring([self._new])
        self._kms.forget()

    def during_commit(self, *, before: bool) -> None:
        """Have it happen while a store key is committed, `before` it comes to the database or after that."""
        real = self._kms.backend.commit

        async def commit(changes: ChangeSet) -> None:
            self.made += changes.store_keys
            first = len(self.made) == 1 and changes.store_keys
            if first and before:
                await self.finish()
            await real(changes)
            if first and not before:
                await self.finish()

        vars(self._kms.backend)["commit"] = commit


@pytest.mark.parametrize("before", [True, False])
def test_no_store_key_is_left_under_a_root_key_that_was_let_go(
    kms: TestKms, tmp_path: Path, before: bool
) -> None:
    """Whoever replaced it has seen the store key that was on its way, or that one does not arrive.

    So nothing has to be done once it is there, and a process may be killed at any point.
    """
    change = Change(kms, tmp_path)
    change.during_commit(before=before)
    kms.run(kms.repository.commit(kept("entry")))
    assert len(change.made) == (2 if before else 1)
    rows = kms.run(kms.backend.store_keys())
    assert change.made[-1].store_key in {row.store_key for row in rows}
    assert len(rows) == 2, "the one that was refused is nowhere"
    change.restart()
    assert kms.run(kms.repository.load_entry(RootHandover, 1, "entry")) is not None


def test_a_process_that_missed_a_change_of_the_root_key_makes_no_store_key(
    kms: TestKms, tmp_path: Path
) -> None:
    """Nobody else could open it: it goes on with the one that it has, as if the root key were away."""
    change, keys = Change(kms, tmp_path), kms.repository._keys
    missed = keys._root_key
    kms.run(change.finish())
    keys._root_key = missed
    before = keys.current
    kms.run(kms.repository.commit(kept("entry")))
    assert keys.current == before
    change.restart()
    assert kms.run(kms.repository.load_entry(RootHandover, 1, "entry")) is not None


def test_the_first_store_key_of_all_seals_once_it_is_under_the_newest_root_key(
    kms: TestKms, tmp_path: Path
) -> None:
    """There is no other one that would be wrapped again before it."""
    change, keys = Change(kms, tmp_path), StoreKeys(kms.root_key)
    real = kms.backend.commit
    reading = kms.backend.store_keys
    rewraps = 0

    async def commit(changes: ChangeSet) -> None:
        nonlocal rewraps
        if changes.store_keys:
            keys._root_key = Keyring([change._new])
        else:
            rewraps += 1
            raise StoreUnavailable("the database did not answer")
        await real(changes)

    async def nothing() -> list[StoreKeyRow]:
        return []

    vars(kms.backend).update(commit=commit, store_keys=nothing)
    with pytest.raises(StoreUnavailable):
        kms.run(renew(kms.backend, keys))
    vars(kms.backend).update(commit=real, store_keys=reading)
    assert rewraps == 1
    with pytest.raises(UnknownStoreKey):
        _ = keys.current


@pytest.mark.postgres
@pytest.mark.parametrize("only_one", [True, False])
def test_what_is_stored_after_a_failover_is_sealed_by_a_store_key_that_is_there(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, only_one: bool
) -> None:
    """The standby never got the newest one: nobody could open what it seals once this process has ended."""
    database = postgres_server.create_database()
    url = parse(postgres_server.url(database), tmp_path)
    assert isinstance(url, PostgresUrl)
    kms = TestKms(tmp_path, store=url)
    kms.create_symmetric_key()
    if not only_one:
        monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 1)
        kms.run(kms.repository.commit(kept("lost")))
        monkeypatch.undo()
    lost = kms.repository._keys.current
    fail_over(postgres_server, database, f"DELETE FROM store_keys WHERE store_key = {lost}")
    identifier = kms.create_symmetric_key()
    kms.run(kms.repository.commit(kept("entry")))
    assert len(kms.run(kms.backend.store_keys())) == 1, "one that there was, or one that was made"
    kms.forget()
    assert kms.run(kms.repository.load(1, identifier)) is not None
    assert kms.run(kms.repository.load_entry(RootHandover, 1, "entry")) is not None
    kms.close()


@pytest.mark.postgres
def test_what_a_failover_has_lost_witnesses_no_event(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Of a removal there is nothing else."""
    url = parse(postgres_server.url(postgres_server.create_database()), tmp_path)
    assert isinstance(url, PostgresUrl)
    kms = TestKms(tmp_path, store=url)
    kms.create_symmetric_key()
    with pytest.raises(StoreKeyLost):
        kms.run(kms.backend.commit(ChangeSet(events=[b"removed"], witnessed_under=-1)))
    there = kms.repository._keys.current
    kms.run(kms.backend.commit(ChangeSet(events=[b"removed"], witnessed_under=there)))
    kms.close()


def fail_over(server: PostgresServer, database: str, lost: str) -> None:
    """Be another server, which never got what the statement takes away."""
    server.sql(
        database,
        f"{lost}; SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
