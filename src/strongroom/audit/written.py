"""How far the segments of a log go that others are writing meanwhile.

Rule: whoever copies or verifies a log asks here first, and then reads no further. A segment is written from
its beginning, so what stands before its last byte is there; and the newest of a row is asked first, so that
what it says of the one before it is there, too.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom.audit.segments import SegmentName, segments

_PIECE: Final = 64 << 10


def written(directory: Path) -> dict[SegmentName, int]:
    """Return the bytes of each segment that has begun, by row and number. Raises OSError."""
    found: dict[SegmentName, int] = {}
    for name in reversed(segments(directory)):
        try:
            size = _used(directory / str(name))
        except FileNotFoundError:
            continue  # it was reserved, and is not needed any more
        if size:
            found[name] = size
    return dict(reversed(found.items()))


def contents(directory: Path) -> Iterator[tuple[SegmentName, bytes]]:
    """Yield each segment that has begun, and what was in it when this began. Raises OSError."""
    for name, size in written(directory).items():
        yield name, beginning(directory / str(name), size)


def beginning(path: Path, size: int) -> bytes:
    """Return the beginning of a file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(size)


def _used(path: Path) -> int:
    """Return the size without the zeros at the end, which are reserved for more."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        while end:
            start = max(0, end - _PIECE)
            used = len(os.pread(file.fileno(), end - start, start).rstrip(b"\0"))
            if used:
                return start + used
            end = start
    return 0
