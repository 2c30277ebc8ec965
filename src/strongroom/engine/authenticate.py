"""Credentials in the request header.

Rule: the certificate has already said who the client is. A password can only confirm that, and is demanded
only of clients that were enrolled with a user name. A user (KMIP 3.0) belongs to a client, and says for whom
of its people a request is. A ticket can make the caller act for the client that gave it, within the rights
that it was given; whoever brings such a one still needs its own password, where it has one. Of several
credentials each has to be right (KMIP 2.1 §9.4).
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from strongroom.domain.clock import Clock
from strongroom.domain.errors import (
    AuthenticationNotSuccessful,
    FeatureNotSupported,
    InvalidTicket,
    ServerLimitExceeded,
)
from strongroom.domain.identity import ClientIdentity
from strongroom.engine.guesses import Guesses, wrong
from strongroom.engine.tickets import Tickets
from strongroom.engine.users import Login, Users
from strongroom.model.messages import Attestation, Authentication, TicketCredential, UsernameAndPassword
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Struct

MOST_CREDENTIALS: Final = 8
"""Of one request: each may cost a search, a slow comparison or a commit."""

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
        attestation, ServerLimitExceeded for too many credentials, or DecodeError.
        """
        now = self._clock.now()
        credentials = () if authentication is None else authentication.credential
        if len(credentials) > MOST_CREDENTIALS:
            raise ServerLimitExceeded(f"a request comes with at most {MOST_CREDENTIALS} credentials")
        given = [one.read() for one in credentials]
        if any(isinstance(value, Attestation) for value in given):
            # SPEC(KMIP 1.4 §2.1.2): it answers a Nonce of the server, and this server gives none.
            raise FeatureNotSupported(
                "this server attests no clients, as Query says; leave the Attestation credential out"
            )
        become = await self._ticket(caller, given, now)
        user = await self._user(caller, given, now) if caller.username is None else None
        if user is None:
            # One's own ticket stands in for the password; another client's says nothing of who brings it.
            needed = become is None or become.rights is not None
            await self._verify_password(caller, _usernames_and_passwords(given), needed=needed)
        if become is None:
            return Login(caller) if user is None else user
        if user is None:
            return Login(become)
        if become.rights is None and become.user != user.caller.user:
            raise wrong()
        return Login(become, user.server_hashed_password)

    async def _ticket(
        self, caller: ClientIdentity, given: Iterable[Struct | None], now: datetime
    ) -> ClientIdentity | None:
        """Return whom a ticket makes of the caller, None without one."""
        tickets = [value.ticket for value in given if isinstance(value, TicketCredential)]
        if len(tickets) > 1:
            raise InvalidTicket("a request comes with one ticket; nobody acts for two clients at once")
        return await self._tickets.admit(caller, tickets[0].ticket_value, now) if tickets else None

    async def _user(
        self, caller: ClientIdentity, given: Iterable[Struct | None], now: datetime
    ) -> Login | None:
        """Return the one user of the caller that the credentials name, None when they name none."""
        found: Login | None = None
        for value in given:
            login = None if value is None else await self._users.log_in(caller, value, now)
            if login is None:
                continue
            if found is not None and found.caller.user != login.caller.user:
                raise wrong()
            if found is None or login.server_hashed_password is not None:
                found = login
        return found

    async def _verify_password(
        self, caller: ClientIdentity, given: Sequence[tuple[bytes, SecretBytes]], *, needed: bool
    ) -> None:
        """Return if each user name and password is what the client was enrolled with."""
        if caller.username is None:
            if given and caller.client not in self._told:
                self._told.add(caller.client)
                self._on_ignored(caller)
            return
        if not given and needed and not caller.password_optional:
            raise AuthenticationNotSuccessful(
                "this client is enrolled with a user name; send it and the password in the request header"
            )
        for username, password in given:
            await self._compare(caller, caller.username, username, password)

    async def _compare(
        self, caller: ClientIdentity, enrolled: str, username: bytes, password: SecretBytes
    ) -> None:
        """Return if they are right; raises AuthenticationNotSuccessful."""
        expected = enrolled.encode()
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


def _usernames_and_passwords(given: Iterable[Struct | None]) -> list[tuple[bytes, SecretBytes]]:
    """Return what was given; an empty user name with an empty password counts as nothing."""
    found = []
    for value in given:
        if isinstance(value, UsernameAndPassword):
            password = value.password or SecretBytes(b"")
            if value.username or len(password):
                found.append((value.username.encode(), password))
    return found
