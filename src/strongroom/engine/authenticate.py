"""Credentials in the request header.

Rule: the certificate has already said who the client is. A credential can only confirm that: it never makes
anybody else of the caller, and it is demanded only of clients that were enrolled with a user name.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Protocol

from strongroom.domain.errors import AuthenticationNotSuccessful
from strongroom.domain.identity import ClientIdentity
from strongroom.model.messages import Authentication, UsernameAndPassword
from strongroom.model.secret import SecretBytes

_REMEMBERED = 10_000


class PasswordCheck(Protocol):
    """Port: compares a password with its stored hash (slow on purpose)."""

    def __call__(self, password_hash: str, password: bytes) -> bool:
        """Tell whether the password is right."""


class Authenticator:
    """Checks header credentials; remembers good ones as keyed digests, so that a session pays once."""

    def __init__(self, check: PasswordCheck, on_ignored: Callable[[ClientIdentity], None]) -> None:
        self._check = check
        self._on_ignored = on_ignored
        self._key = secrets.token_bytes(32)
        self._good: set[bytes] = set()
        self._told: set[int] = set()

    async def verify(self, caller: ClientIdentity, authentication: Authentication | None) -> None:
        """Return if the credential fits the caller; raises AuthenticationNotSuccessful or DecodeError."""
        given = _username_and_password(authentication)
        if caller.username is None:
            if given is not None and caller.client not in self._told:
                self._told.add(caller.client)
                self._on_ignored(caller)
            return
        if given is None:
            if not caller.password_optional:
                raise AuthenticationNotSuccessful(
                    "this client is enrolled with a user name; send it and the password in the request header"
                )
            return
        username, password = given
        expected = caller.username.encode()
        digest = hmac.digest(
            self._key,
            b"%d:%s:%s" % (caller.client, hashlib.sha256((caller.password_hash or "").encode()).digest(),
                           username + b"\0" + password.reveal()),
            "sha256",
        )  # fmt: skip
        if digest in self._good:
            return
        right = await asyncio.get_running_loop().run_in_executor(
            None, self._check, caller.password_hash or "", password.reveal()
        )
        if not (right and hmac.compare_digest(username, expected)):
            raise AuthenticationNotSuccessful("the user name or the password is wrong")
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good.add(digest)


def _username_and_password(authentication: Authentication | None) -> tuple[bytes, SecretBytes] | None:
    """Return what was given; an empty user name with an empty password counts as nothing."""
    if authentication is None:
        return None
    for credential in authentication.credential:
        value = credential.read()
        if isinstance(value, UsernameAndPassword):
            password = value.password or SecretBytes(b"")
            if value.username or len(password):
                return value.username.encode(), password
    return None
