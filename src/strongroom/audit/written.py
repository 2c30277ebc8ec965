"""How far the segments of a log go that others are writing meanwhile.

Rule: whoever copies or verifies a log asks here first, and then reads no further. A segment is written from
its beginning, so what stands before its last byte is there; and the newest of a row is asked first, so that
what it says of the one before it is there, too.
"""

import os
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
