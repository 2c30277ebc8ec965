"""A segment of the log of reads that is being written.

Rule: what the disk keeps of it and what only the system has so far are told apart here, and nowhere else.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final, TypeAlias

from strongroom.audit.directory import sync_directory
from strongroom.audit.segments import Damage, Segment, SegmentName
from strongroom.domain.chain import GENESIS, Head

State: TypeAlias = tuple[int, int, bytes]
"""Records, bytes and hash: one tuple, so that the thread sees three numbers that belong together."""

NOTHING: Final[State] = (0, 0, GENESIS)


class OpenSegment:
    """A segment that is open for writing, its space reserved."""

    def __init__(self, directory: Path, name: SegmentName, size: int) -> None:
        """Make it and reserve its space, so that it is there after a power cut. Raises OSError."""
        self.name = name
        self.path = directory / str(name)
        self.size = size
        self.synced = NOTHING
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

    def sync(self, state: State, *, again: bool) -> None:
        """Bring to disk what there is up to `state`. Raises OSError.

        `again`: the disk has refused that before. The system takes what it could not write for written then,
        so it is written once more; raises Damage if the system gives back something else by now.
        """
        if again:
            content = os.pread(self.descriptor, state[1], 0)
            segment = Segment(str(self.name), content)
            segment.read()
            if segment.head != Head(state[0], state[2]):
                raise Damage(segment.head.position + 1, "what was not on disk yet is lost")
            start = self.synced[1]
            if os.pwrite(self.descriptor, content[start:], start) != len(content) - start:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(self.descriptor)
        self.synced = state

    def end(self, used: int) -> None:
        """Give back what was not used, and close."""
        if used:
            os.ftruncate(self.descriptor, used)
            os.fsync(self.descriptor)
        else:
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)
