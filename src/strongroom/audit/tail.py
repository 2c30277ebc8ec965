"""What segments have got since the last look.

Rule: reads what workers write, never more than is whole, and keeps its place as a number of bytes, so that it
goes on there after a restart.
"""

import os
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from strongroom.audit.segments import SegmentName, segments


class Place(NamedTuple):
    """Where somebody has read up to in the segments of a row."""

    number: int
    offset: int


class Record(NamedTuple):
    """A record of a segment, as it is told to others."""

    segment: str
    offset: int
    event: bytes


def ends(folder: Path) -> dict[int, Place]:
    """Return where every row ends now. Raises OSError."""
    places: dict[int, Place] = {}
    for name in segments(folder):
        content = (folder / str(name)).read_bytes()
        if content[:1] not in (b"", b"\0"):
            places[name.row] = Place(name.number, content.rfind(b"\n") + 1)
    return places


def read(folder: Path, places: Mapping[int, Place], most: int) -> tuple[list[Record], dict[int, Place], bool]:
    """Return what is new, at most about `most` bytes of it, the places behind it, and whether there is more.

    Raises OSError.
    """
    found: list[Record] = []
    after, left = dict(places), most
    for row, names in groupby(segments(folder), key=lambda name: name.row):
        place = after.get(row, Place(0, 0))
        behind = [name for name in names if name.number >= place.number]
        for name, following in zip(behind, [*behind[1:], None], strict=True):
            # Asked before it is read: once the next one has begun, this one gets no more.
            ended = following is not None and _read(folder / str(following), 0, 1) != b""
            offset = place.offset if name.number == place.number else 0
            content = _read(folder / str(name), offset, left)
            cut = len(content) >= left
            whole = content[: content.rfind(b"\n") + 1]
            if whole:
                found += _records(name, offset, whole)
                left -= len(whole)
                after[row] = Place(name.number, offset + len(whole))
            if cut:
                return found, after, True
            if not ended:
                break
    return found, after, False


def _read(path: Path, offset: int, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.pread(descriptor, most, offset)
        end = content.find(b"\0")
        content = content if end < 0 else content[:end]
        if 1 < len(content) == most and b"\n" not in content:  # one record that is longer than that
            content = os.pread(descriptor, 1 << 20, offset)
        return content
    finally:
        os.close(descriptor)


def _records(name: SegmentName, offset: int, content: bytes) -> list[Record]:
    found = []
    for line in content.split(b"\n")[:-1]:
        if offset:  # the header is no record
            found.append(Record(str(name), offset, line.rpartition(b" ")[0]))
        offset += len(line) + 1
    return found


def to_json(places: Mapping[int, Place]) -> dict[str, list[int]]:
    """Return places as JSON holds them."""
    return {str(row): list(place) for row, place in places.items()}


def from_json(said: Mapping[str, list[int]]) -> dict[int, Place]:
    """Return what `to_json` was given. Raises ValueError and TypeError."""
    return {int(row): Place(*map(int, place)) for row, place in said.items()}
