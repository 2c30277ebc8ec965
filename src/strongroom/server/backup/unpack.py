"""Reading a backup into an empty store and a folder: what verifying and restoring have in common.

Rule: everything is compared: each part with its digest, the tables with those of the schema, and what the
database gives back with what was put in.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pyrage import x25519

from strongroom.audit.keys import VerifyingKey
from strongroom.domain.backups import STORE_KEYS, WRAPPED, AuditEnd, Filling, Opened, Row, Table
from strongroom.domain.ports import RootKey
from strongroom.server.backup.archive import (
    ArchiveCut,
    ArchiveError,
    ArchiveReader,
    Data,
    Event,
    Header,
    Manifest,
    PartBegins,
    PartEnds,
    Rows,
    digest_of,
)
from strongroom.server.backup.create import KEYS, Report, without_wrapping
from strongroom.server.backup.encryption import decrypt, decrypting
from strongroom.server.backup.parts import MAX_CONFIGURATION, checked_name
from strongroom.server.backup.secrets import Secrets
from strongroom.server.backup.secrets import unpack as unpack_secrets
from strongroom.server.backup.signature import check
from strongroom.server.config import FILE_NAME
from strongroom.server.data_directory import sync_directory
from strongroom.server.errors import OperatorError
from strongroom.server.root.announcing import RootHandover

_LEFT_BEHIND: Final = frozenset({RootHandover.kind})
"""Kinds of entries. A root key that was announced to other nodes is not that of the new store, and whoever
restores may be able to reach it: both stores would be under one root key, and one could let go of it."""

_MAX_SECRETS: Final = 64 << 20


@dataclass(kw_only=True)
class Contents:
    """What was in a backup, beside the rows."""

    header: Header
    secrets: Secrets
    configuration: str
    files: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    opened: Opened = field(default_factory=Opened)
    audit_end: AuditEnd = field(default_factory=AuditEnd)
    doubts: list[str] = field(default_factory=list)
    signed_by: str = ""
    """The key of who made it, if that was proved."""

    def problems(self) -> list[str]:
        """Return what is wrong with the records, one line for each."""
        refused, breaks = self.opened.refused, self.audit_end.breaks
        told = {*refused, *(f"event at position {position}" for position in breaks)}
        found = [f"{name} does not open" for name in refused]
        found += [f"event {one} of the audit log does not follow from the one before it" for one in breaks]
        return found + [doubt for doubt in self.doubts if doubt.partition(":")[0] not in told]


@contextmanager
def backup_events(file: Path, identities: Sequence[x25519.Identity]) -> Iterator[Iterator[Event]]:
    """Give what is in a backup file, read as it is asked for. Raises OperatorError with the place."""
    with decrypting(file, identities) as content:
        reader = ArchiveReader(content.read)

        def events() -> Iterator[Event]:
            try:
                yield from reader.events()
            except ArchiveError as error:
                if isinstance(error, ArchiveCut):
                    content.check(f"it was read {reader.where}")
                raise type(error)(f"{file}: {error}") from error

        yield events()


class Unpacking:
    """One backup on its way: first `front`, then `tables`."""

    def __init__(
        self,
        events: Iterator[Event],
        identities: Sequence[x25519.Identity],
        *,
        folder: Path,
        report: Report,
        signer: VerifyingKey | None,
    ) -> None:
        """`signer` is whose backup it has to be, None where that need not be proved."""
        self._events = events
        self._identities = identities
        self._signer = signer
        self._folder = folder
        self._report = report
        self._first_table: PartBegins | None = None

    def front(self) -> Contents:
        """Return what stands before the tables; files other than the configuration are in the folder then.

        Raises OperatorError.
        """
        header = self._next()
        assert isinstance(header, Header)
        begins = self._next()
        if not isinstance(begins, PartBegins) or begins.kind != "keys" or begins.name != KEYS:
            raise ArchiveError("the backup has no keys")
        sealed = self._content(_MAX_SECRETS)
        secrets = unpack_secrets(decrypt(sealed, self._identities))
        contents = Contents(header=header, secrets=secrets, configuration="")
        while isinstance(begins := self._next(), PartBegins) and begins.kind == "file":
            if begins.name == FILE_NAME:
                contents.configuration = self._content(MAX_CONFIGURATION).decode("utf-8", "replace")
            else:
                self._save(checked_name(begins.name, contents.configuration))
                contents.files.append(begins.name)
        self._sync_folders(contents.files)
        if not contents.configuration:
            raise ArchiveError("the backup has no configuration")
        if not isinstance(begins, PartBegins) or begins.kind != "table":
            raise ArchiveError("the backup has no tables")
        self._first_table = begins
        return contents

    async def tables(
        self, contents: Contents, filling: Filling, root_key: RootKey, *, every: int = 1
    ) -> None:
        """Put the rows into an empty store, compare, and open one record in `every`; all are indexed at 1.

        `contents` then say how many rows there were, and what was opened. Raises OperatorError, StoreFailure.
        """
        wanted = {table.name: set(table.columns) for table in await filling.begin(contents.header.schema)}
        ended: list[tuple[Table, PartEnds]] = []
        begins: Event | None = self._first_table
        while isinstance(begins, PartBegins):
            table = begins.table
            if begins.kind != "table" or wanted.get(table.name) != set(table.columns):
                schema = contents.header.schema
                raise ArchiveError(f"the backup has a table {table.name} that schema {schema} has not")
            ended.append((table, await self._fill(table, contents, filling, root_key)))
            begins = self._next()
        assert isinstance(begins, Manifest)
        if self._signer is not None:
            check(begins.signature, self._signer)
            contents.signed_by = self._signer.id
        missing = wanted.keys() - {table.name for table, _ in ended}
        if missing:
            raise ArchiveError(f"the backup lacks the table {', '.join(sorted(missing))}")
        for table, end in ended:
            contents.rows[table.name] = end.size
            await _compare(table, end, filling)
        await filling.upgrade()
        self._report("records", 0, 0)
        contents.opened = await filling.open_records(root_key, every=every)
        contents.audit_end = await filling.audit_end()
        if every == 1:
            contents.doubts = await filling.doubts(root_key)

    async def _fill(self, table: Table, contents: Contents, filling: Filling, root_key: RootKey) -> PartEnds:
        """Put the rows of a table into the store; return how many, and their digest."""
        done, total = 0, contents.header.counts.get(table.name, 0)
        digest = hashlib.sha256()
        while isinstance(event := self._next(), Rows):
            rows = _staying(table, event.rows)
            done += digest_of(rows, digest)
            await filling.put(table, _wrapped(table, rows, contents.secrets, root_key))
            self._report(table.name, done, total)
        assert isinstance(event, PartEnds)
        return PartEnds(table.name, done, digest.hexdigest())

    def _next(self) -> Event:
        return next(self._events)

    def _content(self, most: int) -> bytes:
        found = bytearray()
        while isinstance(event := self._next(), Data):
            found += event.data
            if len(found) > most:
                raise ArchiveError("the backup has a part that is too long")
        return bytes(found)

    def _save(self, name: str) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = 0o644 if path.suffix in (".pem", ".pub") else 0o600
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with open(descriptor, "wb") as file:
                while isinstance(event := self._next(), Data):
                    file.write(event.data)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise OperatorError(f"cannot write {path}: {error.strerror}") from error

    def _sync_folders(self, names: Iterable[str]) -> None:
        """Bring to disk which files there are, as their content is."""
        for folder in {(self._folder / name).parent for name in names}:
            try:
                sync_directory(folder)
            except OSError as error:
                raise OperatorError(f"cannot write {folder}: {error.strerror}") from error


def _staying(table: Table, rows: list[Row]) -> list[Row]:
    """Return rows without those that are of use only to the server of which the backup was made."""
    if table.name != "entries" or "kind" not in table.columns:
        return rows
    kind = table.columns.index("kind")
    return [row for row in rows if row[kind] not in _LEFT_BEHIND]


def _wrapped(table: Table, rows: list[Row], secrets: Secrets, root_key: RootKey) -> list[Row]:
    """Return rows with the store keys wrapped by the root key of the new store."""
    if table.name != STORE_KEYS:
        return rows
    number, place = table.columns.index("store_key"), table.columns.index(WRAPPED)
    found: list[Row] = []
    for row in rows:
        key = secrets.store_keys.get(row[number])  # type: ignore[arg-type]  # whatever it is
        if key is None:
            raise ArchiveError(f"the backup lacks the store key {row[number]!r}")
        found.append((*row[:place], root_key.wrap(key), *row[place + 1 :]))
    return found


async def _compare(table: Table, end: PartEnds, filling: Filling) -> None:
    digest = hashlib.sha256()
    count = 0
    async for rows in filling.rows(table):
        count += digest_of(without_wrapping(table, rows), digest)
    if count != end.size or digest.hexdigest() != end.sha256:
        raise OperatorError(
            f"the database gives back something else than was put into its table {table.name}; "
            "nothing was restored; look at its log, and whether its encoding is UTF-8"
        )
