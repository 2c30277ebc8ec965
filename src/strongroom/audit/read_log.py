"""Where one worker records what no commit carries: reads, and what was refused.

Rule: a record is with the operating system when `record` returns, so the end of the process loses nothing;
it is on disk within `SYNC` seconds and what the disk takes. Space is reserved before it is needed. What
cannot be recorded raises AuditUnavailable, and then the request is not answered.

Records are written with `pwrite` and not through mapped memory: that is a microsecond slower, but a disk that
fails or fills raises an error then, where it would kill the process.
"""

import contextlib
import fcntl
import os
import threading
import time
from binascii import hexlify
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, cast

import structlog

from strongroom.audit import heads
from strongroom.audit.directory import sync_directory
from strongroom.audit.segments import (
    SHOWN,
    Damage,
    Previous,
    Segment,
    SegmentName,
    header,
    segments,
)
from strongroom.domain.audit import AuditEvent, AuditUnavailable, Repeated, quoted
from strongroom.domain.chain import GENESIS, Head, link

SYNC: Final = 0.08
"""Seconds between two looks whether something has to be brought to disk."""

RETRY: Final = 0.25
"""Seconds after which space is looked for again."""

_PEERS: Final = 4096

log = structlog.get_logger()


class Again(NamedTuple):
    """An event but for its time and peer: what stands between them, and what follows."""

    head: bytes
    tail: bytes


class _File:
    """A segment that is open for writing, its space reserved."""

    def __init__(self, directory: Path, name: SegmentName, size: int) -> None:
        """Make it and reserve its space, so that it is there after a power cut. Raises OSError."""
        self.name = name
        self.path = directory / str(name)
        self.size = size
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(self.descriptor, 0, size)
            sync_directory(directory)
        except OSError:
            os.close(self.descriptor)
            self.path.unlink(missing_ok=True)
            raise

    def end(self, used: int) -> None:
        """Give back what was not used, and close."""
        if used:
            os.ftruncate(self.descriptor, used)
            os.fsync(self.descriptor)
        else:
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class ReadLog:
    """The records of one worker; see `domain.audit.AuditLog`. `open` it in the process that writes.

    `row` is a number that no other process has at the same time, `size` the bytes of a segment.
    """

    def __init__(self, directory: Path, *, row: int, size: int) -> None:
        self._directory = directory
        self._row = row
        self._size = size
        self._number = 0
        self._previous: Previous | None = None
        self._damaged = False
        self._node = ""
        self._file: _File | None = None
        self._next: _File | None = None
        self._descriptor = -1
        self._end = 0
        # Records, bytes and hash: one tuple, so that the thread sees three numbers that belong together.
        self._state: tuple[int, int, bytes] = (0, 0, GENESIS)
        self._synced: tuple[int, int, bytes] = self._state
        self._ended: list[tuple[_File, tuple[int, int, bytes]]] = []
        self._problem = "the audit log is not open"
        self._short = ""
        self._refused = ""
        self._broken = ""
        self._tried_at = 0.0
        self._at: datetime | None = None
        self._stamp = b""
        self._peers: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # The port

    def check(self) -> None:
        if self._refused:
            raise AuditUnavailable(self._refused)

    def record(self, event: AuditEvent) -> None:
        self._append(event.encode())

    def repeated(self, event: AuditEvent) -> Again:
        if event.acting not in (None, event.client):
            raise ValueError("what is done for another is recorded anew each time")
        return Again(*event.around())

    def record_again(self, event: Repeated, at: datetime, peer: str) -> None:
        if at is not self._at:
            self._at, self._stamp = at, b'{"at":%d' % int(at.timestamp())
        again = cast(Again, event)
        known = self._peers.get(peer) or self._peer(peer)
        self._append(self._stamp + again.head + known + again.tail)

    def _peer(self, peer: str) -> bytes:
        if len(self._peers) >= _PEERS:
            self._peers.clear()
        known = self._peers[peer] = quoted(peer)
        return known

    def _append(self, body: bytes) -> None:
        if self._refused:
            raise AuditUnavailable(self._refused)
        count, start, before = self._state
        hash_ = sha256(before + body).digest()
        line = b"%b %b\n" % (body, hexlify(hash_[:SHOWN]))
        end = start + len(line)
        if end > self._end:
            # The hash changes with the segment.
            self._begin_next(len(line))
            count, start, before = self._state
            hash_ = sha256(before + body).digest()
            line = b"%b %b\n" % (body, hexlify(hash_[:SHOWN]))
            end = start + len(line)
        try:
            written = os.pwrite(self._descriptor, line, start)
        except OSError as error:
            raise self._failure(error) from error
        if written != len(line):
            raise AuditUnavailable("the audit log takes no more; free some space, no restart is needed")
        self._state = (count + 1, end, hash_)

    # Health

    @property
    def problem(self) -> str | None:
        """Return what is wrong, None when all is well; it may be wrong before requests are refused."""
        return self._refused or self._problem or self._short or None

    def refuse(self, reason: str) -> None:
        """Refuse to record, and with that every request, for a reason from elsewhere; "" ends that."""
        self._refused = self._broken or reason

    def _failure(self, error: OSError) -> AuditUnavailable:
        self._problem = (
            f"the audit log in {self._directory} cannot be written: {error.strerror}; free some space or"
            " repair the disk, no restart is needed"
        )
        return AuditUnavailable(self._problem)

    # Segments

    def open(self, node: str) -> None:
        """Begin; a lack of space is no error yet, but nothing can be recorded until it is over."""
        self._node = node
        try:
            self._find_previous()
        except OSError as error:
            log.error("audit_log_fails", reason=str(self._failure(error)))
        else:
            self._problem = ""
        self._reserve()
        self._thread = threading.Thread(target=self._run, name="audit log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Bring everything to disk and let go."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._sync()
        self._refused = "the audit log is closed"
        with self._lock:
            for file in (self._file, self._next):
                if file is not None:
                    file.end(self._state[1] if file is self._file else 0)
            self._file = self._next = None

    def _find_previous(self) -> None:
        """Find where the last process in this row ended, and give back what it had reserved."""
        mine = [name for name in segments(self._directory) if name.row == self._row]
        self._number = max((name.number for name in mine), default=0)
        for name in reversed(mine):
            path = self._directory / str(name)
            segment = Segment(str(name), path.read_bytes())
            if not segment.begun:
                # It would be taken for one that was lost.
                path.unlink()
                self._number = name.number - 1
                continue
            try:
                segment.read()
            except Damage as damage:
                self._damaged = True
                log.error("audit_segment_damaged", segment=str(name), record=damage.record, what=str(damage))
            else:
                os.truncate(path, segment.size)
            self._previous = Previous(str(name), segment.head)
            self._tell(heads.Published(str(name), segment.size, segment.head))
            return
        self._tell(heads.Published("", 0, Head(0, GENESIS)))  # later there may be no space for the file

    def _reserve(self) -> None:
        """Have space for the next segment; the log tells once when there is none."""
        with self._lock:
            if self._next is not None or (self._short and time.monotonic() - self._tried_at < RETRY):
                return
            self._tried_at = time.monotonic()
            try:
                self._next = _File(self._directory, SegmentName(self._row, self._number + 1), self._size)
            except OSError as error:
                short = (
                    f"there is no space for more of the audit log in {self._directory}: {error.strerror};"
                    " free some, no restart is needed"
                )
                if not self._short:
                    log.error("audit_space_short", reason=short)
                self._short = short
                return
            if self._short:
                log.info("audit_space_enough")
            self._short = ""
            self._number += 1

    def _begin_next(self, room: int) -> None:
        """Go on in the segment that is reserved; raises AuditUnavailable when there is none."""
        self._reserve()
        with self._lock:
            following = self._next
            if following is None:
                raise AuditUnavailable(self._short or self._problem)
            if self._file is not None:
                self._previous = Previous(str(self._file.name), Head(self._state[0], self._state[2]))
                self._damaged = False
            line = header(
                following.name,
                node=self._node,
                pid=os.getpid(),
                started=int(time.time()),
                previous=self._previous,
                damaged=self._damaged,
            )
            if len(line) + 1 + room > following.size:
                raise AuditUnavailable("the record is longer than a segment; raise audit.segment_size")
            try:
                os.pwrite(following.descriptor, line + b"\n", 0)
            except OSError as error:
                raise self._failure(error) from error
            if self._file is not None:
                self._ended.append((self._file, self._state))
            self._file, self._next = following, None
            self._descriptor, self._end = following.descriptor, following.size
            self._state = (0, len(line) + 1, link(GENESIS, line))

    # The thread

    def _run(self) -> None:
        while not self._stop.wait(SYNC):
            try:
                self._sync()
                self._reserve()
            except Exception as error:
                # Without this thread nothing is brought to disk.
                self._refused = self._broken = (
                    f"the audit log stopped: {type(error).__name__}; restart the server"
                )
                log.exception("audit_log_fails")

    def _sync(self) -> None:
        """Bring to disk what was written, then tell where it ends."""
        with self._lock:
            ended, self._ended = self._ended, []
            file, state = self._file, self._state
        try:
            for old, end in ended:
                os.fdatasync(old.descriptor)
                self._publish(old, end)
            if file is not None and (ended or state is not self._synced):
                os.fdatasync(file.descriptor)
                self._publish(file, state)
                self._synced = state
        except OSError as error:
            # What the kernel could not write it may have dropped: nothing here can be trusted to be on disk.
            self._refused = self._broken = (
                f"the audit log in {self._directory} cannot be brought to disk: {error.strerror}; repair the"
                " disk and start the server again"
            )
            log.error("audit_log_fails", reason=self._broken)
            return
        for old, end in ended:
            with contextlib.suppress(OSError):  # what was reserved stays reserved then
                old.end(end[1])
        if self._problem and file is not None:
            self._problem = ""

    def _publish(self, file: _File, state: tuple[int, int, bytes]) -> None:
        self._tell(heads.Published(str(file.name), state[1], Head(state[0], state[2])))

    def _tell(self, published: heads.Published) -> None:
        # Without it checkpoints sign less than they might, and that is all.
        with contextlib.suppress(OSError):
            heads.publish(self._directory, self._row, published)
