"""A root key in a PKCS#11 token (SoftHSM2)."""

import os
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError, RootKeyUnavailable
from strongroom.rootkey import elsewhere
from strongroom.rootkey.elsewhere import ElsewhereRoot, Unreachable
from strongroom.rootkey.making import make
from strongroom.rootkey.stored import StoredKeyring
from tests.softhsm import LABEL, PIN, Token
from tests.unit.rootkey.conftest import KEY, as_in_a_new_process, begin, new, place


@pytest.fixture
def root(token: Token, tmp_path: Path) -> StoredKeyring:
    return begin(tmp_path, new("pkcs11", 1, token))


def test_the_key_never_leaves_the_token(root: StoredKeyring, token: Token) -> None:
    import pkcs11

    module = pkcs11.lib(token.module)
    module.reinitialize()
    with module.get_token(token_label=LABEL).open(user_pin=PIN) as session:
        (key,) = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})
        assert key[pkcs11.Attribute.SENSITIVE]
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
        assert not key[pkcs11.Attribute.EXTRACTABLE]
        assert key[pkcs11.Attribute.VALUE_LEN] == 32
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]


def test_a_token_that_is_lost_is_unavailable_and_works_again_when_it_is_back(
    root: StoredKeyring, token: Token
) -> None:
    wrapped = root.wrap(KEY)
    for _ in range(2):
        token.lose()
        for use in (lambda: root.unwrap(wrapped), lambda: root.wrap(KEY)):
            with pytest.raises(RootKeyUnavailable, match="goes on by itself once the key is back"):
                use()
        token.find()
        assert root.unwrap(wrapped) == KEY
        assert root.unwrap(root.wrap(KEY)) == KEY


def test_a_damaged_key_is_not_taken_for_a_lost_token(root: StoredKeyring) -> None:
    wrapped = bytearray(root.wrap(KEY))
    wrapped[-1] ^= 1
    with pytest.raises(RootKeyError, match="damaged") as caught:
        root.unwrap(bytes(wrapped))
    assert not isinstance(caught.value, RootKeyUnavailable)


def test_a_session_is_opened_anew_after_a_fork(root: StoredKeyring) -> None:
    wrapped = root.wrap(KEY)
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if root.unwrap(wrapped) == KEY else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert root.unwrap(wrapped) == KEY


@pytest.mark.parametrize("pin", ["", "999999", "31415\n9"])
def test_a_wrong_pin_is_said_and_not_shown(
    root: StoredKeyring, token: Token, tmp_path: Path, pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = root.wrap(KEY)
    token.pin_file.write_text(pin)
    as_in_a_new_process(monkeypatch)
    with pytest.raises(RootKeyUnavailable) as caught:
        StoredKeyring(place(tmp_path)).unwrap(wrapped)
    assert PIN not in str(caught.value)
    assert not pin or pin not in str(caught.value)
    token.pin_file.write_text(f"{PIN}\n")
    assert StoredKeyring(place(tmp_path)).unwrap(wrapped) == KEY


def test_a_pin_file_that_others_may_read_is_not_used(
    root: StoredKeyring, token: Token, tmp_path: Path
) -> None:
    wrapped = root.wrap(KEY)
    token.pin_file.chmod(0o644)
    with pytest.raises(RootKeyUnavailable, match="chmod 600"):
        StoredKeyring(place(tmp_path)).unwrap(wrapped)


@pytest.mark.parametrize("wrong", [{"token": "another"}, {"module": "/nowhere.so"}, {"pin_file": "/nowhere"}])
def test_what_is_wrong_when_a_key_is_made_is_said(token: Token, wrong: dict[str, str]) -> None:
    with pytest.raises(RootKeyUnavailable, match="check module, token label and PIN file"):
        make("pkcs11", 1, {**token.options, **wrong}, kmip=lambda _: {})


def test_two_keys_in_one_token_take_turns(root: StoredKeyring, token: Token) -> None:
    old = root.wrap(KEY)
    second = new("pkcs11", 2, token)
    root.adopt(root.prepare(second.described, second.secret))
    for _ in range(3):
        assert root.unwrap(old) == root.unwrap(root.wrap(KEY)) == KEY


class Hanging:
    """A token that does not answer."""

    def seal(self, key: object, associated: bytes) -> bytes:
        import time

        time.sleep(1.0)
        return b""

    def open(self, sealed: bytes, associated: bytes) -> object:
        raise Unreachable("it is broken")

    def close(self) -> None:
        """There is nothing to close."""


def test_a_token_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.05)
    root = ElsewhereRoot(1, b"12345678", "token x", Hanging)  # type: ignore[arg-type]
    with pytest.raises(RootKeyUnavailable, match="no answer within"):
        root.seal(KEY, b"")
    monkeypatch.setattr(elsewhere, "PATIENCE", 5.0)
    with pytest.raises(RootKeyUnavailable, match="it is broken"):
        root.open(b"", b"")
