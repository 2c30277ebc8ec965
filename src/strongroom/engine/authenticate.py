"""Credentials in the request header.

Rule: the certificate has already said who the client is. A password can only confirm that, and is demanded
only of clients that were enrolled with a user name. A user (KMIP 3.0) belongs to a client, and says for whom
of its people a request is. A ticket can make the caller act for the client that gave it, within the rights
that it was given; whoever brings such a one still needs its own password, where it has one.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Protocol

from strongroom.domain.clock import Clock
from strongroom.domain.errors import AuthenticationNotSuccessful, FeatureNotSupported
from strongroom.domain.identity import ClientIdentity
from strongroom.engine.guesses import Guesses, wrong
from strongroom.engine.tickets import Tickets
from strongroom.engine.users import Login, Users
from strongroom.model.messages import Attestation, Authentication, TicketCredential, UsernameAndPassword
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Struct

_REMEMBERED = 10_000


class PasswordCheck(Protocol):
    """Port: compares a password with its stored hash (slow on purpose)."""

    def __call__(self, password_hash: str, password: bytes) -> bool:
        """Tell whether the password is right."""


class Authenticator:
    """Checks header credentials; remembers good ones as keyed digests, so that a session pays once."""

    def __init__(
        self,
        check: PasswordCheck,
        on_ignored: Callable[[ClientIdentity], None],
        clock: Clock,
        tickets: Tickets,
        users: Users,
        guesses: Guesses,
    ) -> None:
        self._check = check
        self._on_ignored = on_ignored
        self._clock = clock
        self._tickets = tickets
        self._users = users
        self._guesses = guesses
        self._key = secrets.token_bytes(32)
        self._good: set[bytes] = set()
        self._told: set[int] = set()

    async def verify(self, caller: ClientIdentity, authentication: Authentication | None) -> Login:
        """Return who the request comes from: another client only with a ticket that says so.

        Raises AuthenticationNotSuccessful, InvalidTicket, UsageLimitExceeded, FeatureNotSupported for an
        attestation, or DecodeError.
        """
        now = self._clock.now()
        given = [] if authentication is None else [one.read() for one in authentication.credential]
        for value in given:
            if isinstance(value, Attestation):
                # SPEC(KMIP 1.4 §2.1.2): it answers a Nonce of the server, and this server gives none.
                raise FeatureNotSupported(
                    "this server attests no clients, as Query says; leave the Attestation credential out"
                )
            if isinstance(value, TicketCredential):
                become = await self._tickets.admit(caller, value.ticket.ticket_value, now)
                if become.rights is not None:  # it says nothing of who has brought it
                    await self._verify_password(caller, _username_and_password(given))
                return Login(become)
        if caller.username is None:
            for value in given:
                if value is not None:
                    login = await self._users.log_in(caller, value, now)
                    if login is not None:
                        return login
        await self._verify_password(caller, _username_and_password(given))
        return Login(caller)

    async def _verify_password(self, caller: ClientIdentity, given: tuple[bytes, SecretBytes] | None) -> None:
        """Return if user name and password are those that the client was enrolled with."""
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
        holder = f"client {caller.client}"
        async with self._guesses.alone(holder):
            # Whoever came at the same moment has perhaps proved it meanwhile, or spent the last guess.
            if digest in self._good:
                return
            async with self._guesses.look(holder):
                right = await asyncio.get_running_loop().run_in_executor(
                    None, self._check, caller.password_hash or "", password.reveal()
                )
                # The name is compared after the password was: a wrong one costs as much time.
                if not (right and hmac.compare_digest(username, expected)):
                    raise wrong()
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good.add(digest)


def _username_and_password(given: Iterable[Struct | None]) -> tuple[bytes, SecretBytes] | None:
    """Return what was given; an empty user name with an empty password counts as nothing."""
    for value in given:
        if isinstance(value, UsernameAndPassword):
            password = value.password or SecretBytes(b"")
            if value.username or len(password):
                return value.username.encode(), password
    return None
