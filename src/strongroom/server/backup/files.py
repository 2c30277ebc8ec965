"""The files of a data directory, read for a backup while others change them.

Rule: what is replaced as a whole is read as a whole, and all of it as it was at one moment, with the keys of
that moment. The audit log only grows: what speaks of the store or of another file is read before that one, so
that it never says too much.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.audit.checkpoints import FILE as CHECKPOINTS
from strongroom.audit.directory import NODE
from strongroom.audit.heads import PATTERN as ENDS
from strongroom.audit.keeper import ANCHORED
from strongroom.audit.segments import SegmentName
from strongroom.audit.written import written
from strongroom.server.backup.parts import plain_files
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError

TRIES: Final = 10
"""How often is looked for a moment at which nobody changes anything."""

_PIECE: Final = 256 << 10


class Stamp(NamedTuple):
    """A file at one moment: another one, or other content, has another stamp."""

    name: str
    inode: int
    size: int
    modified: int
    changed: int


def stamps(directory: DataDirectory, names: Iterable[str]) -> list[Stamp]:
    """Return the stamps of files; one that is gone has none. Raises OperatorError."""
    found = []
    for name in names:
        path = directory.path / name
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(path, error) from error
        found.append(Stamp(name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return found


def settled_files(directory: DataDirectory) -> dict[str, bytes]:
    """Return the files that are copied as they are, but for the audit log. Raises OperatorError."""
    for _ in range(TRIES):
        before = stamps(directory, plain_files(directory))
        found = {stamp.name: _content(directory.path / stamp.name) for stamp in before}
        if stamps(directory, plain_files(directory)) == before:
            return {name: content for name, content in found.items() if content is not None}
    raise OperatorError(f"files in {directory.path} change all the time; make the backup again")


class AuditFiles:
    """The audit log of a node: its checkpoints as far as they went when this was made, its reads to the end.

    Make it before the snapshot: a checkpoint may not speak of changes that will not be in it.
    """

    def __init__(self, directory: DataDirectory) -> None:
        """Raises OperatorError."""
        self._folder = directory.audit
        self._prefix = directory.audit.name
        # Before the checkpoints that it says were anchored.
        self._anchored = _content(self._folder / ANCHORED)
        self._checkpoints = sum(stamp.size for stamp in stamps(directory, [self._name(CHECKPOINTS)]))
        self._begun = self._written()

    def read(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name of each file and its content, in pieces. Raises OperatorError."""
        if self._anchored is not None:
            yield self._name(ANCHORED), iter((self._anchored,))
        if self._checkpoints:
            yield self._name(CHECKPOINTS), _pieces(self._folder / CHECKPOINTS, self._checkpoints)
        for path in [*sorted(self._folder.glob(ENDS)), self._folder / NODE]:
            content = _content(path)
            if content is not None:
                yield self._name(path.name), iter((content,))
        segments = self._written()
        if self._begun.keys() - segments.keys():
            raise OperatorError("old parts of the audit log were removed meanwhile; make the backup again")
        # What is too old is removed meanwhile (`audit.keep_days`), and the oldest goes next.
        for name in sorted(segments, key=self._written_at):
            yield self._name(str(name)), _pieces(self._folder / str(name), segments[name])

    def _written_at(self, name: SegmentName) -> float:
        path = self._folder / str(name)
        try:
            return path.stat().st_mtime
        except OSError as error:
            raise _unreadable(path, error) from error

    def _written(self) -> dict[SegmentName, int]:
        try:
            return written(self._folder)
        except FileNotFoundError:
            return {}  # nothing was ever recorded
        except OSError as error:
            raise _unreadable(self._folder, error) from error

    def _name(self, file: str) -> str:
        return f"{self._prefix}/{file}"


def _content(path: Path) -> bytes | None:
    """Return what is in a file, None when it is gone. Raises OperatorError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """Yield the beginning of a file. Raises OperatorError."""
    try:
        with path.open("rb") as file:
            while size and (piece := file.read(min(_PIECE, size))):
                size -= len(piece)
                yield piece
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(f"cannot read {path}: {error.strerror or error}; make the backup again")
