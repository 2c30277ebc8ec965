"""The form of a backup inside its encryption: a stream of frames, the same for every database.

Rule: no file, no key and no database here. Whatever bytes come, reading ends in an event or in an
ArchiveError that says where, and never takes much more memory than a frame may have.

    archive   MAGIC, frames
    frame     kind (1 byte), size (4 bytes), content
    H         header, JSON: format, backup, created_at, server, schema, database, counts
    P         a part begins, JSON: name, kind (keys, file, table), for a table its columns and
              those that its rows are sorted by
    R         rows of a table, each value tagged: 0 nothing, 1 integer, 2 text, 3 bytes
    D         bytes of keys or of a file
    E         the part ends, JSON: size (rows or bytes), sha256 of them
    M         manifest, JSON: the names, sizes and digests of all parts
    S         signature, JSON: key, signature (hex) of the SHA-256 of all that came before; nothing follows
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from strongroom.domain.backups import Row, Table, Value
from strongroom.server.errors import OperatorError

MAGIC: Final = b"STRONGROOM BACKUP\n"
FORMAT: Final = 2
"""Counted up by a change that an older release would misread. 1 is not signed."""

_UNSIGNED: Final = 1

MAX_FRAME: Final = (1 << 30) + (72 << 20)
"""Bytes: a row of PostgreSQL is as large as a message may be (`limits.message_size`), one of SQLite has
64 MiB at most."""

_FULL: Final = 256 << 10
"""Bytes of rows in one frame, unless a single one is larger."""

_MAX_TEXT: Final = 1 << 20
"""Bytes of a frame that holds JSON; a manifest may have as many more as what it says of its parts."""

_NAME: Final = re.compile("[!-~]{1,100}")
_DATABASES: Final = ("sqlite", "postgresql")
_KEY: Final = re.compile("[0-9a-f]{16}")
_SIGNATURE: Final = re.compile("[0-9a-f]{128}")

_FRAME: Final = struct.Struct(">cI")
_INTEGER: Final = struct.Struct(">Bq")
_SIZED: Final = struct.Struct(">BI")
_NOTHING: Final = b"\0"

PartKind: TypeAlias = Literal["keys", "file", "table"]


class ArchiveError(OperatorError):
    """These bytes are no backup; the message says where it shows."""


class ArchiveCut(ArchiveError):
    """The bytes end before the backup does."""


class NewerFormat(ArchiveError):
    """A newer Strongroom made the backup."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a backup says of itself. `created_at` is ISO 8601; `counts` are rows by table."""

    backup: str
    created_at: str
    server: str
    schema: str
    database: str
    counts: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT


class PartBegins(NamedTuple):
    """What follows belongs to this part. `columns` are those of a table, else empty."""

    name: str
    kind: PartKind
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        return Table(self.name, self.columns, self.order)


class Rows(NamedTuple):
    """Some rows of the table that has begun."""

    rows: list[Row]


class Data(NamedTuple):
    """Some bytes of the file that has begun."""

    data: bytes


class PartEnds(NamedTuple):
    """The part is complete: how many rows or bytes it has, and their SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class Signature(NamedTuple):
    """Who is said to have made the backup: the name of a key, its signature, and the digest it signs."""

    key: str
    value: bytes
    digest: bytes


class Manifest(NamedTuple):
    """The end: every part, in order; the signature is None in a backup of an older release."""

    parts: tuple[PartEnds, ...]
    signature: Signature | None


Event: TypeAlias = Header | PartBegins | Rows | Data | PartEnds | Manifest


def encode_row(row: Row) -> bytes:
    """Return a row as it stands in a backup, and as it is counted in digests."""
    return b"".join(map(_encode, row))


def _encode(value: Value) -> bytes:
    match value:
        case None:
            return _NOTHING
        case bool():
            raise TypeError("a backup has no form for bool")
        case int():
            return _INTEGER.pack(1, value)
        case str():
            encoded = value.encode()
            return _SIZED.pack(2, len(encoded)) + encoded
        case bytes():
            return _SIZED.pack(3, len(value)) + value
        case float():
            # SQLite keeps values of any type. No column of ours has this one, so no record with it opens.
            return _encode(repr(value))
        case _:
            raise TypeError(f"a backup has no form for {type(value).__name__}")


def decode_rows(content: bytes, columns: int) -> Iterator[Row]:
    """Yield the rows in a frame: in memory they can take far more. Raises ArchiveError."""
    at, end = 0, len(content)
    try:
        while at < end:
            row: list[Value] = []
            for _ in range(columns):
                tag = content[at]
                if tag == 0:
                    row.append(None)
                    at += 1
                elif tag == 1:
                    row.append(_INTEGER.unpack_from(content, at)[1])
                    at += _INTEGER.size
                elif tag in (2, 3):
                    size = _SIZED.unpack_from(content, at)[1]
                    at += _SIZED.size
                    value = content[at : at + size]
                    if len(value) != size:
                        raise ArchiveError("a value is longer than its frame")
                    row.append(value.decode() if tag == 2 else value)
                    at += size
                else:
                    raise ArchiveError(f"a value of the unknown type {tag}")
            yield tuple(row)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ArchiveError("a row is not whole") from error


class ArchiveWriter:
    """Writes one backup, part after part."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write = write
        self._parts: list[PartEnds] = []
        self._part: PartBegins | None = None
        self._digest = hashlib.sha256()
        self._count = 0
        self._all = hashlib.sha256(MAGIC)
        write(MAGIC)
        self._frame(b"H", _json(asdict(header)))

    def begin(self, part: PartBegins) -> None:
        """Begin a part; the one before has ended."""
        assert self._part is None, "a part has not ended"
        self._part, self._count, self._digest = part, 0, hashlib.sha256()
        self._frame(b"P", _json(part._asdict()))

    def rows(self, rows: Iterable[Row]) -> None:
        """Write rows of the table that has begun."""
        waiting = bytearray()
        for row in rows:
            waiting += encode_row(row)
            self._count += 1
            if len(waiting) >= _FULL:
                self._content(b"R", waiting)
                waiting = bytearray()
        if waiting:
            self._content(b"R", waiting)

    def data(self, data: bytes) -> None:
        """Write bytes of the file that has begun."""
        for start in range(0, len(data), _FULL):
            piece = data[start : start + _FULL]
            self._count += len(piece)
            self._content(b"D", piece)

    def end(self) -> PartEnds:
        """End the part and return what the manifest will say of it."""
        assert self._part is not None, "no part has begun"
        ended = PartEnds(self._part.name, self._count, self._digest.hexdigest())
        self._frame(b"E", _json(ended._asdict()))
        self._parts.append(ended)
        self._part = None
        return ended

    def finish(self) -> bytes:
        """Write the manifest and return the digest to be signed."""
        assert self._part is None, "a part has not ended"
        self._frame(b"M", _json({"parts": [part._asdict() for part in self._parts]}))
        return self._all.digest()

    def sign(self, key: str, signature: bytes) -> None:
        """Write the signature of the digest; without it, a backup is not whole."""
        self._frame(b"S", _json({"key": key, "signature": signature.hex()}))

    def _content(self, kind: bytes, content: bytes | bytearray) -> None:
        self._digest.update(content)
        self._frame(kind, content)

    def _frame(self, kind: bytes, content: bytes | bytearray) -> None:
        if len(content) > MAX_FRAME:
            raise OperatorError(f"a record of {len(content)} bytes does not fit into a backup")
        for piece in (_FRAME.pack(kind, len(content)), bytes(content)):
            self._all.update(piece)
            self._write(piece)


class ArchiveReader:
    """Reads one backup. `read(n)` gives n bytes, fewer only at the end of what there is."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._part: PartBegins | None = None
        self._count = 0
        self._whole = False
        self._header: Header | None = None
        self._all = hashlib.sha256()
        self._listed = 0  # bytes that a manifest needs for the parts so far

    @property
    def where(self) -> str:
        """Return where the reader is, for a message."""
        if self._whole:
            return "behind its end"
        if self._header is None:
            return "in its header"
        if self._part is None:
            return "between two parts"
        if self._part.kind != "table":
            return f"in {self._part.name}, after {self._count} bytes"
        rows = self._header.counts.get(self._part.name)
        return f"in the table {self._part.name}, after {self._count}{f' of {rows}' if rows else ''} rows"

    def events(self) -> Iterator[Event]:
        """Yield what the backup holds, the manifest last. Raises ArchiveError."""
        try:
            yield from self._events()
        except ArchiveError as error:
            if error.args and error.args[0].startswith("the backup "):
                raise
            raise type(error)(f"the backup is damaged {self.where}: {error}") from error

    def _events(self) -> Iterator[Event]:
        if self._exactly(len(MAGIC)) != MAGIC:
            raise ArchiveError("it does not begin as one")
        self._header = self._read_header()
        yield self._header
        ended: list[PartEnds] = []
        names: set[str] = set()
        while True:
            kind, content = self._frame()
            if kind == b"M":
                break
            if kind != b"P":
                raise ArchiveError("a part is missing")
            part = self._part_begins(content)
            if part.name in names:
                raise ArchiveError(f"{part.name} comes twice")
            names.add(part.name)
            self._part, self._count = part, 0
            yield part
            end = yield from self._contents(part)
            ended.append(end)
            self._listed += len(_json(end._asdict())) + 1
            self._part = None
            yield end
        if _fields(content, {"parts": list})["parts"] != [part._asdict() for part in ended]:
            raise ArchiveError("its parts are not those of its manifest")
        signature = None if self._header.format == _UNSIGNED else self._signature()
        self._whole = True
        if self._read(1):
            raise ArchiveError("something follows")
        yield Manifest(tuple(ended), signature)

    def _contents(self, part: PartBegins) -> Generator[Event, None, PartEnds]:
        digest = hashlib.sha256()
        wanted = b"R" if part.kind == "table" else b"D"
        while True:
            kind, content = self._frame()
            if kind == b"E":
                break
            if kind != wanted:
                raise ArchiveError("content of another kind")
            digest.update(content)
            if wanted == b"D":
                self._count += len(content)
                yield Data(content)
            else:
                rows = list(islice(decode_rows(content, len(part.columns)), _FULL + 1))
                # Each has a byte at least, and all but the last begin before a frame is full.
                if len(rows) > _FULL:
                    raise ArchiveError("a frame of more rows than any has")
                self._count += len(rows)
                yield Rows(rows)
        end = PartEnds(**_fields(content, {"name": str, "size": int, "sha256": str}))
        if end != PartEnds(part.name, self._count, digest.hexdigest()):
            raise ArchiveError("its size or digest is not that of its content")
        return end

    def _signature(self) -> Signature:
        digest = self._all.digest()
        kind, content = self._frame()
        if kind != b"S":
            raise ArchiveError("there is no signature")
        values = _fields(content, {"key": str, "signature": str})
        # Whoever made the backup chose these texts, and one of them is told to whoever compares it.
        if not _KEY.fullmatch(values["key"]) or not _SIGNATURE.fullmatch(values["signature"]):
            raise ArchiveError("a signature that cannot be")
        return Signature(values["key"], bytes.fromhex(values["signature"]), digest)

    def _read_header(self) -> Header:
        kind, content = self._frame()
        if kind != b"H":
            raise ArchiveError("there is no header")
        found = _object(content)
        number = found.get("format")
        if isinstance(number, int) and number > FORMAT:
            raise NewerFormat(
                f"the backup has format {number}, this Strongroom reads formats up to {FORMAT}; "
                "restore it with the newer Strongroom"
            )
        texts = dict.fromkeys(("backup", "created_at", "server", "schema", "database"), str)
        values = _fields(content, {**texts, "counts": dict, "format": int})
        if (
            values["format"] not in (_UNSIGNED, FORMAT)
            or not all(type(n) is int and n >= 0 for n in values["counts"].values())
            or not _NAME.fullmatch(values["backup"])
            or values["database"] not in _DATABASES
            or not _is_moment(values["created_at"])
        ):
            raise ArchiveError("its header says what cannot be")
        return Header(**values)

    def _part_begins(self, content: bytes) -> PartBegins:
        values = _fields(content, {"name": str, "kind": str, "columns": list, "order": list})
        columns, order = values["columns"], values["order"]
        table = values["kind"] == "table"
        if (
            values["kind"] not in get_args(PartKind)
            or not all(isinstance(column, str) for column in columns)
            or bool(columns) != table
            or any(name not in columns for name in order)
        ):
            raise ArchiveError("a part that cannot be")
        return PartBegins(values["name"], values["kind"], tuple(columns), tuple(order))

    def _frame(self) -> tuple[bytes, bytes]:
        kind, size = _FRAME.unpack(self._exactly(_FRAME.size))
        if kind not in b"HPRDEMS":
            raise ArchiveError("a frame of no known kind")
        most = MAX_FRAME if kind in b"RD" else _MAX_TEXT + self._listed if kind == b"M" else _MAX_TEXT
        if size > most:
            raise ArchiveError(f"a frame of {size} bytes")
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        found = self._read(size)
        if len(found) != size:
            raise ArchiveCut(f"the backup ends too early: {self.where}")
        self._all.update(found)
        return found


def digest_of(rows: Iterable[Row], so_far: "hashlib._Hash") -> int:
    """Count rows into a digest, as a part does, and return how many there were."""
    count = 0
    for row in rows:
        so_far.update(encode_row(row))
        count += 1
    return count


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArchiveError("a frame is no JSON") from error
    if not isinstance(found, dict):
        raise ArchiveError("a frame is no JSON object")
    return found


def _fields(content: bytes, wanted: dict[str, type]) -> dict[str, Any]:
    """Return the fields of a frame, which are these and of these types. Raises ArchiveError."""
    found = _object(content)
    if found.keys() != wanted.keys() or not all(type(found[name]) is kind for name, kind in wanted.items()):
        raise ArchiveError("a frame has other fields than it should")
    return found
