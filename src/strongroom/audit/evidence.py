"""What an auditor has: a copy of a data directory, or an export.

Rule: both give the same things to look at, byte for byte as they were recorded, and nothing here judges them.
The store of a copy is read with SQLite and never written.
"""

import json
import sqlite3
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from strongroom.audit import checkpoints
from strongroom.audit.segments import SegmentName, segment_name
from strongroom.audit.written import beginning, contents, written
from strongroom.domain.audit import ChainedEvent, canonical
from strongroom.domain.chain import EMPTY, Head

EXPORT: Final = "strongroom audit export 1"
DATABASE: Final = "strongroom.db"
FOLDER: Final = "audit"
_CONFIGURATION: Final = "strongroom.toml"
_LONGEST_LINE: Final = 4 << 20


class NoEvidence(Exception):
    """There is nothing that can be verified; the message says why and what to give instead."""


class Evidence(Protocol):
    """What is to be verified. Any method may raise NoEvidence."""

    @property
    def taken(self) -> int | None:
        """Return when it was taken (seconds), None where that is not known."""

    @property
    def start(self) -> Head:
        """Return the end of the chain of changes before the first that is there."""

    def changes(self) -> Iterator[ChainedEvent]:
        """Yield the chain of changes by position; what is no hash is empty, what is no position 0."""

    def unchained(self) -> int:
        """Return how many events have no place in the chain yet."""

    def segments(self) -> list[SegmentName]:
        """Return the segments, by row and number."""

    def segment(self, name: SegmentName) -> bytes:
        """Return the content of a segment."""

    def checkpoints(self) -> Iterator[bytes]:
        """Yield the lines of the checkpoints."""


class Copy:
    """A copy of a data directory: the database with its -wal, and the folder `audit`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path / FOLDER
        self._written: dict[SegmentName, int] = {}
        self._database = path / _database_name(path)
        if not self._database.exists():
            raise NoEvidence(
                f"there is no database {self._database}; copy it together with its -wal file and the folder"
                f" {FOLDER}, or give what `strongroom audit export` wrote"
            )
        if not self._folder.is_dir():
            raise NoEvidence(f"there is no folder {self._folder}; copy it, too")

    @property
    def taken(self) -> None:
        return None

    @property
    def start(self) -> Head:
        return EMPTY

    def changes(self) -> Iterator[ChainedEvent]:
        sql = "SELECT position, hash, event FROM audit WHERE position IS NOT NULL ORDER BY position"
        with closing(self._open()) as connection:
            for position, hash_, event in _rows(connection, sql):
                # SQLite keeps values of any type in any column, whoever edits it.
                yield ChainedEvent(
                    position if isinstance(position, int) else 0,
                    hash_ if isinstance(hash_, bytes) else b"",
                    event if isinstance(event, bytes) else str(event).encode(),
                )

    def unchained(self) -> int:
        with closing(self._open()) as connection:
            ((count,),) = _rows(connection, "SELECT count(*) FROM audit WHERE position IS NULL")
            return int(count)

    def segments(self) -> list[SegmentName]:
        self._written = written(self._folder)
        return list(self._written)

    def segment(self, name: SegmentName) -> bytes:
        return beginning(self._folder / str(name), self._written[name])

    def checkpoints(self) -> Iterator[bytes]:
        try:
            content = (self._folder / checkpoints.FILE).read_bytes()
        except FileNotFoundError:
            return
        # What has no newline was never finished.
        yield from content.split(b"\n")[:-1]

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._database))}?mode=ro"
        try:
            connection = sqlite3.connect(uri, uri=True)
            connection.execute("SELECT 1 FROM sqlite_schema").close()
        except sqlite3.Error:
            # A copy on a medium that cannot be written: nothing changes there.
            connection = sqlite3.connect(f"{uri}&immutable=1", uri=True)
        return connection


def _rows(connection: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    try:
        yield from connection.execute(sql)
    except sqlite3.Error as error:
        raise NoEvidence(
            f"the database cannot be read as one with an audit chain: {error}; copy it again, or upgrade it"
        ) from error


def _database_name(path: Path) -> str:
    try:
        store = tomllib.loads((path / _CONFIGURATION).read_text(encoding="utf-8")).get("store", "")
    except (OSError, ValueError):
        return DATABASE
    if isinstance(store, str) and store.startswith("sqlite:///"):
        return store.removeprefix("sqlite:///")
    if store:
        raise NoEvidence("the store is no SQLite file; give what `strongroom audit export` wrote")
    return DATABASE


class Export:
    """What `write_export` wrote, read whole but for the changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segments: dict[SegmentName, list[bytes]] = {}
        self._checkpoints: list[bytes] = []
        self.start = EMPTY
        self.taken = 0
        self._read()

    def changes(self) -> Iterator[ChainedEvent]:
        for number, (kind, said) in enumerate(self._lines(), 1):
            if kind == "change":
                with self._expected(number):
                    change = ChainedEvent(int(said["position"]), bytes.fromhex(said["hash"]), _event(said))
                yield change

    def unchained(self) -> int:
        return 0

    def segments(self) -> list[SegmentName]:
        return sorted(self._segments)

    def segment(self, name: SegmentName) -> bytes:
        return b"".join(self._segments[name])

    def checkpoints(self) -> Iterator[bytes]:
        yield from self._checkpoints

    def _read(self) -> None:
        current: list[bytes] | None = None
        number, ended = 0, False
        for number, (kind, said) in enumerate(self._lines(), 1):
            if (kind == "export") is not (number == 1) or ended:
                raise NoEvidence(f"{self._path} is no audit export of this release")
            with self._expected(number):
                match kind:
                    case "export":
                        if said["format"] != EXPORT:
                            raise ValueError
                        self.taken = int(said["at"])
                        self.start = Head(int(said["from"]["position"]), bytes.fromhex(said["from"]["head"]))
                    case "segment":
                        name = segment_name(said["name"])
                        if name is None:
                            raise ValueError
                        current = self._segments[name] = [_event(said), b"\n"]
                    case "read" if current is not None:
                        current += [_event(said), b" ", said["hash"].encode(), b"\n"]
                    case "checkpoint":
                        self._checkpoints.append(canonical(said))
                    case "end":
                        ended = said["lines"] == number
                    case "change":
                        pass
                    case _:
                        raise ValueError
        if not ended:
            raise NoEvidence(
                f"{self._path} is not whole: its last line is missing or was moved; export again"
            )

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        try:
            with self._path.open("rb") as file:
                while line := file.readline(_LONGEST_LINE):
                    number += 1
                    with self._expected(number):
                        said = json.loads(line)
                        kind = "checkpoint" if "signature" in said else next(iter(said), "")
                        what = said if kind == "checkpoint" else said[kind]
                    yield kind, what
        except OSError as error:
            raise NoEvidence(f"cannot read {self._path}: {error.strerror}") from error

    @contextmanager
    def _expected(self, number: int) -> Iterator[None]:
        """Turn what a line of another form raises into NoEvidence."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError):
            raise NoEvidence(f"{self._path}: line {number} is not one of an audit export") from None


class Lines(NamedTuple):
    """What an export is made of."""

    node: str
    at: int
    start: Head
    changes: Iterable[ChainedEvent]
    folder: Path


def export_lines(what: Lines) -> Iterator[bytes]:
    """Yield the lines of an export, without newlines: changes first, then segments and checkpoints.

    Checkpoints are read last, so they may speak of changes that are not in the export; `changes` therefore
    has to end behind the last one that was signed before this is called.
    """
    lines = 1
    # Read before the changes: whatever they sign is in the store by then.
    try:
        signed = (what.folder / checkpoints.FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        signed = []
    start = {"head": what.start.hash.hex(), "position": what.start.position}
    yield canonical({"export": {"at": what.at, "format": EXPORT, "from": start, "node": what.node}})
    for change in what.changes:
        lines += 1
        yield canonical(
            {"change": {**_said(change.event), "hash": change.hash.hex(), "position": change.position}}
        )
    for name, content in contents(what.folder):
        head, _, records = content.partition(b"\n")
        lines += 1
        yield canonical({"segment": {**_said(head), "name": str(name)}})
        *whole, _ = records.split(b"\n")
        for record in whole:
            event, _, shown = record.rpartition(b" ")
            lines += 1
            yield canonical({"read": {**_said(event), "hash": shown.decode("latin-1")}})
    for line in signed:
        lines += 1
        yield line
    yield canonical({"end": {"lines": lines + 1}})


def write_export(file: IO[bytes], lines: Iterable[bytes]) -> None:
    """Write an export."""
    for line in lines:
        file.write(line + b"\n")


def _said(event: bytes) -> dict[str, object]:
    """Return an event as it can be read; what would not give the same bytes again stays as it is."""
    try:
        said = json.loads(event)
        if canonical(said) == event:
            return {"event": said}
    except (ValueError, RecursionError):
        pass
    return {"raw": b64encode(event).decode()}


def _event(said: dict[str, Any]) -> bytes:
    if "raw" in said:
        return b64decode(said["raw"], validate=True)
    return canonical(said["event"])
