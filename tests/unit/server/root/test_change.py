"""What was begun is finished, by whichever worker or node is there (fault 40)."""

import asyncio
import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store import Changes
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.rootkey import stored
from strongroom.rootkey.envelope import parse
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.administration.command import Administrator, perform
from strongroom.server.certificates.ca import create_authority, open_authority
from strongroom.server.config import parse_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NothingBegun
from strongroom.server.kept import drop
from strongroom.server.root import change
from strongroom.server.root.announcing import ANNOUNCED_FOR, RootHandover, announce_to_nodes, place_of
from strongroom.server.root.change import PROBE, SETTLING, RootKeyChange
from strongroom.server.root.places import places
from strongroom.store import sealing
from strongroom.store.records import ChangeSet, OutcomeUnknown, StoreKeyRewrap
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.store_keys import StoredStoreKeys
from tests.kms import TestKms
from tests.softhsm import Token
from tests.unit.rootkey.conftest import PASSPHRASE, begin, new, opened, place, token
from tests.unit.server.clients.test_records import Store
from tests.unit.server.conftest import NOW

__all__ = ["token"]


class Node:
    """A data directory with its root keys and the job of one worker, on the store of a key manager."""

    def __init__(self, kms: TestKms, folder: Path, *, shared: bool) -> None:
        self.kms = kms
        self.directory = DataDirectory(folder)
        self.root_key = StoredKeyring(place(folder))
        self.store = Repository(kms.backend, StoreKeys(self.root_key))
        self.places = places(StoredStoreKeys(kms.backend), self.directory)
        self.job = RootKeyChange(self.root_key, self.places, self.store, shared=shared)
        self.spreads = 0
        self.job.spread = self._spread

    async def _spread(self) -> None:
        self.spreads += 1

    def work(self, *, after: float = 0.0) -> None:
        """Let the job look, `after` seconds from now."""
        self.kms.run(self.job(datetime.now(UTC) + timedelta(seconds=after)))

    def command(self, name: str, **fields: object) -> Any:
        settings = {"store": "postgresql://u@h/d"} if self.job._shared else {}
        admin = Administrator(
            clients=Store(),
            store=self.store,
            directory=self.directory,
            settings=parse_settings(settings),
            root_key=self.root_key,
            now=datetime.now(UTC),
            live=None,
            wrapped=self.places,
        )
        return self.kms.run(perform(admin, {"command": name, **fields}))

    def rotate(self, provider: str = "file") -> None:
        made = new(provider, self.root_key.generation + 1)
        assert made.secret is not None
        self.command(
            "root.rotate", record=made.described, secret=base64.b64encode(made.secret.reveal()).decode()
        )


@pytest.fixture
def kms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestKms]:
    """Give a key manager that makes a store key for each commit, and some objects."""
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 1)
    kms = TestKms(tmp_path)
    for number in range(5):
        kms.create_symmetric_key(name=f"key {number}")
    yield kms
    kms.close()


@pytest.fixture
def node(kms: TestKms, tmp_path: Path) -> Node:
    create_authority(DataDirectory(tmp_path), opened(tmp_path, new("file")), NOW)
    return Node(kms, tmp_path, shared=False)


def test_the_job_finishes_once_everybody_must_have_heard(node: Node) -> None:
    node.rotate()
    node.work()
    assert node.root_key.changing, "another worker may still wrap by the older root key"
    assert node.command("root.status")["left"] == {}
    node.work(after=SETTLING + 1)
    assert not node.root_key.changing
    assert node.spreads == 1
    open_authority(node.directory, node.root_key)


def test_the_job_lets_go_of_nothing_that_the_supervisor_needs(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the supervisor takes: nothing would lead it to the newer one."""
    monkeypatch.setattr(node.root_key._parent, "_process", None)  # as in a process that was forked
    node.rotate()
    node.work(after=SETTLING + 1)
    assert node.root_key.changing
    assert node.job.problem is not None
    assert "the supervisor has not taken over" in node.job.problem
    monkeypatch.undo()
    node.work(after=SETTLING + 2)
    assert node.job.problem is None
    assert not node.root_key.changing


def test_a_worker_that_has_missed_a_root_key_says_so(node: Node, tmp_path: Path, kms: TestKms) -> None:
    """It was stopped, say, while another one let go of the one before."""
    node.rotate("passphrase")
    node.work(after=SETTLING + 1)
    late = Node(kms, tmp_path, shared=False)
    assert late.root_key.sealed
    assert not late.root_key.left_behind, "nor has a process that is forked now"
    late.work(after=SETTLING + 2)
    assert late.job.problem is not None
    assert "missed" in late.job.problem
    late.root_key.give_passphrase(PASSPHRASE)
    late.work(after=SETTLING + 3)
    assert late.job.problem is None


def test_what_a_straggler_wraps_meanwhile_is_found(node: Node, tmp_path: Path) -> None:
    straggler = StoredKeyring(place(tmp_path))
    node.rotate()
    node.work()
    keys = StoreKeys(straggler)
    node.kms.run(node.kms.backend.commit(ChangeSet(store_keys=[keys.create(1).row])))
    node.work(after=SETTLING + 1)
    assert not node.root_key.changing
    rows = node.kms.run(node.kms.backend.store_keys())
    assert len(rows) > 5
    assert all(node.root_key.is_current(row.wrapped) for row in rows)


def test_the_command_finishes_at_once_where_there_is_one_node(node: Node) -> None:
    node.rotate("passphrase")
    assert node.command("root.finish") == {"generation": 2, "finished": True, "left": 0}
    assert node.command("root.finish")["finished"], "and finds nothing to do the second time"


def test_two_workers_finish_the_same_change(node: Node, tmp_path: Path, kms: TestKms) -> None:
    other = Node(kms, tmp_path, shared=False)
    node.rotate()
    for _ in range(2):
        for worker in (node, other):
            worker.work(after=SETTLING + 1)
    assert not node.root_key.changing
    assert not other.root_key.changing
    assert StoredKeyring(place(tmp_path)).generation == 2


def test_a_look_does_not_end_a_change_that_begins_meanwhile(
    node: Node, tmp_path: Path, kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has found nothing that is left, of the root key before; all is left to wrap by the new one."""
    other = Node(kms, tmp_path, shared=False)
    look = change.rewrap

    async def looked(*arguments: Any) -> int:
        left = await look(*arguments)
        made = new("file", 2)
        node.root_key.adopt(node.root_key.prepare(made.described, made.secret))
        return left

    monkeypatch.setattr(change, "rewrap", looked)
    other.work()
    monkeypatch.undo()
    found = StoredKeyring(place(tmp_path))
    assert found.changing
    for row in kms.run(kms.backend.store_keys()):
        found.unwrap(row.wrapped)
    assert node.command("root.finish")["finished"]
    assert {parse(row.wrapped).generation for row in kms.run(kms.backend.store_keys())} == {2}


@pytest.mark.parametrize("by_command", [False, True])
def test_the_older_root_key_stays_until_what_was_wrapped_again_cannot_be_lost(
    node: Node, kms: TestKms, by_command: bool
) -> None:
    """The synchronous standby is away: what is stored can be read, and the next failover loses it."""
    real = kms.backend.commit

    def look(after: float) -> None:
        if by_command:
            node.command("root.finish")
        else:
            node.work(after=after)

    async def unconfirmed(changes: ChangeSet) -> None:
        await real(changes)
        raise OutcomeUnknown("the standby does not answer")

    node.rotate()
    vars(kms.backend)["commit"] = unconfirmed
    for after in range(3):
        with pytest.raises(StoreFailure):
            look(SETTLING + 1 + after)
    assert node.root_key.changing
    vars(kms.backend)["commit"] = real
    look(SETTLING + 9)
    assert not node.root_key.changing


def test_the_older_root_key_stays_when_what_was_wrapped_again_is_lost_meanwhile(
    node: Node, kms: TestKms
) -> None:
    """Another host has taken over between the look and the end."""
    before = kms.run(kms.backend.store_keys())
    node.rotate()
    real = kms.backend.commit
    looks = 0

    async def lost(changes: ChangeSet) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            now = {row.store_key: row.wrapped for row in await kms.backend.store_keys()}
            back = [StoreKeyRewrap(row.store_key, row.wrapped, now[row.store_key]) for row in before]
            await real(ChangeSet(store_keys_rewrapped=back))
        await real(changes)

    vars(kms.backend)["commit"] = lost
    node.work(after=SETTLING + 1)
    assert node.root_key.changing
    node.work(after=SETTLING + 2)
    assert not node.root_key.changing
    for row in kms.run(kms.backend.store_keys()):
        node.root_key.unwrap(row.wrapped)


def test_a_second_rotation_has_to_wait_for_the_first(node: Node) -> None:
    node.rotate()
    with pytest.raises(NothingBegun, match="already"):
        node.rotate()


def test_what_was_announced_takes_over_though_its_own_node_could_not_write_it_down(
    kms: TestKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So whoever asked for it must not be told that nothing was begun."""
    node = Node(kms, tmp_path, shared=True)
    with monkeypatch.context() as full:
        full.setattr(node.root_key, "adopt", lambda _: node.root_key.unwrap(b"nothing"))
        with pytest.raises(RootKeyError):
            node.rotate()
    assert node.root_key.generation == 1
    node.work()
    assert (node.root_key.generation, node.root_key.changing) == (2, True)


def test_a_new_kit_is_wrapped_for_by_the_next_look(node: Node) -> None:
    recipient = Identity.generate().recipient.text
    assert node.command("recovery.create", recipient=recipient) == {"recovery": recipient}
    node.work()
    assert node.command("root.status")["left"] == {}
    rows = node.kms.run(node.kms.backend.store_keys())
    assert all(node.root_key.is_current(row.wrapped) for row in rows)


def test_a_new_kit_is_wrapped_for_whoever_had_the_worker_follow(node: Node, tmp_path: Path) -> None:
    """The command that made it ended before it asked for more; every worker has followed by then."""
    node.work()
    recipient = Identity.generate().recipient.text
    StoredKeyring(place(tmp_path)).set_recovery(recipient)
    assert node.root_key.follow()
    assert node.command("root.status")["left"] != {}
    node.work()
    assert node.command("root.status")["left"] == {}
    (tmp_path / "recovery.pub").unlink()
    assert node.root_key.follow()
    node.work()
    StoredKeyring(place(tmp_path)).set_recovery(recipient)
    assert node.root_key.follow()
    node.work()
    assert node.command("root.status")["left"] == {}


def test_what_a_straggler_wraps_without_the_new_kit_is_found(node: Node, tmp_path: Path) -> None:
    straggler = StoredKeyring(place(tmp_path))
    node.work()
    node.root_key.set_recovery(Identity.generate().recipient.text)
    node.work()
    keys = StoreKeys(straggler)
    node.kms.run(node.kms.backend.commit(ChangeSet(store_keys=[keys.create(1).row])))
    assert node.command("root.status")["left"] == {"store keys": 1}
    node.work(after=1)
    assert node.command("root.status")["left"] == {}


def test_another_node_follows_and_a_late_one_is_not_left_the_key(kms: TestKms, tmp_path: Path) -> None:
    """The announcement goes after an hour, and with it the way from the older root key to the newer."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "root.key").write_bytes((tmp_path / "root.key").read_bytes())
    (tmp_path / "two" / "root.key").chmod(0o600)
    one, two = Node(kms, tmp_path, shared=True), Node(kms, tmp_path / "two", shared=True)
    one.rotate()
    assert one.root_key.waiting
    assert not one.command("root.finish")["finished"], "the other node has not heard of it yet"
    for number in range(3):
        kms.create_symmetric_key(name=f"meanwhile {number}")
    two.work()
    assert (two.root_key.generation, two.spreads) == (2, 1)
    for node in (one, two):
        vars(node.root_key)["_records"][-1] = replace(node.root_key._records[-1], wraps_from=None)
    for node in (one, two):
        node.work(after=SETTLING + 1)
        assert not node.root_key.changing
    entry = kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2)))
    assert entry is not None
    one.work(after=ANNOUNCED_FOR.total_seconds() + 1)
    assert kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2))) is None


def test_a_lost_token_is_noticed_before_anything_needs_it(kms: TestKms, tmp_path: Path, token: Token) -> None:
    made = new("pkcs11", 2, token)
    keyring = opened(tmp_path, new("file"))
    keyring.adopt(keyring.prepare(made.described, made.secret))
    node = Node(kms, tmp_path, shared=False)
    node.work(after=SETTLING + 1)
    assert node.job.problem is None
    token.lose()
    node.work(after=SETTLING + PROBE)
    assert node.job.problem is None, "it is not asked each second"
    node.work(after=SETTLING + 2 * PROBE)
    assert node.job.problem is not None
    assert "goes on by itself" in node.job.problem
    token.find()
    node.work(after=SETTLING + 4 * PROBE)
    assert node.job.problem is None


def test_nothing_is_looked_at_again_while_nothing_changes(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.work()

    async def looked(*_: object) -> int:
        raise AssertionError("it looks at every key each second")

    monkeypatch.setattr(change, "rewrap", looked)
    node.work()


def test_two_workers_that_announce_it_again_at_once_do_not_take_each_other_for_another_node(
    kms: TestKms, tmp_path: Path
) -> None:
    one, _ = two_nodes(kms, tmp_path)
    one.rotate()
    lost = kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2)))
    assert lost is not None
    kms.run(one.store.commit(Changes(entries=[drop(lost)])))
    real = kms.backend.commit

    async def late(changes: ChangeSet) -> None:
        vars(kms.backend)["commit"] = real
        await Node(kms, tmp_path, shared=True).job(datetime.now(UTC))
        await real(changes)

    vars(kms.backend)["commit"] = late
    one.work()
    assert vars(kms.backend)["commit"] is real
    assert kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2))) is not None
    assert one.job.problem is None


def two_nodes(kms: TestKms, folder: Path) -> tuple[Node, Node]:
    """Return two nodes on one store, with the same root key."""
    (folder / "two").mkdir()
    (folder / "two" / "root.key").write_bytes((folder / "root.key").read_bytes())
    (folder / "two" / "root.key").chmod(0o600)
    return Node(kms, folder, shared=True), Node(kms, folder / "two", shared=True)


def finish_on(*nodes: Node) -> None:
    """Let the time pass that nodes give each other."""
    for node in nodes:
        vars(node.root_key)["_records"][-1] = replace(node.root_key._records[-1], wraps_from=None)
    for node in nodes:
        node.work(after=SETTLING + 1)
        assert not node.root_key.changing


def ids(node: Node) -> list[object]:
    return [one["id"] for one in node.root_key.described()]


def test_of_two_root_keys_at_once_one_takes_over_and_nothing_is_left_of_the_other(
    kms: TestKms, tmp_path: Path
) -> None:
    one, two = two_nodes(kms, tmp_path)
    one.rotate()
    with pytest.raises(NothingBegun, match="came first"):
        two.rotate()
    assert {path.name for path in (tmp_path / "two").glob("root*")} == {"root.key", "root.lock"}
    two.work()
    assert ids(one) == ids(two)
    finish_on(one, two)
    assert ids(one) == ids(two)
    assert two.job.problem is None


def test_a_root_key_whose_node_dies_after_its_announcement_takes_over_all_the_same(
    kms: TestKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others may have followed already."""
    one, two = two_nodes(kms, tmp_path)

    def die(_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(one.root_key, "adopt", die)
        with pytest.raises(KeyboardInterrupt):
            one.rotate()
    assert not one.root_key.changing
    two.work()
    one.work()
    assert ids(one) == ids(two)
    assert one.root_key.generation == 2


def test_a_node_that_missed_a_root_key_makes_no_other_one_of_the_same_number(
    kms: TestKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The announcement is over; what is wrapped says that there was one."""
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 2**22)
    one, two = two_nodes(kms, tmp_path)
    two.store._keys.load(kms.run(kms.backend.store_keys()))
    one.rotate()
    finish_on(one)
    one.work(after=ANNOUNCED_FOR.total_seconds() + 1)
    assert kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2))) is None
    with pytest.raises(NothingBegun, match="has not got"):
        two.rotate()
    assert two.root_key.generation == 1


def test_an_announcement_stays_while_something_may_be_under_the_root_key_before(
    kms: TestKms, tmp_path: Path
) -> None:
    """Its number is not free before what is wrapped says so."""
    one, _ = two_nodes(kms, tmp_path)
    one.rotate()
    one.work(after=ANNOUNCED_FOR.total_seconds() + 1)
    assert one.root_key.waiting
    assert kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2))) is not None


def test_two_root_keys_of_one_number_are_a_problem(kms: TestKms, tmp_path: Path) -> None:
    """As an older release could make them."""
    one, two = two_nodes(kms, tmp_path)
    made = new("file", 2)
    two.root_key.adopt(two.root_key.prepare(made.described, made.secret))
    one.rotate()
    two.work()
    assert two.job.problem is not None
    assert "another server announced" in two.job.problem
    one.work()
    assert one.job.problem is None


def test_everybody_here_gets_the_time_to_hear_of_a_root_key_that_was_made_earlier(node: Node) -> None:
    """The command that makes it may have to wait until the server has time for it."""
    made = new("file", 2)
    assert made.secret is not None
    node.command(
        "root.rotate",
        record={**made.described, "created_at": 1},
        secret=base64.b64encode(made.secret.reveal()).decode(),
    )
    node.work()
    assert node.root_key.changing


def test_a_node_that_was_away_for_two_changes_follows_both(
    kms: TestKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 2**22)
    one, two = two_nodes(kms, tmp_path)
    two.store._keys.load(kms.run(kms.backend.store_keys()))
    for _ in range(2):
        one.rotate()
        finish_on(one)
    two.work()
    assert two.root_key.generation == 3
    assert two.spreads == 1
    assert two.job.problem is None
    finish_on(two)
    assert ids(one) == ids(two)
    for row in kms.run(kms.backend.store_keys()):
        two.root_key.unwrap(row.wrapped)


def test_a_node_that_cannot_follow_says_so(kms: TestKms, tmp_path: Path) -> None:
    """The announcement is sealed under a store key that it has never opened, or its root key is another."""
    one, two = two_nodes(kms, tmp_path)
    one.rotate()
    finish_on(one)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    begin(stranger, new("file"))
    for node in (two, Node(kms, stranger, shared=True)):
        node.work()
        assert node.job.problem is not None
        assert "another root key" in node.job.problem


def test_a_node_that_was_away_until_the_announcement_was_over_says_so(kms: TestKms, tmp_path: Path) -> None:
    """Also where it has looked before, and found all in order."""
    one, two = two_nodes(kms, tmp_path)
    two.work()
    assert two.job.problem is None
    one.rotate()
    finish_on(one)
    gone = ANNOUNCED_FOR.total_seconds() + 1
    one.work(after=gone)
    two.work(after=gone)
    assert two.job.problem is not None
    assert "another root key" in two.job.problem


def test_an_announcement_that_a_failover_has_lost_is_made_again(kms: TestKms, tmp_path: Path) -> None:
    """Its node has it, so the others need it: they could otherwise not open what that one wraps."""
    one, two = two_nodes(kms, tmp_path)
    one.rotate()
    lost = kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2)))
    assert lost is not None
    kms.run(one.store.commit(Changes(entries=[drop(lost)])))
    two.work()
    assert two.root_key.generation == 1
    one.work()
    two.work()
    assert ids(one) == ids(two)
    finish_on(one, two)
    one.work(after=ANNOUNCED_FOR.total_seconds() + 1)
    assert kms.run(one.store.load_entry(RootHandover, SYSTEM_TENANT, place_of(2))) is None


def test_an_announcement_of_another_installation_goes_when_it_is_over(kms: TestKms, tmp_path: Path) -> None:
    """A store that was restored from a backup has it; nothing is under the root key that it speaks of."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    begin(stranger, new("file"))
    made, elsewhere = new("file", 2), StoredKeyring(place(stranger))
    node, now = Node(kms, tmp_path, shared=True), datetime.now(UTC)
    prepared = elsewhere.prepare(made.described, made.secret)
    kms.run(announce_to_nodes(prepared, node.store, now))
    node.work()
    assert node.job.problem is not None
    for later in (1, 2):
        node.work(after=later * ANNOUNCED_FOR.total_seconds() + 1)
    assert node.job.problem is None
    node.rotate()


def test_a_worker_goes_on_while_another_process_changes_root_keys(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.rotate()
    node.work()
    wait = node.root_key.wait_for_others

    async def work() -> None:
        waiting, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell_and_wait() -> None:
            loop.call_soon_threadsafe(waiting.set)
            wait()

        monkeypatch.setattr(node.root_key, "wait_for_others", tell_and_wait)
        with place(node.directory.path).locked():
            job = asyncio.create_task(node.job(datetime.now(UTC) + timedelta(seconds=SETTLING + 1)))
            await waiting.wait()
            assert node.root_key.changing
        await job

    node.kms.run(work())
    assert not node.root_key.changing


def test_a_command_is_for_nothing_while_another_process_hangs_in_changing_root_keys(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "PATIENCE", 0.0)
    with node.directory.root_keys_alone():
        for command in (
            node.rotate,
            lambda: node.command("recovery.create", recipient=Identity.generate().recipient.text),
        ):
            with pytest.raises(NothingBegun, match=f"process {os.getpid()} changes root keys"):
                command()
    assert (node.root_key.changing, node.root_key.recovery) == (False, None)
