"""Which server to ask, and whether a request may be sent again.

Rule: decisions only; the shells connect, send and report back. A request whose answer was lost goes out
again only when doing it twice does no harm.
"""

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

from strongroom.client.address import Address
from strongroom.client.errors import OutcomeUnknown, ServerUnreachable

_CERTIFICATE_ALERTS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""Parts of OpenSSL's names of the alerts with which a server refuses a client certificate."""


class BrokenLink(Exception):
    """A connection could not be made, or ended. `sent`: the server may have the whole request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class ServerList:
    """The servers in the order in which they are tried; begins with the one that answered last."""

    def __init__(self, servers: Sequence[Address]) -> None:
        self._servers = tuple(servers)
        self._first = 0

    def in_turn(self) -> Iterator[Address]:
        """Yield each server once."""
        yield from self._servers[self._first :]
        yield from self._servers[: self._first]

    def answered(self, server: Address) -> None:
        """Begin with this one from now on."""
        self._first = self._servers.index(server)


class Attempts:
    """The tries of one exchange."""

    def __init__(self, servers: ServerList, *, repeatable: bool) -> None:
        self._left = servers.in_turn()
        self._repeatable = repeatable
        self._failures: list[str] = []

    def next_server(self) -> Address:
        """Return where to connect; raises ServerUnreachable when every server was tried."""
        for server in self._left:
            return server
        raise ServerUnreachable(f"no server can be asked: {'; '.join(self._failures)}")

    def failed(self, server: Address, broken: BrokenLink) -> None:
        """Note a failure; raises OutcomeUnknown when the request must not go out again."""
        if broken.sent and not self._repeatable:
            raise OutcomeUnknown(
                f"{server}: {broken}, after the request was sent; it may have been carried out: "
                "look before you send it again"
            ) from broken
        self._failures.append(f"{server}: {broken}")


def connect_failure(exc: OSError, *, timeout: float) -> BrokenLink:
    """Return what to say of a connection that was not made."""
    return BrokenLink(_reason(exc, timeout), sent=False)


def exchange_failure(exc: OSError, *, timeout: float, sent: bool, answered_before: bool) -> BrokenLink:
    """Return what to say of a connection that ended.

    In TLS 1.3 a server refuses a certificate when the client believes to be connected already. It does so
    before it reads a request, so nothing was done.
    """
    refused = isinstance(exc, ssl.SSLError) and not answered_before and _is_refusal(exc)
    return BrokenLink(_reason(exc, timeout), sent=sent and not refused)


def link_ended(*, answered_before: bool) -> BrokenLink:
    """Return what to say of a server that closed the connection where an answer should come."""
    reason = "it ended the connection"
    if not answered_before:
        reason += (
            " and answered nothing: it may not know the client's certificate, or not any more; its log says"
        )
    return BrokenLink(reason, sent=True)


def _reason(exc: OSError, timeout: float) -> str:
    match exc:
        case TimeoutError():
            return f"timed out after {timeout:g} s"
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted: {exc.verify_message}; check `ca` and the name of the server"
            )
        case ssl.SSLError() if _is_refusal(exc):
            return f"it refuses the client certificate ({exc.reason})"
        case ssl.SSLError():
            return f"TLS failed ({exc.reason or exc})"
        case socket.gaierror():
            return f"its name is not known ({exc.strerror})"
        case _ if exc.errno:
            # asyncio words these in its own way, and several addresses of one host in yet another.
            return os.strerror(exc.errno)
        case _:
            return str(exc) or type(exc).__name__


def _is_refusal(exc: ssl.SSLError) -> bool:
    reason = exc.reason or ""
    return "ALERT" in reason and any(name in reason for name in _CERTIFICATE_ALERTS)
