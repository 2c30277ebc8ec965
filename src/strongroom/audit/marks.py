"""What stands outside the store about how far it was: the last lines of checkpoints and of anchors in files.

Rule: reading only. Who put the database back to an earlier day did not sign these lines, and cannot.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.audit.checkpoints import FILE, Anchor, Checkpoint, NotSigned, digest, is_unfinished
from strongroom.audit.keys import VerifyingKey
from strongroom.domain.chain import Head

_FILE: Final = "file:"
_TAIL: Final = 1 << 20
"""Bytes at the end of a file that are looked at: more than any line has."""


class Mark(NamedTuple):
    """The end of the chain of changes at one moment, by a signed line outside the store.

    `checkpoint` is the digest of the checkpoint that the line is or stands for.
    """

    place: str
    at: int
    checkpoint: str
    changes: Head


class Unreadable(Exception):
    """A place that should have a mark cannot be read; the message says which and why."""


def marks(folder: Path, anchors: Iterable[str], key: VerifyingKey) -> Iterator[Mark]:
    """Yield the last mark of each place: the checkpoints in `folder`, and anchors that are files.

    A place without any line has none. Raises Unreadable.
    """
    line = _last_line(folder / FILE)
    if line is not None:
        try:
            checkpoint = Checkpoint.read(line, [key])
        except NotSigned as error:
            raise Unreadable(f"{folder / FILE}: {error}") from error
        yield Mark(str(folder / FILE), checkpoint.at, digest(line), checkpoint.changes)
    for place in anchors:
        if not place.startswith(_FILE):
            continue  # what was sent away cannot be asked for; `audit verify --anchor` compares a copy
        path = Path(place.removeprefix(_FILE))
        line = _last_line(path, skip=is_unfinished)
        if line is None:
            continue
        try:
            anchor = Anchor.read(line, [key])
        except NotSigned as error:
            raise Unreadable(f"{path}: {error}") from error
        yield Mark(str(path), anchor.at, anchor.checkpoint, anchor.changes)


def _all_count(_line: bytes) -> bool:
    return False


def _last_line(path: Path, skip: Callable[[bytes], bool] = _all_count) -> bytes | None:
    """Return the last whole line of a file that is not to be skipped, None when there is none.

    Raises Unreadable, also when there is none in a tail that is not the whole file.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    for line in reversed(lines[:-1]):
        if not skip(line):
            return line
    if size > _TAIL:
        raise Unreadable(f"{path}: there is no line that can be read at its end")
    return None
