"""Makes checkpoints: for all workers of a node, one after the other.

Rule: whoever has the lock of the audit log's folder makes one, and knows everything from the files in it; so
it does not matter which worker it is, or that it is killed. Everything here blocks: it has no place on an
event loop.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.audit import heads
from strongroom.audit.checkpoints import FILE, NO_DIGEST, Checkpoint, NotSigned, digest
from strongroom.audit.directory import sync_directory
from strongroom.audit.heads import Published
from strongroom.audit.keys import SigningKey, VerifyingKey
from strongroom.audit.outlets import Outlet, OutletFailed
from strongroom.audit.segments import Damage, Segment, SegmentName, segment_name, segments
from strongroom.domain.audit import canonical
from strongroom.domain.chain import EMPTY, Head

LOCK: Final = "lock"
ANCHORED: Final = "anchored"
PATIENCE: Final = 10.0
"""Seconds to wait for another process that makes a checkpoint."""

_ORPHANED: Final = 3600
"""Seconds without a change after which a segment that nobody has locked is nobody's."""

_TAIL: Final = 1 << 16
_HEADER: Final = 4096


class CheckpointFailed(Exception):
    """No checkpoint was made, or not where it should be; the message says why."""


class Busy(CheckpointFailed):
    """Another process is at it."""


class Place(NamedTuple):
    """The last checkpoint that an anchor has taken, and since when (seconds) it takes no more, 0: it does."""

    number: int
    failing_since: int


_NOWHERE: Final = Place(0, 0)


class Keeper:
    """Makes the checkpoints of a node, and brings them to its anchors."""

    def __init__(
        self,
        directory: Path,
        *,
        node: str,
        key: SigningKey,
        anchors: Mapping[str, Outlet],
        keep: int | None = None,
    ) -> None:
        """`anchors` have the names of their settings; `keep` is how many seconds segments stay, None: all."""
        self._directory = directory
        self._node = node
        self._key = key
        self._anchors = dict(anchors)
        self._keep = keep

    @property
    def public(self) -> VerifyingKey:
        """Return what its signatures are checked with."""
        return self._key.public

    def last(self) -> Checkpoint | None:
        """Return the last checkpoint. Raises CheckpointFailed when it is not ours."""
        line = self._last_line()
        if line is None:
            return None
        try:
            return Checkpoint.read(line, [self._key.public])
        except NotSigned as error:
            raise CheckpointFailed(
                f"the last line of {self._directory / FILE}: {error}; verify the audit log"
            ) from error

    def behind(self, last: Checkpoint) -> dict[str, int]:
        """Return the anchors that lack the last checkpoint, with since how many seconds they lag behind."""
        known, now = self._anchored(), int(time.time())
        places = {name: known.get(name, _NOWHERE) for name in self._anchors}
        return {
            name: max(0, now - (place.failing_since or last.at))
            for name, place in places.items()
            if place.number < last.number
        }

    def make(self, changes: Head, now: int, reason: str, *, seen: Checkpoint | None) -> Checkpoint | None:
        """Make a checkpoint if there is news since the last; return it, None when there is none.

        `seen` was the last before `changes` was read. If another one has been made since, that one may be
        ahead of `changes`, and there is nothing to sign for: the last line is what a store is compared with.
        Raises CheckpointFailed.
        """
        with self._locked():
            last = self.last()
            if last != seen:
                return None
            self._tidy(now)
            reads = self._ends(last)
            removed = tuple(self._too_old(last, now))
            before = (EMPTY, ()) if last is None else (last.changes, last.reads)
            if (changes, reads) == before and not removed:
                return None
            checkpoint = Checkpoint(
                number=1 if last is None else last.number + 1,
                at=now,
                node=self._node,
                reason=reason,
                previous=NO_DIGEST if last is None else digest(self._last_line() or b""),
                changes=changes,
                reads=reads,
                removed=removed,
            )
            self._append(checkpoint.line(self._key))
            for name in removed:
                (self._directory / name).unlink(missing_ok=True)
            return checkpoint

    def anchor(self, *, patience: float = PATIENCE) -> None:
        """Bring the last checkpoint to the anchors that lack it.

        Raises CheckpointFailed for those that do not take it, Busy when another process has been at it for
        longer than `patience` seconds.
        """
        if not self._anchors:
            return
        with self._locked(patience):
            last, line = self.last(), self._last_line()
            if last is None or line is None:
                return
            known, failures = self._anchored(), []
            for name, outlet in self._anchors.items():
                place = known.get(name, _NOWHERE)
                if place.number >= last.number:
                    continue
                try:
                    outlet.send([last.anchor(line, self._key)])
                except OutletFailed as error:
                    failures.append(f"{name} ({error})")
                    known[name] = Place(place.number, place.failing_since or int(time.time()))
                else:
                    known[name] = Place(last.number, 0)
            self._note(known)
        if failures:
            raise CheckpointFailed(f"the audit log cannot be anchored in {', '.join(failures)}")

    # Files

    @contextlib.contextmanager
    def _locked(self, patience: float = PATIENCE) -> Iterator[None]:
        give_up = time.monotonic() + patience
        try:
            descriptor = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        raise Busy("another process has been at a checkpoint for long") from None
                    time.sleep(0.01)
            try:
                yield
            except OSError as error:
                raise self._failed(error) from error
        finally:
            os.close(descriptor)

    def _failed(self, error: OSError) -> CheckpointFailed:
        return CheckpointFailed(f"no checkpoint can be made in {self._directory}: {error.strerror}")

    def _last_line(self) -> bytes | None:
        """Return the last whole line; one that was not finished was never acknowledged."""
        try:
            with (self._directory / FILE).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                step = _TAIL
                while True:
                    file.seek(max(0, size - step))
                    lines = file.read().split(b"\n")
                    if len(lines) > 2 or step >= size:
                        return lines[-2] if len(lines) > 1 else None
                    step *= 4
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error

    def _append(self, line: bytes) -> None:
        path = self._directory / FILE
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # Somebody was killed in the middle of a line.
                tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
                size -= len(tail) - (tail.rfind(b"\n") + 1)
                os.ftruncate(descriptor, size)
            content = line + b"\n"
            if os.pwrite(descriptor, content, size) != len(content):
                os.ftruncate(descriptor, size)
                raise CheckpointFailed(f"there is no space for a checkpoint in {self._directory}")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_directory(self._directory)

    def _anchored(self) -> dict[str, Place]:
        try:
            said = json.loads((self._directory / ANCHORED).read_bytes())
            return {str(name): Place(*map(int, place)) for name, place in said.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # what is anchored twice does no harm

    def _note(self, anchored: Mapping[str, Place]) -> None:
        temporary = self._directory / f".{ANCHORED}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(canonical(anchored))
        temporary.rename(self._directory / ANCHORED)

    # Segments

    def _ends(self, last: Checkpoint | None) -> tuple[Published, ...]:
        """Return where segments end: of each row the newest, and those that ended since `last`."""
        covered = _newest(() if last is None else last.reads)
        rows: dict[int, list[SegmentName]] = {}
        for name in segments(self._directory):
            rows.setdefault(name.row, []).append(name)
        ends: list[Published] = []
        for row, names in sorted(rows.items()):
            seen = covered.get(row)
            since = 0 if seen is None else seen[0].number
            published = self._published(row)
            current = None if published is None else segment_name(published.name)
            for name, following in zip(names, [*names[1:], None], strict=True):
                if name.number < since:
                    continue
                if name == current and published is not None:
                    ends.append(published)
                elif following is not None and (end := self._end_before(name, following)) is not None:
                    ends.append(end)
        listed = {segment_name(end.name).row for end in ends if segment_name(end.name)}  # type: ignore[union-attr]
        # A row whose segments are all gone is still named, so that it is not taken for one that was removed.
        ends += [end for row, (_, end) in covered.items() if row not in listed]
        return tuple(sorted(ends))

    def _published(self, row: int) -> Published | None:
        for _ in range(5):
            try:
                published = heads.read(heads.path(self._directory, row))
            except FileNotFoundError:
                return None
            if published is not None:
                return published
            time.sleep(0.001)
        return None

    def _end_before(self, name: SegmentName, following: SegmentName) -> Published | None:
        """Return where a segment ended, as the one after it says."""
        path = self._directory / str(following)
        with path.open("rb") as file:
            segment = Segment(str(following), file.read(_HEADER))
        if not segment.begun:
            return None
        try:
            segment.read_header()
        except Damage:
            return None
        before = Segment.previous(segment.facts)
        if before is None or before.name != str(name):
            return None
        return Published(str(name), (self._directory / str(name)).stat().st_size, before.head)

    def _tidy(self, now: int) -> None:
        """Give back the space that a process had reserved which was killed, and whose row nobody has now."""
        for name in segments(self._directory):
            path = self._directory / str(name)
            with contextlib.suppress(OSError), path.open("r+b") as file:
                # Between making a segment and locking it is a moment, not an hour.
                if now - os.fstat(file.fileno()).st_mtime < _ORPHANED:
                    continue
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.seek(-1, os.SEEK_END)
                if file.read(1) == b"\0":
                    file.seek(0)
                    used = len(file.read().rstrip(b"\0"))
                    if used:
                        file.truncate(used)
                    else:
                        path.unlink()

    def _too_old(self, last: Checkpoint | None, now: int) -> Iterator[str]:
        """Yield the segments that may go: old, and their end stands in a checkpoint."""
        if self._keep is None or last is None:
            return
        covered = _newest(last.reads)
        for name in segments(self._directory):
            seen = covered.get(name.row)
            # The newest of a row stays: the next one says where it ended.
            if seen is None or name.number >= seen[0].number:
                continue
            if now - (self._directory / str(name)).stat().st_mtime > self._keep:
                yield str(name)


def _newest(ends: Sequence[Published]) -> dict[int, tuple[SegmentName, Published]]:
    """Return the newest segment of each row."""
    found: dict[int, tuple[SegmentName, Published]] = {}
    for end in ends:
        name = segment_name(end.name)
        if name is not None and (name.row not in found or found[name.row][0] < name):
            found[name.row] = name, end
    return found
