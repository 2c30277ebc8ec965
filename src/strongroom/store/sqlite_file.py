"""An SQLite database file: opening it, writing change sets to it, and what its errors mean.

Rule: every write to an SQLite store is in `SqliteFile.apply`, whether a writer process or an administration
command calls it. A process that has the database open never opens the file by other means (a copy, a
checksum): closing it would drop SQLite's locks.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from strongroom.store import migrate, statements, versions
from strongroom.store.audit_chain import ChainEnd
from strongroom.store.changes import Row, Writes, client_exists, name_taken
from strongroom.store.records import (
    ChangeSet,
    ClientExists,
    Conflict,
    NameTaken,
    StoreUnavailable,
)

Answer: TypeAlias = tuple[int, bytes | str]
"""What became of a change set, and a detail: the name key of NAME_TAKEN, a message of the last three."""

COMMITTED: Final = 0
CONFLICT: Final = 1
NAME_TAKEN: Final = 2
CLIENT_EXISTS: Final = 3
UNAVAILABLE: Final = 4
REFUSED: Final = 5
NOT_SCRUBBED: Final = 6

_EVENTS: Final = Writes._fields.index("events")

_DONE: Final[Answer] = (COMMITTED, "")
_LOST_RACE: Final[Answer] = (CONFLICT, "")

LOOK: Final = "look before you repeat it"

BUSY_TIMEOUT: Final = 5_000
"""Milliseconds to wait for another program (a backup, a shell) that has the database locked."""

SCRUB_TIMEOUT: Final = 50
"""Milliseconds to wait for readers before the write-ahead log is emptied: changes wait meanwhile."""

# Pages that change again and again are then copied into the database once in so many, not each time; a
# restart after a crash reads 32 MiB at most.
CHECKPOINT_PAGES: Final = 8_000
CACHE_KIB: Final = 32_768


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing database of the right schema.

    Raises sqlite3.Error, SchemaTooNew, SchemaTooOld, StoreGone.
    """
    # Never created here: an empty database in place of a lost one would look like a fresh store.
    uri = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT / 1000)
    try:
        versions.check(migrate.sqlite_version(connection), str(path))
        migrate.overwrite(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def unavailable(path: Path, error: sqlite3.Error) -> StoreUnavailable:
    """Return the error that says what happened and what cures it."""
    code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    cure = next((cure for prefix, cure in _CURES.items() if code.startswith(prefix)), None)
    if cure is None:
        return StoreUnavailable(f"the database {path} fails: {error} ({code})")
    return StoreUnavailable(f"the database {path} {cure} ({code})")


_CURES: Final = {
    "SQLITE_FULL": "does not fit on its disk; free some space, no restart is needed",
    "SQLITE_READONLY": "is read-only; make the file and its directory writable, no restart is needed",
    "SQLITE_BUSY": "is locked by another program; close it (a shell, a backup), no restart is needed",
    "SQLITE_LOCKED": "is locked by another program; close it (a shell, a backup), no restart is needed",
    "SQLITE_IOERR": "cannot be read or written; check the disk, its free space and quotas",
    "SQLITE_CANTOPEN": "cannot be opened; check that it exists and that this user may read and write it",
    "SQLITE_PERM": "cannot be opened; check that this user may read and write it",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup",
    "SQLITE_NOTADB": "is not a database, or is damaged; restore it from a backup",
}


def raise_for(answer: Answer, changes: ChangeSet) -> None:
    """Return if the change set was committed, else raise what its answer stands for."""
    status, detail = answer
    if status == COMMITTED:
        return
    if status == CONFLICT:
        raise Conflict
    if status == NAME_TAKEN:
        assert isinstance(detail, bytes)
        raise NameTaken(name_taken(changes, detail))
    if status == CLIENT_EXISTS:
        raise ClientExists(detail)
    if status in (UNAVAILABLE, NOT_SCRUBBED):
        raise StoreUnavailable(detail)
    raise ValueError(detail)


def _bury(path: Path) -> bool:
    """Overwrite what a commit that failed has left in the write-ahead log; False when that is impossible.

    Its pages may stand there whole, as when the disk took them and then could not say that it keeps them.
    After a crash SQLite would find them and carry out what was refused. A commit that changes nothing takes
    their place; it need not be kept.
    """
    try:
        with contextlib.closing(connect(path)) as connection:
            connection.execute("PRAGMA synchronous = OFF").close()
            connection.execute("BEGIN IMMEDIATE").close()
            ((number,),) = connection.execute("PRAGMA application_id").fetchall()
            connection.execute(f"PRAGMA application_id = {number}").close()
            connection.execute("COMMIT").close()
    except (sqlite3.Error, StoreUnavailable):
        return False
    return True


class _HalfWritten(Exception):
    """A change set failed after some of its rows were written; they must be undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class SqliteFile:
    """A database that this process writes. Opened when first needed, and again after an error."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        if connection is not None:
            self._adopt(connection)

    def apply(self, group: Sequence[Writes]) -> list[Answer]:
        """Write the change sets in one transaction, each whole or not at all; return once on disk.

        A change set without rows asks for what was removed before to be gone from the files.
        """
        committing = False
        try:
            if self._connection is None:
                self._adopt(connect(self._path))
            cursor = self._cursor
            cursor.execute("BEGIN IMMEDIATE")
            try:
                answers = [_write(cursor, writes) for writes in group]
            except (_HalfWritten, *_REFUSALS):
                # A savepoint for each costs a fifth of the whole, and this is rare; so all is done again with
                # them.
                cursor.execute("ROLLBACK")
                cursor.execute("BEGIN IMMEDIATE")
                answers = [_write_undoable(cursor, writes) for writes in group]
            head = self._chain.append(
                [
                    event
                    for writes, answer in zip(group, answers, strict=True)
                    if answer[0] == COMMITTED
                    for (event,) in writes[_EVENTS]
                ]
            )
            committing = True
            cursor.execute("COMMIT")
            committing = False
            self._chain.keep(head)
            if not all(map(any, group)):
                answers = self._scrub(group, answers)
        except sqlite3.Error as error:
            self.close()
            message = str(unavailable(self._path, error))
            if committing and not _bury(self._path):
                message += f"; after a crash the change may have been made all the same, so {LOOK}"
            return [(UNAVAILABLE, message)] * len(group)
        except StoreUnavailable as error:
            return [(UNAVAILABLE, str(error))] * len(group)
        return answers

    def _scrub(self, group: Sequence[Writes], answers: list[Answer]) -> list[Answer]:
        """Empty the write-ahead log; what was removed is overwritten in the database itself at once.

        What else is in the group is committed by now, whatever becomes of this.
        """
        cursor, reason = self._cursor, ""
        try:
            cursor.execute(f"PRAGMA busy_timeout = {SCRUB_TIMEOUT}").fetchall()
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}").fetchall()
            if busy:
                reason = f"the write-ahead log of {self._path} is being read; it is emptied later"
        except sqlite3.Error as error:
            self.close()
            reason = str(unavailable(self._path, error))
        if not reason:
            return answers
        later = (NOT_SCRUBBED, reason)
        return [answer if any(writes) else later for writes, answer in zip(group, answers, strict=True)]

    def close(self) -> None:
        """Close the database; an open transaction is rolled back. It is opened again when needed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # What closing trips over (the disk is full) was answered already, or is met again on opening.
            with contextlib.suppress(sqlite3.Error):
                # A statement that is not done would keep the files open, and read-only if they were.
                self._cursor.close()
                connection.close()

    def _adopt(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._chain = ChainEnd(self._cursor)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"cache_size = -{CACHE_KIB}",
            "temp_store = MEMORY",
            "secure_delete = ON",
        ):
            self._cursor.execute(f"PRAGMA {pragma}").fetchall()


# What SQLite or its driver says to values that no column takes: a mistake of ours, to be told to whoever made
# it, and not to the other change sets of the transaction.
_REFUSALS: Final = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    OverflowError,
    TypeError,
    ValueError,
)


def _write(cursor: sqlite3.Cursor, writes: Writes) -> Answer:
    """Write the rows; return an answer other than COMMITTED only if nothing was written."""
    (
        updated,
        removed,
        entries_updated,
        entries_removed,
        entries_inserted,
        names_removed,
        names_added,
        inserted,
        clients_updated,
        clients_inserted,
        store_keys,
        store_keys_rewrapped,
        terms_removed,
        terms_added,
        events,
    ) = writes
    execute = cursor.execute
    clean = True
    for row in updated:
        if execute(statements.UPDATE_OBJECT, row).rowcount != 1:
            return _failed(_LOST_RACE, clean=clean)
        clean = False
    for row in removed:
        if execute(statements.REMOVE_OBJECT, row).rowcount != 1:
            return _failed(_LOST_RACE, clean=clean)
        clean = False
    for statement, rows in (
        (statements.UPDATE_ENTRY, entries_updated),
        (statements.REMOVE_ENTRY, entries_removed),
        (statements.INSERT_ENTRY, entries_inserted),
    ):
        for row in rows:
            if execute(statement, row).rowcount != 1:
                return _failed(_LOST_RACE, clean=clean)
            clean = False
    if names_removed:
        cursor.executemany(statements.REMOVE_NAME, names_removed)
        clean = False
    for row in names_added:
        if execute(statements.ADD_NAME, row).rowcount != 1:
            return _failed((NAME_TAKEN, row[2]), clean=clean)
        clean = False
    for row in inserted:
        if execute(statements.INSERT_OBJECT, row).rowcount != 1:
            return _failed(_LOST_RACE, clean=clean)
        clean = False
    if clients_updated or clients_inserted or store_keys or store_keys_rewrapped:
        answer = _write_rare(cursor, clients_updated, clients_inserted, store_keys, store_keys_rewrapped)
        if answer != _DONE:
            raise _HalfWritten(answer)
    if terms_removed:
        cursor.executemany(statements.REMOVE_TERM, terms_removed)
    if terms_added:
        cursor.executemany(statements.ADD_TERM, terms_added)
    # Those of the whole transaction are chained and written together, at its end.
    if not all(type(event) is bytes for (event,) in events):
        raise TypeError("an audit event is bytes")
    return _DONE


def _write_rare(
    cursor: sqlite3.Cursor,
    clients_updated: Sequence[Row],
    clients_inserted: Sequence[Row],
    store_keys: Sequence[Row],
    store_keys_rewrapped: Sequence[Row],
) -> Answer:
    for row in clients_updated:
        try:
            if cursor.execute(statements.UPDATE_CLIENT, row).rowcount != 1:
                return _LOST_RACE
        except sqlite3.IntegrityError:
            return (CLIENT_EXISTS, client_exists(row[1]))
    for row in clients_inserted:
        if cursor.execute(statements.INSERT_CLIENT, row).rowcount != 1:
            return (CLIENT_EXISTS, client_exists(row[2]))
    for row in store_keys:
        if cursor.execute(statements.INSERT_STORE_KEY, row).rowcount != 1:
            return _LOST_RACE
    for row in store_keys_rewrapped:
        if cursor.execute(statements.REWRAP_STORE_KEY, row).rowcount != 1:
            return _LOST_RACE
    return _DONE


def _failed(answer: Answer, *, clean: bool) -> Answer:
    if clean:
        return answer
    raise _HalfWritten(answer)


def _write_undoable(cursor: sqlite3.Cursor, writes: Writes) -> Answer:
    cursor.execute("SAVEPOINT change_set")
    try:
        answer = _write(cursor, writes)
    except _HalfWritten as failure:
        answer = failure.answer
    except _REFUSALS as error:
        answer = (REFUSED, f"the store cannot hold a value: {error}")
    if answer[0] != COMMITTED:
        cursor.execute("ROLLBACK TO change_set")
    cursor.execute("RELEASE change_set")
    return answer
