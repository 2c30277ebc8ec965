"""How much the kernel takes from a peer before the worker reads it.

Rule: TLS decrypts all that has arrived in one go, to memory that the connection has from then on. So each may
send ahead what ordinary messages need. More is for those that have begun a long message: for a few of a
worker, since what they have had in memory once stays theirs, and of these a client gets a quarter.
"""

import asyncio
import socket
from typing import Final

from strongroom.server.listening.shares import Buffers

NARROW: Final = 8 * 1024
"""Bytes that are asked of the kernel for what a connection has not read yet; Linux gives twice that, since it
counts its own records of them."""

WIDE: Final = 192 * 1024
"""The same for long messages."""

LONG: Final = 16 * 1024
"""Bytes from which a message is worth a wide window."""

MOST: Final = 64
"""Connections of a worker that have a wide window."""

_SO_BUF_LOCK: Final = 72
"""Whether sizes that were asked for are final; of Linux 5.14, socket(7)."""


def prepare(listening: socket.socket) -> None:
    """Have connections begin with a narrow window.

    A peer may fill the window of the beginning in any case. It comes from the listening socket, and so does
    the scale that windows have later: a final size there would keep them narrow for ever.
    Systems that know only final sizes decide themselves, and take more.
    """
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)
    except OSError:
        return
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
    listening.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)


def keep_narrow(connection: socket.socket) -> None:
    """Have a new connection keep the window it begins with, if that is narrow: the kernel would widen it."""
    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * NARROW:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)


class Windows:
    """Who of a worker has a wide window."""

    def __init__(self, most: int = MOST) -> None:
        self._free = Buffers(most)

    def widen(self, transport: asyncio.Transport, client: int) -> bool:
        """Let a connection send more ahead, until it ends; False when as many do already."""
        if not self._free.reserve(1, client):
            return False
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE)
        return True

    def leave(self, client: int) -> None:
        """Give back the place of a connection that has ended."""
        self._free.release(1, client)
