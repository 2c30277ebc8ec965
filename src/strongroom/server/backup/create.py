"""Making a backup of a data directory, whether a server runs on it or not.

Rule: the snapshot comes first and the keys second, so that every key that sealed something in it is there.
The files come third, and if a key was replaced meanwhile, the keys and they are read again. A file of that
name appears when the backup is whole and on disk, and never in place of another.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from secrets import randbits
from typing import Any, BinaryIO, Final, TypeAlias

from strongroom.domain.backups import STORE_KEYS, WRAPPED, Row, Snapshot, Table
from strongroom.domain.store_failures import StoreFailure
from strongroom.server.backup.archive import ArchiveWriter, Header, PartBegins
from strongroom.server.backup.encryption import encrypting
from strongroom.server.backup.files import TRIES, AuditFiles, settled_files, stamps
from strongroom.server.backup.making import configuration_on
from strongroom.server.backup.parts import sealed_files
from strongroom.server.config import DEFAULT_STORE, FILE_NAME, load_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, nested, text, texts
from strongroom.server.ports import Adapters
from strongroom.version import VERSION

KEYS: Final = "keys"
"""The part with what is secret."""

Report: TypeAlias = Callable[[str, int, int], None]
"""Told how far things are: what is being done, how many are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was made."""

    header: Header
    recipients: tuple[str, ...]
    size: int
    sha256: str


def create_backup(
    directory: DataDirectory,
    adapters: Adapters,
    target: Path,
    recipients: tuple[str, ...],
    *,
    call: Callable[[Message], object],
    report: Report,
) -> Made:
    """Write a backup to `target`, which only `recipients` can open. Raises OperatorError.

    Without any it is for the recovery kit, and the server says whose that is. `call` has an administration
    command done, by the server if one runs. Raises PendingApproval, too, where people have to agree to other
    recipients than the recovery kit.
    """
    settings = load_settings(directory.configuration)
    audit = AuditFiles(directory)
    with _new_file(target) as file:
        sink = _Sink(file)

        async def work() -> tuple[Header, tuple[str, ...]]:
            async with adapters.take_snapshot(settings, directory) as snapshot:
                keys, files = await _keys_and_files(snapshot, directory, recipients, call)
                header = await _header(snapshot, text(keys, "backup"))
                openers = tuple(texts(keys, "recipients"))
                with encrypting(sink, openers) as plain:
                    archive = ArchiveWriter(plain.write, header)
                    archive.begin(PartBegins(KEYS, "keys"))
                    archive.data(b64decode(text(keys, "secrets"), validate=True))
                    archive.end()
                    _write_files(archive, files, audit)
                    await _write_tables(archive, snapshot, header.counts, report)
                    await _sign(archive, header, call)
                return header, openers

        try:
            header, openers = asyncio.run(work())
        except StoreFailure as error:
            raise OperatorError(str(error)) from error
        except OSError as error:
            raise OperatorError(f"cannot write {target}: {error.strerror or error}") from error
    return Made(header=header, recipients=openers, size=sink.size, sha256=sink.digest.hexdigest())


async def _header(snapshot: Snapshot, backup: str) -> Header:
    return Header(
        backup=backup,
        created_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        server=VERSION,
        schema=snapshot.schema,
        database=snapshot.database,
        counts={table.name: await snapshot.count(table) for table in snapshot.tables},
    )


async def _keys_and_files(
    snapshot: Snapshot,
    directory: DataDirectory,
    recipients: tuple[str, ...],
    call: Callable[[Message], object],
) -> tuple[Message, Mapping[str, bytes]]:
    """Return everything secret and the files beside it, as they were at one moment."""
    again: str | None = None
    for _ in range(TRIES):
        before = stamps(directory, _sealed_names(directory))
        keys = await _keys(snapshot, recipients, call, again)
        again = text(keys, "backup")
        files = settled_files(directory)
        # What could not be restored is said now, while it can be put right.
        configuration_on(DEFAULT_STORE, files[FILE_NAME].decode())
        if stamps(directory, _sealed_names(directory)) == before:
            return keys, files
    raise OperatorError("the certificate authorities are being replaced; make the backup again later")


def _sealed_names(directory: DataDirectory) -> list[str]:
    return [name for name, _ in sealed_files(directory)]


async def _keys(
    snapshot: Snapshot, recipients: tuple[str, ...], call: Callable[[Message], object], again: str | None
) -> Message:
    """Return everything secret, encrypted, after checking that no key of the snapshot is missing."""
    table = Table(STORE_KEYS, ("store_key",))
    # Read first, which is also what makes the snapshot one of before the keys.
    wanted = {number async for page in snapshot.rows(table) for (number,) in page}
    request: Message = {"command": "backup.keys", "recipients": list(recipients), "again": again}
    # Without a server, the command has an event loop of its own.
    answer = nested({"answer": await asyncio.to_thread(call, request)}, "answer")
    given: Any = answer.get("store_keys")
    if not isinstance(given, list) or not wanted <= set(given):
        raise OperatorError("the server did not give every store key; make the backup again")
    return answer


async def _sign(archive: ArchiveWriter, header: Header, call: Callable[[Message], object]) -> None:
    request: Message = {"command": "backup.sign", "backup": header.backup, "digest": archive.finish().hex()}
    answer = nested({"answer": await asyncio.to_thread(call, request)}, "answer")
    archive.sign(text(answer, "key"), bytes.fromhex(text(answer, "signature")))


def _write_files(archive: ArchiveWriter, files: Mapping[str, bytes], audit: AuditFiles) -> None:
    for name, pieces in chain(((name, (content,)) for name, content in files.items()), audit.read()):
        archive.begin(PartBegins(name, "file"))
        for piece in pieces:
            archive.data(piece)
        archive.end()


async def _write_tables(
    archive: ArchiveWriter, snapshot: Snapshot, counts: Mapping[str, int], report: Report
) -> None:
    for table in snapshot.tables:
        archive.begin(PartBegins(table.name, "table", table.columns, table.order))
        done = 0
        async for rows in snapshot.rows(table):
            archive.rows(without_wrapping(table, rows))
            done += len(rows)
            report(table.name, done, counts[table.name])
        archive.end()


def without_wrapping(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """Return rows without what depends on the root key: a restored store has another one."""
    if table.name != STORE_KEYS:
        return rows
    place = table.columns.index(WRAPPED)
    return [(*row[:place], b"", *row[place + 1 :]) for row in rows]


class _Sink:
    """The file, its size and its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes, /) -> object:
        self.size += len(data)
        self.digest.update(data)
        return self._file.write(data)


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """Give a file (0600) that becomes `target` when the block ends, on disk; it never replaces one."""
    if target.exists() or target.is_symlink():
        raise OperatorError(f"{target} exists already; a backup never overwrites a file")
    # In a container each process has the number of the one before, and on a shared file system several may
    # have the same: what another has left, or still writes, is not ours.
    partial = target.with_name(f".{target.name}.{randbits(32)}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(f"cannot write to {target.parent}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        _rename(partial, target)
        parent = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except FileExistsError:
        raise OperatorError(f"{target} exists already; a backup never overwrites a file") from None
    except OSError as error:
        cure = "; free some space and make it again" if error.errno == errno.ENOSPC else ""
        raise OperatorError(f"cannot write {target}: {error.strerror or error}{cure}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()


def _rename(partial: Path, target: Path) -> None:
    try:
        # Unlike a rename, this never takes the place of a file that came meanwhile.
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links, each of which says so in its own way.
        if target.exists():
            raise FileExistsError from None
        partial.rename(target)
