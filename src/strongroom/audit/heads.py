"""Where each worker's segment ends on disk, as the worker itself says.

Rule: a worker tells only what it has brought to disk, so a checkpoint never speaks of more than a power cut
leaves. The file is written in place, since there may be no space for another.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.domain.audit import canonical
from strongroom.domain.chain import Head

_SIZE: Final = 256
_CHECK: Final = 8


PATTERN: Final = "end-*"
"""The files of all rows, in their folder."""


class Published(NamedTuple):
    """The end of a segment: its name, its bytes, and its chain."""

    name: str
    size: int
    head: Head


def path(directory: Path, row: int) -> Path:
    """Return the file of a row."""
    return directory / f"end-{row:03d}"


def publish(directory: Path, row: int, published: Published) -> None:
    """Tell where the segment of a row ends. Raises OSError."""
    said = canonical(
        {
            "head": published.head.hash.hex(),
            "name": published.name,
            "records": published.head.position,
            "size": published.size,
        }
    )
    content = (sha256(said).hexdigest()[:_CHECK].encode() + said).ljust(_SIZE)
    descriptor = os.open(path(directory, row), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, content, 0)
    finally:
        os.close(descriptor)


def read(file: Path) -> Published | None:
    """Return what a file says, None when it is being written at this moment, or says nothing."""
    content = file.read_bytes().rstrip()
    check, said = content[:_CHECK], content[_CHECK:]
    if check != sha256(said).hexdigest()[:_CHECK].encode():
        return None
    try:
        facts = json.loads(said)
        return Published(
            str(facts["name"]), int(facts["size"]), Head(int(facts["records"]), bytes.fromhex(facts["head"]))
        )
    except (ValueError, KeyError, TypeError):
        return None
