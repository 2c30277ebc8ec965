"""One root key takes over from another, in a data directory (fault 40)."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError, RootKeySealed, WrongRootKey
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import file
from strongroom.rootkey.record import from_file, to_file
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.process import fork, run_apart
from tests.unit.rootkey.conftest import KEY, NEXT_PASSPHRASE, PASSPHRASE, begin, new, opened, place


class Killed(BaseException):
    """The process ends here."""


def announced(folder: Path) -> StoredKeyring:
    root = begin(folder, new("file"))
    made = new("file", 2)
    root.adopt(root.prepare(made.described, made.secret))
    return root


def test_while_one_takes_over_both_open_and_the_newer_wraps(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    old = root.wrap(KEY)
    made = new("file", 2)
    root.adopt(root.prepare(made.described, made.secret))
    assert (root.changing, root.generation) == (True, 2)
    found = StoredKeyring(place(tmp_path))
    assert found.unwrap(old) == found.unwrap(root.wrap(KEY)) == KEY


def test_another_process_follows_when_it_meets_what_it_cannot_open(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    bystander = StoredKeyring(place(tmp_path))
    made = new("passphrase", 2)
    root.adopt(root.prepare(made.described, made.secret))
    assert bystander.unwrap(root.wrap(KEY)) == KEY
    assert bystander.generation == 2
    assert not bystander.follow(), "there is nothing more to follow"


def test_once_it_is_complete_the_old_key_is_gone_and_not_needed(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    before, wrapped = file.read(tmp_path / "root.key"), root.wrap(KEY)
    made = new("file", 2)
    root.adopt(root.prepare(made.described, made.secret))
    root.complete(root.state)
    assert file.read(tmp_path / "root.key") == made.secret
    assert not any(before.reveal() in path.read_bytes() for path in tmp_path.iterdir())
    assert [path.name for path in tmp_path.glob("root*.key")] == ["root.key"]
    with pytest.raises(WrongRootKey):
        StoredKeyring(place(tmp_path)).unwrap(wrapped)


def test_no_key_file_stays_when_the_provider_changes(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    made = new("passphrase", 2)
    root.adopt(root.prepare(made.described, made.secret))
    assert (tmp_path / "root.key").exists(), "it is needed until it is complete"
    root.complete(root.state)
    assert not list(tmp_path.glob("root*.key"))
    assert "handover" not in (tmp_path / "root.json").read_text()


def test_the_handover_is_for_the_older_root_key_alone(tmp_path: Path) -> None:
    """It lies in root.json while one takes over; the recovery kit has no part in it."""
    root = begin(tmp_path, new("passphrase"))
    made = new("shares", 2)
    assert made.secret is not None
    root.adopt(root.prepare(made.described, made.secret))
    content = (tmp_path / "root.json").read_bytes()
    assert made.secret.reveal() not in content
    sealed = StoredKeyring(place(tmp_path))
    assert sealed.sealed
    sealed.give_passphrase(PASSPHRASE)
    assert not sealed.sealed


@pytest.mark.parametrize("provider", ["file", "passphrase", "shares"])
def test_a_rotation_that_is_killed_before_anything_knows_of_it_never_was(
    tmp_path: Path, provider: str
) -> None:
    root = begin(tmp_path, new("file"))
    wrapped = root.wrap(KEY)

    def die(path: Path, content: bytes) -> None:
        raise Killed

    dying = StoredKeyring(place(tmp_path))
    vars(dying)["_place"] = _with(tmp_path, die)
    made = new(provider, 2)
    with pytest.raises(Killed):
        dying.adopt(dying.prepare(made.described, made.secret))
    found = StoredKeyring(place(tmp_path))
    assert (found.generation, found.changing) == (1, False)
    assert found.unwrap(wrapped) == KEY
    again = new("file", 2)
    found.adopt(found.prepare(again.described, again.secret))
    found.complete(found.state)
    assert file.read(tmp_path / "root.key") == again.secret


def test_a_kill_between_the_record_and_the_key_file_at_the_end_is_finished(tmp_path: Path) -> None:
    root = announced(tmp_path)
    wrapped = root.wrap(KEY)

    def die(path: Path, content: bytes) -> None:
        raise Killed

    dying = StoredKeyring(place(tmp_path))
    vars(dying)["_place"] = _with(tmp_path, die)
    with pytest.raises(Killed):
        dying.complete(dying.state)
    assert StoredKeyring(place(tmp_path)).unwrap(wrapped) == KEY
    new_file = tmp_path / "root-2.key"
    (tmp_path / "root.json").write_bytes(_record_of_the_newest(tmp_path))
    assert new_file.exists(), "killed between the record and the key file"
    found = StoredKeyring(place(tmp_path))
    assert not found.changing
    assert found.unwrap(wrapped) == KEY
    found.complete(found.state)
    assert [path.name for path in tmp_path.glob("root*.key")] == ["root.key"]
    assert StoredKeyring(place(tmp_path)).unwrap(wrapped) == KEY


def _record_of_the_newest(folder: Path) -> bytes:
    records = from_file((folder / "root.json").read_bytes(), "root.json")
    return to_file([records[-1].settled()])


def _with(folder: Path, write: Callable[[Path, bytes], None]) -> object:
    return replace(place(folder), write=write)


def test_what_the_disk_refuses_is_an_error_of_the_root_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one that nobody foresaw: the command says it, and is given again."""
    root = announced(tmp_path)

    def fail(self: Path, _: object) -> Path:
        raise OSError(errno.EIO, "Input/output error", str(self))

    with monkeypatch.context() as failing:
        failing.setattr(Path, "replace", fail)
        with pytest.raises(RootKeyError, match=r"cannot change .*root-2\.key: Input/output error"):
            root.complete(root.state)
    root.follow()
    assert (root.generation, root.changing) == (2, False)
    root.complete(root.state)
    assert [path.name for path in tmp_path.glob("root*.key")] == ["root.key"]


def test_two_do_not_take_over_at_once(tmp_path: Path) -> None:
    root = announced(tmp_path)
    third = new("file", 3)
    with pytest.raises(RootKeyError, match="already"):
        root.adopt(root.prepare(third.described, third.secret))


def test_one_that_was_made_for_an_older_state_does_not_take_over(tmp_path: Path) -> None:
    root = announced(tmp_path)
    root.complete(root.state)
    late = new("file", 2)
    with pytest.raises(RootKeyError, match="came first"):
        root.adopt(root.prepare(late.described, late.secret))


def test_a_record_of_one_key_with_another_key_is_refused(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    with pytest.raises(RootKeyError, match="not the one of its record"):
        root.prepare(new("file", 2).described, new("file", 2).secret)
    assert not (tmp_path / "root.json").exists()


def test_a_root_key_that_does_not_stay_elsewhere_comes_with_its_secret(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    with pytest.raises(RootKeyError, match="is missing"):
        root.prepare(new("passphrase", 2).described, None)


def test_a_process_looks_what_others_have_done_before_it_prepares(tmp_path: Path) -> None:
    late = begin(tmp_path, new("file"))
    other = StoredKeyring(place(tmp_path))
    made = new("file", 2)
    other.adopt(other.prepare(made.described, made.secret))
    other.complete(other.state)
    again = new("file", 2)
    with pytest.raises(RootKeyError, match="came first"):
        late.prepare(again.described, again.secret)


def test_a_sealed_server_neither_prepares_nor_adopts(tmp_path: Path) -> None:
    root, made = begin(tmp_path, new("passphrase")), new("passphrase", 2)
    prepared = root.prepare(made.described, made.secret)
    found = StoredKeyring(place(tmp_path))
    for refused in (lambda: found.prepare(made.described, made.secret), lambda: found.adopt(prepared)):
        with pytest.raises(RootKeySealed):
            refused()
    assert not root.changing


def test_a_node_does_not_follow_what_its_own_root_key_has_not_wrapped(tmp_path: Path) -> None:
    """Neither could it open the new one, nor would it have its own for long."""
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    one, other = (begin(folder, new("passphrase")) for folder in folders)
    made = new("passphrase", 2)
    with pytest.raises(WrongRootKey, match="announced by a server whose root key is another one"):
        other.adopt(one.prepare(made.described, made.secret))
    assert (other.generation, other.sealed) == (1, False)


def test_completing_twice_is_completing_once(tmp_path: Path) -> None:
    root, other = announced(tmp_path), StoredKeyring(place(tmp_path))
    root.complete(root.state)
    other.complete(other.state)
    assert not StoredKeyring(place(tmp_path)).changing


def test_a_late_completion_does_not_undo_the_next_rotation(tmp_path: Path) -> None:
    """Both look at the record under one lock."""
    root, late = announced(tmp_path), StoredKeyring(place(tmp_path))
    root.complete(root.state)
    made = new("file", 3)
    root.adopt(root.prepare(made.described, made.secret))
    assert late.generation == 2
    assert not late.complete(late.state)
    assert (late.generation, late.changing) == (3, True)
    assert StoredKeyring(place(tmp_path)).changing


def test_what_was_found_before_a_newer_root_key_came_does_not_let_go_of_the_older(tmp_path: Path) -> None:
    """Nothing is left to wrap for who knows of one root key; everything is, once there is another."""
    root = begin(tmp_path, new("file"))
    wrapped, late = root.wrap(KEY), StoredKeyring(place(tmp_path))
    judged = late.state
    made = new("file", 2)
    root.adopt(root.prepare(made.described, made.secret))
    assert not late.complete(judged)
    assert StoredKeyring(place(tmp_path)).changing
    assert StoredKeyring(place(tmp_path)).unwrap(wrapped) == KEY


def test_another_node_follows_with_the_announcement_and_the_older_root_key(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = new("file")
    one, two = begin(tmp_path / "one", first), begin(tmp_path / "two", first)
    made = new("file", 2)
    prepared = one.prepare(made.described, made.secret)
    one.adopt(prepared)
    assert two.adopt(prepared)
    assert not two.adopt(prepared)
    assert two.unwrap(one.wrap(KEY)) == KEY
    two.complete(two.state)
    assert opened(tmp_path / "two", made).unwrap(one.wrap(KEY)) == KEY


def test_a_node_that_was_away_follows_one_root_key_after_the_other(tmp_path: Path) -> None:
    """The others have done with the second one by then, and nothing but its announcement opens the third."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = new("file")
    one, two = begin(tmp_path / "one", first), begin(tmp_path / "two", first)
    wrapped, announced = [one.wrap(KEY)], []
    for generation, provider in enumerate(("file", "passphrase", "file"), 2):
        made = new(provider, generation)
        announced.append(one.prepare(made.described, made.secret))
        one.adopt(announced[-1])
        one.complete(one.state)
        wrapped.append(one.wrap(KEY))
    for prepared in announced:
        assert two.adopt(prepared)
        for node in (two, StoredKeyring(place(tmp_path / "two"))):
            assert all(node.unwrap(one) == KEY for one in wrapped[: node.generation])
            assert node.is_current(node.wrap(KEY))
    assert two.complete(two.state)
    assert [root["generation"] for root in two.described()] == [4]
    assert opened(tmp_path / "two", made).unwrap(wrapped[-1]) == KEY
    assert [path.name for path in (tmp_path / "two").glob("root*.key")] == ["root.key"]
    with pytest.raises(WrongRootKey):
        two.unwrap(wrapped[0])


def test_the_announcement_is_no_use_without_the_older_root_key(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, stranger = begin(tmp_path / "one", new("file")), begin(tmp_path / "other", new("file"))
    made = new("file", 2)
    prepared = one.prepare(made.described, made.secret)
    with pytest.raises(RootKeyError):
        stranger.adopt(prepared)
    assert stranger.generation == 1


def test_a_new_root_key_does_not_wrap_before_other_nodes_have_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = new("file")
    one, two = begin(tmp_path / "one", first), begin(tmp_path / "two", first)
    made = new("file", 2)
    soon = int(time.time()) + 1000
    prepared = one.prepare(made.described, made.secret, wraps_from=soon)
    one.adopt(prepared)
    wrapped = one.wrap(KEY)
    assert one.waiting
    assert two.unwrap(wrapped) == KEY, "which has not heard of it"
    two.adopt(prepared)
    vars(one)["_records"][-1] = replace(one._records[-1], wraps_from=int(time.time()))
    assert not one.waiting
    assert two.unwrap(one.wrap(KEY)) == KEY
    assert not two.is_current(wrapped)


@pytest.mark.parametrize("ahead", [-600, 600])
def test_another_node_gives_the_others_the_time_too_though_its_clock_says_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, made = new("file"), new("file", 2)
    one, two = begin(tmp_path / "one", first), begin(tmp_path / "two", first)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    prepared = one.prepare(made.described, made.secret, wraps_from=int(now) + 5)
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    two.adopt(prepared)
    assert two.waiting
    monkeypatch.setattr(time, "time", lambda: now + ahead + 6)
    assert not two.waiting
    again = StoredKeyring(place(tmp_path / "one"))
    again.adopt(two.prepared)  # a failover has lost the first announcement
    assert again.waiting


def test_what_was_wrapped_for_an_older_kit_is_not_current(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    without = root.wrap(KEY)
    kits = Identity.generate(), Identity.generate()
    root.set_recovery(kits[0].recipient.text)
    assert not root.is_current(without)
    first = root.wrap(KEY)
    assert root.is_current(first)
    root.set_recovery(kits[1].recipient.text)
    assert not root.is_current(first)
    assert root.unwrap(first) == root.unwrap(without) == KEY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"version": 1, "root_keys": []}',
        b'{"version": 1, "root_keys": [{}]}',
        b'{"version": 1, "root_keys": 3}',
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: bytes) -> None:
    begin(tmp_path, new("file"))
    (tmp_path / "root.json").write_bytes(content)
    with pytest.raises(RootKeyError, match=r"root\.json is damaged"):
        StoredKeyring(place(tmp_path))


@pytest.mark.parametrize("generations", [(0,), (-1,), (2**32,), (2, 1), (1, 1)])
def test_records_in_an_order_that_cannot_be_are_refused(tmp_path: Path, generations: tuple[int, ...]) -> None:
    records = [replace(new("file").record, generation=generation) for generation in generations]
    (tmp_path / "root.json").write_bytes(to_file(records))
    with pytest.raises(RootKeyError, match=r"root\.json is damaged"):
        StoredKeyring(place(tmp_path))


def test_a_record_of_a_newer_release_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text(json.dumps({"version": 2, "root_keys": []}))
    with pytest.raises(RootKeyError, match="newer Strongroom"):
        StoredKeyring(place(tmp_path))


def test_the_wrong_key_file_is_named_with_the_one_that_is_needed(tmp_path: Path) -> None:
    root = announced(tmp_path)
    root.complete(root.state)
    (tmp_path / "root.key").unlink()
    file.create(tmp_path / "root.key")
    with pytest.raises(WrongRootKey, match="restore that one"):
        StoredKeyring(place(tmp_path))


def test_what_opens_another_root_key_than_the_one_of_the_record_opens_nothing(tmp_path: Path) -> None:
    made, other = new("passphrase"), new("passphrase")
    place(tmp_path).write_first(replace(made.record, id=other.record.id), made.secret)
    keyring = StoredKeyring(place(tmp_path))
    with pytest.raises(WrongRootKey, match="this opens root key"):
        keyring.give_passphrase(PASSPHRASE)
    assert keyring.sealed


def test_a_server_that_is_sealed_again_has_forgotten_what_opened_it(tmp_path: Path) -> None:
    """Neither a root key, nor a share that waits for another one."""
    keyring = begin(tmp_path, new("shares"))
    wrapped, newest = keyring.wrap(KEY), keyring._records[-1].id
    assert keyring._parent.has(newest)
    keyring.close()
    assert not keyring._parent.has(newest)
    for refused in (lambda: keyring.wrap(KEY), lambda: keyring.unwrap(wrapped)):
        with pytest.raises(RootKeySealed):
            refused()
    keyring.reopen()
    assert keyring.sealed


def test_a_share_that_was_brought_before_a_server_was_sealed_again_has_to_be_brought_again(
    tmp_path: Path,
) -> None:
    made = new("shares")
    begin(tmp_path, made)
    keyring = StoredKeyring(place(tmp_path))
    keyring.give_share(made.shares[0].reveal().decode())
    assert keyring.collected == (1, 2)
    keyring.close()
    keyring.reopen()
    assert keyring.collected == (0, 2)


def test_shares_of_two_root_keys_are_told_apart(tmp_path: Path) -> None:
    first, second = new("shares"), new("shares", 2)
    keyring = begin(tmp_path, first)
    keyring.adopt(keyring.prepare(second.described, second.secret))
    found = StoredKeyring(place(tmp_path))
    for made in (second, first):
        assert found.sealed
        for share in made.shares[:2]:
            found.give_share(share.reveal().decode())
    assert found.unwrap(keyring.wrap(KEY)) == KEY


def test_a_failed_look_changes_nothing(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    wrapped = root.wrap(KEY)
    (tmp_path / "root.json").write_bytes(b"half a file")
    with pytest.raises(RootKeyError):
        root.follow()
    assert root.unwrap(wrapped) == KEY
    assert root.generation == 1


def test_the_older_root_key_stays_until_the_process_that_forks_others_has_the_newer(tmp_path: Path) -> None:
    """Workers that start have their root keys from it, and the way from the older one would be gone."""
    parent = begin(tmp_path, new("passphrase"))
    phrase = new("passphrase", 2, phrase=NEXT_PASSPHRASE)

    def take_over() -> None:
        parent.adopt(parent.prepare(phrase.described, phrase.secret))

    def let_go() -> None:
        parent.follow()
        with pytest.raises(RootKeyError, match="server status"):
            parent.complete(parent.state)

    def let_go_later() -> None:
        parent.follow()
        assert parent.complete(parent.state)

    def stay() -> None: ...

    assert run_apart(take_over, stay)
    assert run_apart(let_go, stay)
    assert StoredKeyring(place(tmp_path)).changing
    assert parent.follow()
    assert run_apart(let_go_later, stay)
    assert parent.follow()
    assert (parent.changing, parent.sealed) == (False, False)


def test_the_older_root_key_stays_while_the_process_that_forks_others_waits_for_the_newer(
    tmp_path: Path,
) -> None:
    """It has missed both, say, and has the newest as soon as somebody brings it."""
    parent = begin(tmp_path, new("passphrase"))
    elsewhere = StoredKeyring(place(tmp_path))
    elsewhere.give_passphrase(PASSPHRASE)
    second, third = new("passphrase", 2, phrase=NEXT_PASSPHRASE), new("passphrase", 3)
    elsewhere.adopt(elsewhere.prepare(second.described, second.secret))
    elsewhere.complete(elsewhere.state)
    parent.follow()
    assert parent.sealed
    elsewhere.adopt(elsewhere.prepare(third.described, third.secret))

    def open_and_let_go() -> None:
        parent.give_passphrase(NEXT_PASSPHRASE)
        assert not parent.sealed
        with pytest.raises(RootKeyError, match="server status"):
            parent.complete(parent.state)

    def let_go() -> None:
        assert parent.complete(parent.state)

    def stay() -> None: ...

    parent.follow()
    assert run_apart(open_and_let_go, stay)
    parent.give_passphrase(NEXT_PASSPHRASE)
    assert run_apart(let_go, stay)


def test_root_keys_that_are_read_again_are_used_meanwhile_as_they_were(tmp_path: Path) -> None:
    """Another thread may be at it: a token that is probed, somebody who joins."""
    root = begin(tmp_path, new("file"))
    wrapped, used = root.wrap(KEY), list[SecretBytes]()

    def asked() -> SecretBytes | None:
        used.append(root.unwrap(wrapped))
        assert not root.sealed
        return PASSPHRASE

    vars(root)["_place"] = replace(place(tmp_path), passphrase=asked)
    other = StoredKeyring(place(tmp_path))
    made = new("passphrase", 2)
    other.adopt(other.prepare(made.described, made.secret))
    other.complete(other.state)
    assert root.follow()
    assert used == [KEY]
    assert root.generation == 2
    assert not root.sealed


def test_a_process_knows_that_it_was_left_behind_by_the_one_that_forks_others(tmp_path: Path) -> None:
    parent = begin(tmp_path, new("passphrase"))
    held_up, go_on = os.pipe()

    def be_late() -> None:
        assert not parent.left_behind
        os.read(held_up, 1)
        parent.follow()
        assert parent.left_behind

    late = fork(be_late)
    elsewhere = StoredKeyring(place(tmp_path))
    elsewhere.give_passphrase(PASSPHRASE)
    made = new("passphrase", 2, phrase=NEXT_PASSPHRASE)
    elsewhere.adopt(elsewhere.prepare(made.described, made.secret))
    parent.follow()
    elsewhere.complete(elsewhere.state)
    parent.follow()
    os.write(go_on, b"x")
    _, status = os.waitpid(late, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not parent.left_behind


def test_who_changes_root_keys_and_does_not_finish_is_named_and_not_waited_for(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    named = pytest.raises(RootKeyError, match=f"process {os.getpid()} changes")
    with place(tmp_path).locked(), named, place(tmp_path).locked(patience=0.0):
        pass
    root.wait_for_others()


def test_a_full_disk_keeps_nobody_from_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = begin(tmp_path, new("file"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    assert root.complete(root.state)
