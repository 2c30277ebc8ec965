"""Where records and anchors go outside: files, syslog, TCP.

Rule: `send` returns when the other end has taken the lines, as far as its kind can tell, or raises
OutletFailed within its deadline. An outlet that failed is opened again by the next `send`.

    file:/PATH              appended and brought to disk; a line that was cut off stays alone in its line
    syslog:/dev/log         RFC 5424 to a Unix socket; what is longer than a datagram fails
    syslog:HOST:PORT        RFC 5424 over TCP, framed by octet counting (RFC 6587)
    syslog+tls:HOST:PORT    the same over TLS (RFC 5425)
    tcp:HOST:PORT           plain lines over TCP
    tls:HOST:PORT           plain lines over TLS
"""

import contextlib
import errno
import os
import socket
import ssl
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

DEADLINE: Final = 3.0
"""Seconds for one `send`."""

_PRIORITY: Final = 13 * 8 + 5
"""Facility "log audit", severity "notice" (RFC 5424 §6.2.1)."""

_APPLICATION: Final = "strongroom"


class OutletFailed(Exception):
    """The lines were not taken; the message says by whom and why."""


class Outlet(Protocol):
    """One place outside."""

    def send(self, lines: Sequence[bytes]) -> None:
        """Have lines (without newlines) taken, in order. Raises OutletFailed; some may be there then."""

    def close(self) -> None:
        """Let go; the next `send` opens it again."""


def parse(where: str, make_context: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> Outlet:
    """Return the outlet that a setting names. Raises ValueError, and what `make_context` raises.

    That is called for a place that is reached over TLS, and says whom to trust there.
    """
    kind, colon, rest = where.partition(":")
    if not colon or not rest:
        raise ValueError(f"{where!r} names no place; write file:/PATH, syslog:/dev/log, tls:HOST:PORT")
    if kind == "file":
        if not rest.startswith("/"):
            raise ValueError(f"{where!r}: the path has to be absolute")
        return FileOutlet(Path(rest))
    if kind == "syslog" and rest.startswith("/"):
        return SyslogSocket(rest)
    stream = _STREAMS.get(kind)
    if stream is None:
        raise ValueError(f"{where!r}: {kind!r} is none of file, syslog, syslog+tls, tcp, tls")
    host, port = _address(where, rest)
    return stream(host, port, make_context() if kind.endswith("tls") else None)


def _address(where: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{where!r}: write HOST:PORT")
    return host.strip("[]"), int(port)


class FileOutlet:
    """A file of its own, for instance on another disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False  # what was written last did not end with a line

    def send(self, lines: Sequence[bytes]) -> None:
        try:
            # A pipe without a reader would block for good.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(self._path, flags, 0o600)
            try:
                content = b"".join(line + b"\n" for line in lines)
                if self._torn or self._ends_in_a_line_that_was_never_finished(descriptor):
                    content = b"\n" + content
                while content:
                    written = os.write(descriptor, content)
                    self._torn = content[:written][-1:] != b"\n"
                    content = content[written:]
                _bring_to_disk(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OutletFailed(f"{self._path}: {error.strerror}") from error

    def _ends_in_a_line_that_was_never_finished(self, descriptor: int) -> bool:
        """The disk was full, or whoever wrote was killed. A file that nobody may read counts as whole."""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        try:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except OSError:
            return False

    def close(self) -> None:
        return


def _bring_to_disk(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # a pipe has nothing to bring to disk
            raise


class _SocketOutlet(ABC):
    """A socket that stays open."""

    _where: str
    _socket: socket.socket | None = None

    @abstractmethod
    def _connect(self) -> socket.socket:
        """Return a new connection. Raises OSError."""

    @abstractmethod
    def _frame(self, line: bytes) -> bytes:
        """Return a line as the other end takes it."""

    def send(self, lines: Sequence[bytes]) -> None:
        try:
            if self._socket is None:
                self._socket = self._connect()
            elif self._hung_up(self._socket):
                self.close()
                self._socket = self._connect()
            self._write(self._socket, [self._frame(line) for line in lines])
        except OSError as error:
            self.close()
            raise OutletFailed(f"{self._where}: {error.strerror or error}") from error

    def _write(self, connection: socket.socket, frames: Sequence[bytes]) -> None:
        connection.sendall(b"".join(frames))

    @staticmethod
    def _hung_up(connection: socket.socket) -> bool:
        """Tell whether the other end has closed: what is written then would be taken by nobody."""
        connection.setblocking(False)
        try:
            return not connection.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(DEADLINE)

    def close(self) -> None:
        held, self._socket = self._socket, None
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()


class TcpOutlet(_SocketOutlet):
    """Plain lines over TCP, or TLS with a context."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self._where, self._address, self._context = f"{host}:{port}", (host, port), context

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=DEADLINE)
        if self._context is None:
            return connection
        # The handshake has the same deadline for each of its steps; on failure it closes the connection.
        return self._context.wrap_socket(connection, server_hostname=self._address[0])

    def _frame(self, line: bytes) -> bytes:
        return line + b"\n"


class SyslogStream(TcpOutlet):
    """Syslog over TCP or TLS."""

    def _frame(self, line: bytes) -> bytes:
        message = syslog_message(line)
        return b"%d %b" % (len(message), message)


_STREAMS: Final = {"tcp": TcpOutlet, "tls": TcpOutlet, "syslog": SyslogStream, "syslog+tls": SyslogStream}


class SyslogSocket(_SocketOutlet):
    """The syslog of this machine."""

    def __init__(self, path: str) -> None:
        self._where = path

    def _connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        made.settimeout(DEADLINE)
        try:
            made.connect(self._where)
        except OSError:
            made.close()
            raise
        return made

    @staticmethod
    def _hung_up(connection: socket.socket) -> bool:
        return False

    def _frame(self, line: bytes) -> bytes:
        return syslog_message(line)

    def _write(self, connection: socket.socket, frames: Sequence[bytes]) -> None:
        for frame in frames:
            connection.send(frame)


def syslog_message(line: bytes) -> bytes:
    """Return a line (ASCII) as RFC 5424 wants it, with the time of now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = "".join(c for c in socket.gethostname() if "!" <= c <= "~")[:255] or "-"
    return f"<{_PRIORITY}>1 {now} {host} {_APPLICATION} {os.getpid()} audit - ".encode() + line
