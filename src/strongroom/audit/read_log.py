"""Where one worker records what no commit carries: reads, and what was refused.

Rule: a record is with the operating system when `record` returns, so the end of the process loses nothing;
it is on disk within `SYNC` seconds and what the disk takes. Space is reserved before it is needed. What
cannot be recorded raises AuditUnavailable, and then the request is not answered; so does everything once the
disk has failed for `PATIENCE` seconds.

Records are written with `pwrite` and not through mapped memory: that is a microsecond slower, but a disk that
fails or fills raises an error then, where it would kill the process.
"""

import contextlib
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
from strongroom.audit.open_segment import NOTHING, OpenSegment, State
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
"""Seconds after which space is looked for again, and a disk that failed is tried."""

PATIENCE: Final = 5.0
"""Seconds for which records are taken that the disk does not keep."""

_PEERS: Final = 4096

log = structlog.get_logger()


class Again(NamedTuple):
    """An event but for its time and peer: what stands between them, and what follows."""

    head: bytes
    tail: bytes


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
        self._file: OpenSegment | None = None
        self._next: OpenSegment | None = None
        self._descriptor = -1
        self._end = 0
        self._state = NOTHING
        self._ended: list[tuple[OpenSegment, State]] = []
        self._problem = "the audit log is not open"
        self._short = ""
        self._refused = ""
        self._broken = ""
        self._elsewhere = ""
        self._failing_since: float | None = None
        self._tried_at = 0.0
        self._at: datetime | None = None
        self._stamp = b""
        self._peers: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
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
        self._elsewhere = reason
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
                name = SegmentName(self._row, self._number + 1)
                self._next = OpenSegment(self._directory, name, self._size)
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
        while not self._stop.wait(SYNC if self._failing_since is None else RETRY):
            try:
                self._sync()
                self._reserve()
            except Exception as error:
                # Without this thread nothing is brought to disk.
                stopped = f"the audit log stopped: {type(error).__name__}; restart the server"
                if self._broken != stopped:  # it is tried again and again
                    log.exception("audit_log_fails")
                self._refused = self._broken = stopped

    def _sync(self) -> None:
        """Bring to disk what was written, then tell where it ends."""
        with self._syncing:  # a segment is ended once
            self._sync_alone()

    def _sync_alone(self) -> None:
        with self._lock:
            ended = list(self._ended)
            file, state = self._file, self._state
        try:
            for old, end in ended:
                self._bring(old, end)
            if file is not None:
                self._bring(file, state)
        except OSError as error:
            self._fail(error)
            return
        with self._lock:
            del self._ended[: len(ended)]
        for old, end in ended:
            with contextlib.suppress(OSError):  # what was reserved stays reserved then
                old.end(end[1])
        if self._failing_since is not None:
            self._failing_since, self._broken, self._refused = None, "", self._elsewhere
            log.info("audit_log_works_again")
        if self._problem and file is not None:
            self._problem = ""

    def _bring(self, file: OpenSegment, state: State) -> None:
        if state is not file.synced:
            file.sync(state, again=self._failing_since is not None)
            self._publish(file, state)

    def _fail(self, error: OSError) -> None:
        """Go on for a while without the disk, since the system has all records; then take no more."""
        now = time.monotonic()
        self._problem = (
            f"the audit log in {self._directory} cannot be brought to disk: {error.strerror}; check the disk,"
            " no restart is needed"
        )
        if self._failing_since is None:
            self._failing_since = now
            log.error("audit_log_fails", reason=self._problem)
        elif now - self._failing_since >= PATIENCE:
            self._refused = self._broken = self._problem

    def _publish(self, file: OpenSegment, state: State) -> None:
        self._tell(heads.Published(str(file.name), state[1], Head(state[0], state[2])))

    def _tell(self, published: heads.Published) -> None:
        # Without it checkpoints sign less than they might, and that is all.
        with contextlib.suppress(OSError):
            heads.publish(self._directory, self._row, published)
