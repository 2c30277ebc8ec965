"""Segments: the files that reads and refusals are recorded in.

Rule: the layout of a segment is known here and nowhere else; nothing here writes one. One process at a time
writes a segment, and holds a lock on it.

    reads-ROW-NUMBER.log    a header, then records, then zeros that are reserved for more
    header                  one line of JSON: the node, the row of the worker, the number of the segment in
                            its row, and where the segment before it ended
    record                  an event, a space, the first 16 hex digits of its hash, a newline

The header is the first record in the chain of its segment (`domain.chain`), so it is protected like the rest.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from strongroom.domain.audit import canonical
from strongroom.domain.chain import GENESIS, Head, link

FORMAT: Final = "strongroom reads 1"
SHOWN: Final = 8
"""Bytes of a hash that stand beside its record."""

SUFFIX: Final = ".log"

_HEADER: Final = {
    "damaged": bool,
    "format": str,
    "node": str,
    "number": int,
    "pid": int,
    "row": int,
    "started": int,
}


class SegmentName(NamedTuple):
    """Which segment a file is."""

    row: int
    number: int

    def __str__(self) -> str:
        return f"reads-{self.row:03d}-{self.number:08d}{SUFFIX}"


class Damage(Exception):
    """A segment is not as it was written; `record` is the number of the first bad record, 0 the header."""

    def __init__(self, record: int, what: str) -> None:
        super().__init__(what)
        self.record = record


class Previous(NamedTuple):
    """Where the segment before another one ended."""

    name: str
    head: Head


def segment_name(file_name: str) -> SegmentName | None:
    """Return which segment a file is, None for any other file."""
    parts = file_name.removesuffix(SUFFIX).split("-")
    if len(parts) != 3 or parts[0] != "reads" or not (parts[1] + parts[2]).isdecimal():
        return None
    name = SegmentName(int(parts[1]), int(parts[2]))
    return name if str(name) == file_name else None


def segments(directory: Path) -> list[SegmentName]:
    """Return the segments in a directory, by row and number; those that are only reserved, too."""
    return sorted(name for file in directory.iterdir() if (name := segment_name(file.name)) is not None)


def header(
    name: SegmentName, *, node: str, pid: int, started: int, previous: Previous | None, damaged: bool
) -> bytes:
    """Return the header of a segment that begins now, without its newline.

    `damaged`: of the segment before it, what follows `previous` could not be read.
    """
    return canonical(
        {
            "damaged": damaged,
            "format": FORMAT,
            "node": node,
            "number": name.number,
            "pid": pid,
            "previous": None
            if previous is None
            else {"head": previous.head.hash.hex(), "name": previous.name, "records": previous.head.position},
            "row": name.row,
            "started": started,
        }
    )


class Segment:
    """The content of a segment. Reading raises Damage, after everything that is good."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content
        self.head = Head(0, GENESIS)
        """The end of what was read so far; the header is no record."""
        self.size = 0
        """Bytes that were read so far."""
        self.torn = False
        """A record was begun and not finished: its process ended before it answered."""
        self.facts: dict[str, Any] = {}

    @property
    def begun(self) -> bool:
        """Tell whether there is anything in it."""
        return self._content[:1] not in (b"", b"\0")

    def read_header(self) -> None:
        """Read what the segment says of itself, into `facts`."""
        end = self._content.find(b"\n")
        line = self._content[:end]
        try:
            facts = json.loads(line)
            if end < 0 or facts["format"] != FORMAT or canonical(facts) != line:
                raise ValueError
            if {name: type(value) for name, value in facts.items()} != {
                **_HEADER,
                "previous": type(facts["previous"]),
            }:
                raise ValueError
            self.previous(facts)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise Damage(0, "the header is no header of a segment") from None
        self.facts = facts
        self.head = Head(0, link(GENESIS, line))
        self.size = end + 1

    @staticmethod
    def previous(facts: dict[str, Any]) -> Previous | None:
        """Return where the segment before it ended, as the header says."""
        before = facts["previous"]
        if before is None:
            return None
        return Previous(str(before["name"]), Head(int(before["records"]), bytes.fromhex(before["head"])))

    def records(self) -> Iterator[bytes]:
        """Yield the events."""
        content = self._content
        while True:
            end = content.find(b"\n", self.size)
            if end < 0 or content[self.size] == 0:
                self._check_end()
                return
            number, line = self.head.position + 1, content[self.size : end]
            event, _, shown = line.rpartition(b" ")
            hash_ = link(self.head.hash, event)
            if shown != hash_[:SHOWN].hex().encode():
                raise Damage(number, "the record does not follow from the one before it")
            self.head = Head(number, hash_)
            self.size = end + 1
            yield event

    def _check_end(self) -> None:
        """Return if what follows the last record is reserved space, or a record that was not finished."""
        rest = self._content[self.size :]
        written = rest.rstrip(b"\0")
        self.torn = bool(written)
        if b"\0" in written:
            raise Damage(self.head.position + 1, "a record is missing before others")

    def read(self) -> None:
        """Read everything, for the end alone."""
        self.read_header()
        for _ in self.records():
            pass
