"""Who guesses has to wait (fault 36)."""

import errno
import os
from pathlib import Path

import pytest

from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.errors import Denied
from strongroom.server.root.attempts import FREE, LONGEST_PAUSE, Attempts
from strongroom.server.root.bringing import bring
from tests.unit.rootkey.conftest import NEXT_PASSPHRASE, PASSPHRASE, new, place

NOW = 1_800_000_000


def refused(path: Path, times: int, *, at: int = NOW) -> Attempts:
    attempts = Attempts(path)
    for _ in range(times):
        attempts.refuse(at, "wrong")
    return attempts


def test_a_few_mistakes_cost_no_time(tmp_path: Path) -> None:
    refused(tmp_path / "unseal.json", FREE - 1).check(NOW)


def test_then_each_one_doubles_the_pause(tmp_path: Path) -> None:
    for more in range(6):
        attempts = refused(tmp_path / f"{more}.json", FREE + more)
        with pytest.raises(Denied, match="wait"):
            attempts.check(NOW + 2**more - 1)
        attempts.check(NOW + 2**more)


def test_the_pause_has_an_end(tmp_path: Path) -> None:
    attempts = refused(tmp_path / "unseal.json", 1000)
    with pytest.raises(Denied):
        attempts.check(NOW + LONGEST_PAUSE - 1)
    attempts.check(NOW + LONGEST_PAUSE)


def test_a_restart_gives_nobody_more_attempts(tmp_path: Path) -> None:
    refused(tmp_path / "unseal.json", FREE + 5)
    with pytest.raises(Denied):
        Attempts(tmp_path / "unseal.json").check(NOW + 1)


def test_a_clock_that_was_set_back_does_not_shorten_it(tmp_path: Path) -> None:
    with pytest.raises(Denied):
        refused(tmp_path / "unseal.json", FREE + 5).check(NOW - 10_000)


def test_a_clock_that_was_set_back_does_not_make_it_last_until_it_is_as_late_again(tmp_path: Path) -> None:
    refused(tmp_path / "unseal.json", FREE + 5)
    after = Attempts(tmp_path / "unseal.json")
    early = NOW - 4 * 365 * 86_400
    with pytest.raises(Denied, match="wait 32 s"):
        after.check(early)
    with pytest.raises(Denied, match="wait 1 s"):
        after.check(early + 31)
    after.check(early + 32)


def test_success_forgives(tmp_path: Path) -> None:
    refused(tmp_path / "unseal.json", FREE + 5).succeed()
    after = Attempts(tmp_path / "unseal.json")
    after.check(NOW)
    assert after.refused == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"refused": "x", "last": 0}', b"[1]"])
def test_a_damaged_file_is_no_way_to_more_attempts(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "unseal.json"
    path.write_bytes(content)
    attempts = Attempts(path)
    attempts.refuse(NOW, "wrong")
    with pytest.raises(Denied):
        attempts.check(NOW + 1)


def test_what_the_server_knows_itself_is_nobodys_attempt(tmp_path: Path) -> None:
    """It knows a passphrase that does not fit any more; or one that is enough, whatever is brought."""
    made = new("passphrase", phrase=NEXT_PASSPHRASE)
    place(tmp_path).write_first(made.record, made.secret)
    keyring = StoredKeyring(place(tmp_path))
    attempts = Attempts(tmp_path / "unseal.json")
    vars(keyring)["_place"] = place(tmp_path, PASSPHRASE)
    bring(keyring, attempts, {})
    assert keyring.sealed
    bring(keyring, attempts, {"passphrase": NEXT_PASSPHRASE.reveal().decode()})
    assert not keyring.sealed
    keyring.close()
    vars(keyring)["_place"] = place(tmp_path, NEXT_PASSPHRASE)
    bring(keyring, attempts, {"passphrase": NEXT_PASSPHRASE.reveal().decode()})
    assert not keyring.sealed
    assert attempts.refused == 0


def test_a_file_that_cannot_be_removed_keeps_nobody_from_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts(tmp_path / "unseal.json")
    attempts.refuse(NOW, "wrong")

    def unlink(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", unlink)
    attempts.succeed()
    assert attempts.refused == 0
