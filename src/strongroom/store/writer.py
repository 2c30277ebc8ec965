"""The process that writes an SQLite store.

Rule: exactly one process writes. It takes whatever change sets wait, writes them in one transaction, and
answers once they are on disk, so one fsync serves them all; while it is at work the next ones gather.

Plain blocking code: it does nothing else, and forks before there is an event loop.
"""

import gc
import os
import selectors
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

from strongroom.store import address as unix
from strongroom.store.changes import Writes
from strongroom.store.frames import FrameError, FrameReader, pack
from strongroom.store.sqlite_file import UNAVAILABLE, Answer, SqliteFile

MAX_GROUP: Final = 512
"""Change sets in one transaction, so that the first does not wait for too many others."""

RECEIVE_SIZE: Final = 2**18
PARENT_CHECK: Final = 1.0
"""Seconds between looks whether the supervisor still lives."""

log = structlog.get_logger()


def serve(
    database: Path,
    address: Path,
    *,
    ready: Callable[[], None] | None = None,
    alive: Callable[[], None] | None = None,
) -> None:
    """Write what is sent to the Unix socket at `address`, until SIGTERM or until the parent process is gone.

    Runs in the main thread of a process of its own; `ready` is called when the socket accepts, `alive` before
    that, after each transaction and once a second when there is none. The database is opened when it is first
    needed: while it cannot be, every change set is answered so. Raises OSError.
    """
    parent = os.getppid()
    listener = unix.listen(address)
    try:
        writer = Writer(SqliteFile(database), listener)
        writer.stop_on(signal.SIGTERM)
        # The terminal sends this to the whole group; the supervisor decides when the writer goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Nothing here makes reference cycles, and what was inherited is not to be walked again and again.
        gc.disable()
        if alive is not None:
            alive()  # who is ready is watched
        if ready is not None:
            ready()
        writer.run(parent=parent, alive=alive)
    finally:
        listener.close()
        address.unlink(missing_ok=True)


class _Peer:
    """A connected worker."""

    __slots__ = ("answers", "frames", "outgoing", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.frames = FrameReader()
        self.answers: list[Answer] = []
        self.outgoing = b""


class Writer:
    """Reads change sets from sockets and answers each, in order."""

    def __init__(self, database: SqliteFile, listener: socket.socket) -> None:
        self._database = database
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._waiting: list[tuple[_Peer, Writes]] = []
        self._stopping = False
        self._failing = ""

    def stop_on(self, number: signal.Signals) -> None:
        """Finish what waits and stop when this signal comes."""
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ, waker)
        signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def run(self, *, parent: int, alive: Callable[[], None] | None = None) -> None:
        """Serve until told to stop, or until `parent` is no longer the parent process."""
        while not self._stopping and os.getppid() == parent:
            if alive is not None:
                alive()
            self._gather()
            self._write_all()
        # What was sent before the signal is still written.
        while self._take(0):
            self._write_all()
        self._database.close()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.data, _Peer):
                key.data.socket.close()
        self._selector.close()

    def _gather(self) -> None:
        """Take all change sets that wait, or else wait for some."""
        self._take_all()
        if not self._waiting:
            self._take(PARENT_CHECK)
            self._take_all()

    def _take_all(self) -> None:
        while len(self._waiting) < MAX_GROUP and self._take(0):
            pass

    def _take(self, timeout: float) -> bool:
        """Accept, receive and send what can be; return whether a worker had anything for us."""
        taken = False
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
                taken = True
            elif isinstance(key.data, _Peer):
                if events & selectors.EVENT_WRITE:
                    self._send(key.data)
                if events & selectors.EVENT_READ:
                    self._receive(key.data)
                    taken = True
        return taken

    def _write_all(self) -> None:
        """Write what waits, and answer it."""
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MAX_GROUP):
            self._write(waiting[start : start + MAX_GROUP])

    def _write(self, group: list[tuple[_Peer, Writes]]) -> None:
        answers = self._database.apply([writes for _, writes in group])
        self._report(answers)
        peers = []
        for (peer, _), answer in zip(group, answers, strict=True):
            if not peer.answers:
                peers.append(peer)
            peer.answers.append(answer)
        for peer in peers:
            peer.outgoing += pack(peer.answers)
            peer.answers = []
            self._send(peer)

    def _report(self, answers: list[Answer]) -> None:
        """Log when the database fails and when it works again, not each change set in between."""
        failing = next((str(detail) for status, detail in answers if status == UNAVAILABLE), "")
        if failing != self._failing:
            if failing:
                log.error("store_failing", reason=failing)
            else:
                log.info("store_working_again")
            self._failing = failing

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, user, _ = struct.unpack("3i", credentials)
        if user != os.geteuid():
            log.warning("store_stranger_refused", user=user)
            connection.close()
            return
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, _Peer(connection))

    def _receive(self, peer: _Peer) -> None:
        try:
            data = peer.socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        try:
            self._waiting += [(peer, writes) for writes in peer.frames.feed(data)]
        except FrameError as error:
            log.error("store_frame_refused", reason=str(error))
            self._drop(peer)

    def _send(self, peer: _Peer) -> None:
        if peer.socket.fileno() < 0:
            return
        try:
            sent = peer.socket.send(peer.outgoing)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(peer)
            return
        peer.outgoing = peer.outgoing[sent:]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outgoing else 0)
        if self._selector.get_key(peer.socket).events != events:
            self._selector.modify(peer.socket, events, peer)

    def _drop(self, peer: _Peer) -> None:
        if peer.socket.fileno() >= 0:
            self._selector.unregister(peer.socket)
            peer.socket.close()
