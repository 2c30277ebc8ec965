"""Listening sockets and the limit of open files.

Rule: sockets are made before anything is forked, one a worker, all on one port (SO_REUSEPORT). The kernel
spreads new connections over them, and one whose worker has died keeps its queue for the next.
"""

import errno
import resource
import socket
from typing import Final, NamedTuple

from strongroom.server.address import Address, resolve
from strongroom.server.errors import OperatorError
from strongroom.server.listening.windows import prepare

BACKLOG: Final = 1024
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that vanished without a word is noticed after two minutes."""


class ListeningSockets(NamedTuple):
    """Those of one worker; None for a listener that is off."""

    kmip: socket.socket | None
    https: socket.socket | None


def bind(address: Address, count: int, option: str) -> tuple[Address, list[socket.socket]]:
    """Return the numeric address and `count` listening sockets on it.

    Raises OperatorError, which names the option that says where to listen.
    """
    family, numeric = resolve(address)
    sockets: list[socket.socket] = []
    try:
        # With SO_REUSEPORT a second server of this user would get the port too; without, it is refused.
        with _socket(family) as probe:
            probe.bind(numeric)
            probe.listen()
            numeric = Address(numeric.host, probe.getsockname()[1])
        for _ in range(count):
            sock = _socket(family)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, name, value)
            prepare(sock)
            sock.bind(numeric)
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise OperatorError(_problem(address, error, option)) from error
    return numeric, sockets


def reserve(address: Address) -> socket.socket:
    """Return a socket that keeps a numeric address from others and does not listen: whoever connects is
    refused at once. Raises OperatorError."""
    family, numeric = resolve(address)
    sock = _socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(numeric)
    except OSError as error:
        sock.close()
        raise OperatorError(_problem(address, error, "--listen or --https")) from error
    return sock


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _socket(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # "::" means every interface, for both families.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return sock


def _problem(address: Address, error: OSError, option: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{address} is in use by another program; stop that one, or choose another with {option}"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no address {address.host}; choose one that it has with {option}"
        case errno.EACCES:
            return f"port {address.port} needs a privilege; choose one above 1023 with {option}"
        case _:
            return f"cannot listen on {address}: {error.strerror}"
