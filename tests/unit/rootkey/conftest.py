"""Places for root keys, and root keys of every provider."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from strongroom.model.secret import SecretBytes
from strongroom.rootkey import passphrase, pkcs11
from strongroom.rootkey.elsewhere import Way
from strongroom.rootkey.making import NewRoot, make
from strongroom.rootkey.place import Place
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.data_directory import write_private
from tests.softhsm import Token

PASSPHRASE = SecretBytes(b"correct horse battery staple")
NEXT_PASSPHRASE = SecretBytes(b"another one entirely")
KEY = SecretBytes(bytes(range(32)))


def no_key_manager(parameters: Mapping[str, Any]) -> Way:
    raise AssertionError("no other key manager is asked here")


def place(folder: Path, known: SecretBytes | None = None) -> Place:
    """Return where root keys are; `known` is the passphrase that nobody has to bring."""
    return Place(
        book=folder / "root.json",
        key_file=folder / "root.key",
        recovery=folder / "recovery.pub",
        write=write_private,
        passphrase=lambda: known,
        kmip=no_key_manager,
    )


def new(
    provider: str, generation: int = 1, token: Token | None = None, *, phrase: SecretBytes = PASSPHRASE
) -> NewRoot:
    """Make a root key of a provider."""
    options: dict[str, Any] = {"passphrase": phrase, "shares": "2/3"}
    if token is not None:
        options |= token.options
    return make(provider, generation, options, kmip=lambda _: {})


def opened(folder: Path, made: NewRoot) -> StoredKeyring:
    """Return the root keys of a folder as a process finds them at its start, opened by whoever has to."""
    keyring = StoredKeyring(place(folder))
    if keyring.wants_passphrase:
        keyring.give_passphrase(PASSPHRASE)
    for share in made.shares[:2] if keyring.sealed else ():
        keyring.give_share(share.reveal().decode())
    return keyring


def begin(folder: Path, made: NewRoot, *, recipient: str | None = None) -> StoredKeyring:
    """Let a folder begin with a root key, perhaps with a recovery kit, and return it open."""
    place(folder).write_first(made.record, made.secret)
    keyring = opened(folder, made)
    if recipient is not None:
        keyring.set_recovery(recipient)
    return keyring


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretching is as slow as it should be only in the tests of the whole program."""
    monkeypatch.setattr(passphrase, "MEMORY_KIB", 1024)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    made = Token(tmp_path / "token")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    as_in_a_new_process(monkeypatch)
    return made


def as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library of the token be initialised again when it is used next."""
    monkeypatch.setattr(pkcs11, "_MODULE", pkcs11._Module())


@pytest.fixture(params=["file", "passphrase", "shares", "pkcs11"])
def make_root(request: pytest.FixtureRequest) -> Callable[[int], NewRoot]:
    """Give what makes a root key, for each provider in turn."""
    provider: str = request.param
    token = request.getfixturevalue("token") if provider == "pkcs11" else None
    return lambda generation: new(provider, generation, token)
