"""Unix sockets by path, however long.

Rule: the address of a Unix socket has 107 bytes at most and a data directory may lie deeper, so sockets are
bound and connected here only.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAX_ADDRESS: Final = 107
BACKLOG: Final = 128


def listen(path: Path) -> socket.socket:
    """Return a listening socket at `path`, for this user only, replacing what lay there. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        path.unlink(missing_ok=True)
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        # Nobody can connect before this, so the socket is never open to others.
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: Path) -> socket.socket:
    """Return a non-blocking socket that is connected to `path`.

    Raises OSError, BlockingIOError among them when nobody accepts the connections that wait.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with _address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give a short address for `path`, through the directory's descriptor where the path is too long."""
    if len(os.fsencode(path)) <= MAX_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
