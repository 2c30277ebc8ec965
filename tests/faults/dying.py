"""A key manager that dies at a point: SIGKILL before, inside or after each step of an operation.

Rule: the product knows nothing of this. The points are the calls of the functions in POINTS, their ends, and
each SQL statement that writes; a run without a victim lists them, so that new steps become new points.
"""

import functools
import inspect
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from strongroom.domain.operation import Request
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.outbox import Outbox
from strongroom.engine.quotas import Quotas
from strongroom.engine.transactions import Transactions
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import Name
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.registry import Tag
from strongroom.store import sqlite_file
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.sqlite_file import SqliteFile
from tests.faults.noise import create
from tests.kms import TestKms, attribute

NAME: Final = "the key"
NAMED: Final = attribute(Tag.NAME, Name(name_value=NAME))

POINTS: Final = (
    (Dispatcher, "handle"),
    (Transactions, "transact"),
    (Transactions, "perform"),
    (Transactions, "commit"),
    (UnitOfWork, "get"),
    (UnitOfWork, "create"),
    (UnitOfWork, "changes"),
    (UnitOfWork, "commit"),
    (UnitOfWork, "keep"),
    (Quotas, "check"),
    (Quotas, "note"),
    (Outbox, "add"),
    (Repository, "load"),
    (Repository, "commit"),
    (Repository, "_renew_key"),
    (Repository, "_change"),
    (Repository, "_stored"),
    (StoreKeys, "seal"),
    (InlineSqliteBackend, "commit"),
    (SqliteFile, "apply"),
    (sqlite_file, "_write"),
)

OPERATIONS: Final[Mapping[str, Callable[[TestKms], Request[Any]]]] = {
    "Create": lambda kms: create(NAMED),
    "Re-key": lambda kms: ReKeyRequest(unique_identifier=named(kms)),
    "Destroy": lambda kms: DestroyRequest(unique_identifier=named(kms)),
}


def named(kms: TestKms) -> UniqueIdentifier:
    from tests.kms import template

    (identifier,) = kms.call(LocateRequest(attributes=template(NAMED))).unique_identifier
    return identifier


class Reaper:
    """Counts the points and kills at the one that is named."""

    def __init__(self, victim: str | None) -> None:
        self.passed: list[str] = []
        self._victim = victim
        self._counts: Counter[str] = Counter()

    def reach(self, what: str) -> None:
        self._counts[what] += 1
        name = f"{what} #{self._counts[what]}"
        self.passed.append(name)
        if name == self._victim:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: Any, name: str) -> None:
        """Make the beginning and the end of a function points."""
        inner = getattr(owner, name)
        what = f"{getattr(owner, '__name__', '').rpartition('.')[2]}.{name}"

        @functools.wraps(inner)
        async def waiting(*args: Any, **keywords: Any) -> Any:
            self.reach(f"{what} begins")
            result = await inner(*args, **keywords)
            self.reach(f"{what} ends")
            return result

        @functools.wraps(inner)
        def plain(*args: Any, **keywords: Any) -> Any:
            self.reach(f"{what} begins")
            result = inner(*args, **keywords)
            self.reach(f"{what} ends")
            return result

        setattr(owner, name, waiting if inspect.iscoroutinefunction(inner) else plain)

    def watch_statements(self, connection: sqlite3.Connection) -> None:
        """Make each statement a point; it has not been carried out yet."""
        connection.set_trace_callback(lambda sql: self.reach(" ".join(sql.split()[:3])))


def run(directory: Path, operation: str, victim: str | None, told: Connection) -> None:
    """Do an operation and tell its answer; die on the way if there is a victim."""
    kms = TestKms(directory)
    request = OPERATIONS[operation](kms)
    reaper = Reaper(victim)
    assert isinstance(kms.backend, InlineSqliteBackend)
    file = kms.backend._file
    assert file is not None
    file.apply([])  # opens it
    for owner, name in POINTS:
        reaper.watch(owner, name)
    kms.dispatcher = kms._dispatcher()
    assert file._connection is not None
    reaper.watch_statements(file._connection)
    kms.call(request)
    told.send("answered")
    told.send(reaper.passed)
    kms.close()
