"""`recovery.pub` counts only as the root key has sealed it: whoever writes another recipient gets nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError, RootKeySealed
from strongroom.rootkey.envelope import ForRecovery, parse
from strongroom.rootkey.making import NewRoot
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from tests.unit.rootkey.conftest import KEY, begin, new, opened, place

KIT, THIEF = Identity.generate(), Identity.generate()


def file(folder: Path) -> Path:
    return folder / "recovery.pub"


def older(folder: Path, *witnesses: bytes) -> StoredKeyring:
    """Return the root keys of a folder, in a file, as a process finds them at its start."""
    return StoredKeyring(replace(place(folder), witnesses=lambda: witnesses))


def wrapped_for(keyring: StoredKeyring) -> Identity | None:
    """Return for whose kit it wraps, None for nobody's; raises RootKeyError."""
    recovery = parse(keyring.wrap(KEY)).recovery
    if recovery is None:
        return None
    (whose,) = (one for one in (KIT, THIEF) if one.recipient.tag == recovery.tag)
    assert whose.open(recovery) == KEY
    return whose


def test_what_the_root_key_has_sealed_is_believed_after_a_restart(
    make_root: Callable[[int], NewRoot], tmp_path: Path
) -> None:
    made = make_root(1)
    assert wrapped_for(begin(tmp_path, made, recipient=KIT.recipient.text)) is KIT
    keyring = opened(tmp_path, made)
    assert keyring.prove_recovery() == keyring.recovery == KIT.recipient.text
    assert wrapped_for(keyring) is KIT


def test_without_a_kit_nothing_has_to_be_proved(tmp_path: Path) -> None:
    keyring = begin(tmp_path, new("file"))
    assert keyring.prove_recovery() is None
    assert wrapped_for(keyring) is None


@pytest.mark.parametrize("running", [False, True], ids=["at the start", "while it runs"])
@pytest.mark.parametrize("sealed", [False, True], ids=["without a seal", "with the old seal"])
def test_nothing_is_wrapped_for_another_recipient(tmp_path: Path, sealed: bool, running: bool) -> None:
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    before = keyring.wrap(KEY)
    content = file(tmp_path).read_text().replace(KIT.recipient.text, THIEF.recipient.text)
    file(tmp_path).write_text(content if sealed else f"{THIEF.recipient.text}\n")
    if running:
        keyring.follow()
    else:
        keyring = older(tmp_path, before)
    for use in (lambda: keyring.wrap(KEY), keyring.prove_recovery):
        with pytest.raises(RootKeyError, match="recovery create"):
            use()
    assert keyring.unwrap(before) == KEY, "what is open stays open"
    keyring.set_recovery(KIT.recipient.text)
    assert wrapped_for(keyring) is KIT


def test_a_seal_of_another_root_key_is_worth_nothing(tmp_path: Path) -> None:
    """Such as one of the thief's own making."""
    (tmp_path / "other").mkdir()
    begin(tmp_path / "other", new("file"), recipient=THIEF.recipient.text)
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    file(tmp_path).write_bytes(file(tmp_path / "other").read_bytes())
    keyring.follow()
    with pytest.raises(RootKeyError, match="has not sealed"):
        keyring.wrap(KEY)


def test_no_other_wrapped_key_passes_for_a_seal(tmp_path: Path) -> None:
    """Somebody who reads the database has many, and knows none of the keys."""
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    (tmp_path / "other").mkdir()
    begin(tmp_path / "other", new("file"), recipient=THIEF.recipient.text)
    forged = file(tmp_path / "other").read_text().split("# seal ")
    wrapped = file(tmp_path).read_text().split("# seal ")[1].split()[0]
    file(tmp_path).write_text(f"{forged[0]}# seal {wrapped} {forged[1].split()[1]}\n")
    keyring.follow()
    with pytest.raises(RootKeyError, match="has not sealed"):
        keyring.wrap(KEY)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"age1wrong\n", b"# seal x y z\n", b"two\nlines\n"], ids=repr
)
@pytest.mark.parametrize("running", [False, True], ids=["at the start", "while it runs"])
def test_what_cannot_be_read_is_refused_with_the_cure(tmp_path: Path, content: bytes, running: bool) -> None:
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    before = keyring.wrap(KEY)
    file(tmp_path).write_bytes(content)
    if running:
        keyring.follow()
    else:
        keyring = older(tmp_path)
    for use in (lambda: keyring.wrap(KEY), keyring.prove_recovery):
        with pytest.raises(RootKeyError, match="remove it, and make a new kit"):
            use()
    assert keyring.recovery == "unreadable"
    assert keyring.unwrap(before) == KEY, "what is open stays open"
    assert keyring.is_current(before)
    keyring.set_recovery(KIT.recipient.text)
    assert wrapped_for(keyring) is KIT


def test_what_could_not_be_read_for_a_moment_counts_again(tmp_path: Path) -> None:
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    away = file(tmp_path).rename(tmp_path / "away")
    file(tmp_path).mkdir()
    keyring.follow()
    with pytest.raises(RootKeyError, match="cannot read"):
        keyring.wrap(KEY)
    file(tmp_path).rmdir()
    away.rename(file(tmp_path))
    keyring.follow()
    assert wrapped_for(keyring) is KIT


def test_it_is_sealed_again_when_the_root_key_is_replaced(tmp_path: Path) -> None:
    """By whoever goes through the places; here nobody has, so the older root key is still needed."""
    made = new("file")
    keyring = begin(tmp_path, made, recipient=KIT.recipient.text)
    second = new("file", 2)
    keyring.adopt(keyring.prepare(second.described, second.secret))
    assert wrapped_for(keyring) is KIT
    keyring.complete(keyring.state)
    with pytest.raises(RootKeyError, match="has not sealed"):
        opened(tmp_path, second).wrap(KEY)


def test_one_of_an_older_release_is_sealed_when_a_wrapped_key_vouches_for_it(tmp_path: Path) -> None:
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    wrapped = keyring.wrap(KEY)
    file(tmp_path).write_text(f"{KIT.recipient.text}\n")
    upgraded = older(tmp_path, b"damaged", wrapped)
    assert upgraded.prove_recovery() == KIT.recipient.text
    assert "# seal " in file(tmp_path).read_text()
    assert older(tmp_path).prove_recovery() == KIT.recipient.text, "from now on nothing has to vouch for it"
    assert keyring.follow(), "other processes follow"
    assert wrapped_for(keyring) is KIT


def test_nothing_but_the_root_key_vouches_for_one_of_an_older_release(tmp_path: Path) -> None:
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    wrapped = keyring.wrap(KEY)
    file(tmp_path).unlink()
    keyring.follow()
    plain = keyring.wrap(KEY)
    recovery = parse(wrapped).recovery
    assert recovery is not None
    # The copy for the kit, exchanged for one of the thief's; and one that another root key has wrapped.
    forged = wrapped[: -len(recovery.tag + recovery.sealed)] + b"".join(
        ForRecovery(THIEF.recipient.tag, THIEF.recipient.seal(KEY).sealed)
    )
    (tmp_path / "other").mkdir()
    foreign = begin(tmp_path / "other", new("file"), recipient=THIEF.recipient.text).wrap(KEY)
    file(tmp_path).write_text(f"{THIEF.recipient.text}\n")
    for witnesses in ((), (wrapped, plain), (forged,), (foreign,)):
        with pytest.raises(RootKeyError, match="nothing is wrapped for this recipient"):
            older(tmp_path, *witnesses).wrap(KEY)
    assert file(tmp_path).read_text() == f"{THIEF.recipient.text}\n"


def test_a_sealed_server_believes_nothing_yet(tmp_path: Path) -> None:
    begin(tmp_path, new("passphrase"), recipient=KIT.recipient.text)
    keyring = StoredKeyring(place(tmp_path))
    assert keyring.recovery == KIT.recipient.text
    with pytest.raises(RootKeySealed):
        keyring.prove_recovery()


def test_when_the_file_is_gone_what_was_wrapped_for_the_kit_is_left_alone(tmp_path: Path) -> None:
    """Else whoever removes it makes the kit worthless, and nobody notices until the day it is needed."""
    keyring = begin(tmp_path, new("file"), recipient=KIT.recipient.text)
    wrapped = keyring.wrap(KEY)
    file(tmp_path).unlink()
    keyring.follow()
    assert keyring.is_current(wrapped)
    keyring.set_recovery(THIEF.recipient.text)
    assert not keyring.is_current(wrapped), "a new kit takes its place"


def test_the_number_of_a_kit_is_sealed_with_it(tmp_path: Path) -> None:
    """Who could make it higher could put an earlier kit in the place of a later one."""
    keyring = begin(tmp_path, new("file"))
    keyring.set_recovery(KIT.recipient.text, 4)
    found = opened(tmp_path, new("file"))
    assert found.prove_recovery() == KIT.recipient.text
    assert found.recovery_number == 4
    content = file(tmp_path).read_text()
    for edited in (content.replace("# number 4", "# number 5"), content.replace("# number 4\n", "")):
        file(tmp_path).write_text(edited)
        found.follow()
        with pytest.raises(RootKeyError, match="recovery create"):
            found.prove_recovery()


def test_a_later_kit_is_not_replaced_by_an_earlier_one(tmp_path: Path) -> None:
    keyring = begin(tmp_path, new("file"))
    keyring.set_recovery(KIT.recipient.text, 4)
    keyring.set_recovery(THIEF.recipient.text, 3)
    assert wrapped_for(keyring) is KIT
    keyring.set_recovery(THIEF.recipient.text, 5)
    assert wrapped_for(keyring) is THIEF
