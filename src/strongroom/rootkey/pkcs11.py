"""A root key in a PKCS#11 token: an AES-256 key that never leaves it.

Rule: a session belongs to one process and is opened in it, after the fork. The module is loaded when the key
is first used. The PIN comes from a file each time, so it can be changed without a restart.

    sealed   nonce (12 random bytes), what CKM_AES_GCM gives: the key encrypted, tag (16 bytes)
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from strongroom.domain.ports import RootKeyError, RootKeyUnavailable
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.elsewhere import Unreachable
from strongroom.rootkey.envelope import damaged
from strongroom.rootkey.roots import KEY_SIZE, NONCE_SIZE

_TAG_BITS: Final = 128
_LONGEST_PIN: Final = 255


class TokenKey:
    """A session with the token that has the key. `parameters` are those of the record. See `Way`.

    Raises Unreachable.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        import pkcs11

        self._pkcs11 = pkcs11
        session = None
        try:
            session = _MODULE.session(parameters)
            self._key: Any = session.get_key(
                object_class=pkcs11.ObjectClass.SECRET_KEY, id=bytes.fromhex(parameters["key"])
            )
        except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
            if session is not None:
                session.close()
            raise Unreachable(_reason(error)) from error
        self._session = session
        self._turn = _MODULE.turn

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        self._check_turn()
        nonce = os.urandom(NONCE_SIZE)
        try:
            sealed: bytes = self._key.encrypt(
                key.reveal(),
                mechanism=self._pkcs11.Mechanism.AES_GCM,
                mechanism_param=self._pkcs11.GCMParams(nonce, associated, _TAG_BITS),
            )
        except (self._pkcs11.PKCS11Error, RuntimeError) as error:
            raise Unreachable(_reason(error)) from error
        return nonce + sealed

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        nonce, ciphertext = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
        if len(ciphertext) != KEY_SIZE + _TAG_BITS // 8:
            raise damaged()
        self._check_turn()
        try:
            return self._decrypt(nonce, ciphertext, associated)
        except (self._pkcs11.PKCS11Error, RuntimeError) as error:
            # Tokens do not agree on what a wrong tag is called; some say what they say when they are gone.
            if self._works():
                raise damaged() from error
            raise Unreachable(_reason(error)) from error

    def _decrypt(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> SecretBytes:
        return SecretBytes(
            self._key.decrypt(
                ciphertext,
                mechanism=self._pkcs11.Mechanism.AES_GCM,
                mechanism_param=self._pkcs11.GCMParams(nonce, associated, _TAG_BITS),
            )
        )

    def _works(self) -> bool:
        """Tell whether the token decrypts what it has just encrypted."""
        sealed = self.seal(SecretBytes(bytes(KEY_SIZE)), b"")
        try:
            self._decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], b"")
        except (self._pkcs11.PKCS11Error, RuntimeError):
            return False
        return True

    def _check_turn(self) -> None:
        if self._turn != _MODULE.turn:
            raise Unreachable("the session has ended")

    def close(self) -> None:
        if self._turn != _MODULE.turn:
            return
        try:
            self._session.close()
        except (self._pkcs11.PKCS11Error, RuntimeError):
            # It is lost already, which is why it is closed.
            return


def create(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Make a key in the token, which stays there, and return the parameters of its record.

    `parameters` are module, token and pin_file. Raises RootKeyError.
    """
    import pkcs11

    key_id = os.urandom(8)
    try:
        with _MODULE.session(parameters, writing=True) as session:
            session.generate_key(
                pkcs11.KeyType.AES,
                KEY_SIZE * 8,
                id=key_id,
                label=f"strongroom root key {key_id.hex()}",
                store=True,
                capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
                template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                    pkcs11.Attribute.PRIVATE: True,
                },
            )
    except (pkcs11.PKCS11Error, OSError, RuntimeError, Unreachable) as error:
        raise RootKeyUnavailable(
            f"no key could be made in token {parameters['token']!r}: {_reason(error)}; "
            "check module, token label and PIN file"
        ) from error
    made = {**parameters, "key": key_id.hex()}
    _try_out(made)
    return made


def _try_out(parameters: Mapping[str, Any]) -> None:
    """Return if the token can do what is asked of it. Raises RootKeyError."""
    sample, associated = SecretBytes(os.urandom(KEY_SIZE)), b"strongroom tries the token"
    try:
        way = TokenKey(parameters)
        opened = way.open(way.seal(sample, associated), associated)
        way.close()
    except Unreachable as error:
        raise RootKeyUnavailable(
            f"token {parameters['token']!r} has no AES-GCM ({error}); Strongroom needs it (CKM_AES_GCM)"
        ) from error
    if opened != sample:
        raise RootKeyError(
            f"token {parameters['token']!r} does not give back what it was given; do not use it"
        )


class _Module:
    """The library of the token in this process, which has one state for all who use it.

    Initialising it ends every session and gives their handles out again, perhaps to other keys. So whoever
    has a session compares the `turn` in which it was opened before using it.
    """

    def __init__(self) -> None:
        self.turn = 0
        self._process = 0

    def session(self, parameters: Mapping[str, Any], *, writing: bool = False) -> Any:
        """Return an open session that is logged in. Raises PKCS11Error, RuntimeError, Unreachable."""
        import pkcs11

        module = pkcs11.lib(str(parameters["module"]))
        if self._process == os.getpid():
            try:
                return self._open(module, parameters, writing)
            except (pkcs11.PKCS11Error, RuntimeError):
                # A token that was lost and came back may be in another slot, which only a fresh start shows.
                pass
        self.turn += 1
        self._process = os.getpid()
        module.reinitialize()
        return self._open(module, parameters, writing)

    @staticmethod
    def _open(module: Any, parameters: Mapping[str, Any], writing: bool) -> Any:
        import pkcs11

        token = module.get_token(token_label=str(parameters["token"]))
        try:
            return token.open(rw=writing, user_pin=_pin(Path(parameters["pin_file"])))
        except pkcs11.UserAlreadyLoggedIn:
            # By another session of this process: that counts for all of them.
            return token.open(rw=writing)


_MODULE: Final = _Module()


def _pin(file: Path) -> str:
    try:
        status = file.stat()
        if status.st_mode & 0o077:
            raise Unreachable(f"others may read the PIN file {file}; run: chmod 600 {file}")
        with file.open("rb") as opened:
            return opened.read(_LONGEST_PIN + 2).decode().rstrip("\r\n")
    except OSError as error:
        raise Unreachable(f"the PIN file {file} cannot be read ({error.strerror})") from error


def _reason(error: Exception) -> str:
    # Most errors of the library are nothing but their class, which is the name that PKCS#11 gives them.
    return str(error) or type(error).__name__
