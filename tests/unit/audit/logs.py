"""A real audit log in a folder: store, reads, checkpoints and an anchor, as a server would leave them."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from strongroom.audit.directory import open_directory
from strongroom.audit.evidence import Copy, Evidence, Export, Lines, export_lines, write_export
from strongroom.audit.keeper import Keeper
from strongroom.audit.keys import SigningKey
from strongroom.audit.outlets import FileOutlet
from strongroom.audit.read_log import ReadLog
from strongroom.audit.segments import Segment, segments
from strongroom.audit.verification import Verdict, verify
from strongroom.domain.audit import ChainedEvent
from strongroom.domain.chain import EMPTY, GENESIS, Head, extend, link
from strongroom.store.migrate import migrate
from strongroom.store.records import ChangeSet
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.url import SqliteUrl
from tests.unit.audit.test_read_log import event

CHANGES: Final = 30
READS: Final = 40


class Log:
    """CHANGES changes and READS reads, the last five of each after the last checkpoint."""

    def __init__(self, path: Path, *, size: int = 1 << 20) -> None:
        self.path = path
        path.mkdir()
        self.folder = path / "audit"
        self.database = path / "strongroom.db"
        self.anchor = path.with_suffix(".anchor")
        migrate(SqliteUrl(self.database))
        self.key = SigningKey(SigningKey.new())
        node = open_directory(self.folder)
        self.keeper = self.make_keeper()
        log = ReadLog(self.folder, row=0, size=size)
        log.open(node)
        for start, end in ((0, 10), (10, 25), (25, CHANGES)):
            self.change(range(start, end))
            for number in range(start, end + 10 if end == CHANGES else end):
                log.record(event(number))
            if end < CHANGES:
                log._sync()
                self.checkpoint(end)
        log.close()

    def make_keeper(self) -> Keeper:
        return Keeper(
            self.folder,
            node=open_directory(self.folder),
            key=self.key,
            anchors={"file": FileOutlet(self.anchor)},
        )

    def change(self, numbers: range) -> None:
        async def commit() -> None:
            backend = InlineSqliteBackend(self.database)
            await backend.start()
            for number in numbers:
                await backend.commit(ChangeSet(events=[event(number)._replace(operation="Create").encode()]))
            await backend.close()

        asyncio.run(commit())

    def checkpoint(self, now: int) -> None:
        last = self.rows()[-1]
        self.keeper.make(Head(last.position, last.hash), now, "test", seen=self.keeper.last())
        self.keeper.anchor()

    def rows(self) -> list[ChainedEvent]:
        sql = "SELECT position, hash, event FROM audit WHERE position IS NOT NULL ORDER BY position"
        connection = sqlite3.connect(self.database)
        try:
            return [ChainedEvent(*row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def sql(self, statement: str, *parameters: object) -> None:
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute(statement, parameters)
        connection.close()

    def chain_anew(self, position: int) -> None:
        """Do what somebody does who may write the database and has no key."""
        rows = self.rows()
        start = next((Head(*row[:2]) for row in rows if row.position == position - 1), EMPTY)
        after = [row for row in rows if row.position >= position]
        for row, head in zip(after, extend(start, [row.event for row in after]), strict=True):
            self.sql("UPDATE audit SET hash = ? WHERE position = ?", head.hash, row.position)

    def segment(self, number: int = 0) -> Path:
        return self.folder / str(segments(self.folder)[number])

    def rewrite(self, change: Callable[[list[bytes]], list[bytes]], *, anew: bool, number: int = 0) -> None:
        """Change the records of a segment; `anew`: and chain them, as anybody can."""
        path = self.segment(number)
        head, *lines = path.read_bytes().rstrip(b"\0").split(b"\n")[:-1]
        lines = change(lines)
        if anew:
            hash_, chained = link(GENESIS, head), []
            for line in lines:
                body = line.rpartition(b" ")[0]
                hash_ = link(hash_, body)
                chained.append(body + b" " + hash_[:8].hex().encode())
            lines = chained
        path.write_bytes(b"".join(line + b"\n" for line in (head, *lines)))

    def verify(self, *, anchored: bool = False, evidence: Evidence | None = None) -> Verdict:
        lines = self.anchor.read_bytes().splitlines() if anchored else None
        return verify(evidence or Copy(self.path), [self.key.public], lines)

    def findings(self, *, anchored: bool = False) -> list[str]:
        return [str(finding) for finding in self.verify(anchored=anchored).findings]

    def export(self, path: Path, *, start: Head = EMPTY, at: int = 100) -> Export:
        changes = [row for row in self.rows() if row.position > start.position]
        with path.open("wb") as file:
            write_export(file, export_lines(Lines("node", at, start, changes, self.folder)))
        return Export(path)


__all__ = ["CHANGES", "READS", "Log", "Segment"]
