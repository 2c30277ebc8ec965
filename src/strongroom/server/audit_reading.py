"""Reading the audit log of a data directory, beside a live server.

Rule: who reads is recorded first (`audit.read`), then this process reads; nothing here writes.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from strongroom.audit.evidence import Lines, export_lines, write_export
from strongroom.audit.rendering import parsed, to_cef
from strongroom.audit.segments import Damage, Segment
from strongroom.audit.written import contents
from strongroom.domain.audit import AuditChain, ChainedEvent
from strongroom.domain.chain import EMPTY, Head
from strongroom.domain.store_failures import StoreFailure
from strongroom.server.admin import call
from strongroom.server.config import load_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.ports import Adapters

_PAGE: Final = 1000


class Permit(NamedTuple):
    """What a reader is told: who has which number, and what this node is called."""

    clients: Mapping[int, str]
    node: str
    problem: str | None


def ask(directory: DataDirectory, adapters: Adapters) -> Permit:
    """Have it recorded that the log is read. Raises OperatorError."""
    told = cast(dict[str, object], call(directory, adapters, {"command": "audit.read"}))
    clients = cast(dict[str, str], told["clients"])
    return Permit(
        {int(number): name for number, name in clients.items()},
        str(told["node"]),
        None if told["problem"] is None else str(told["problem"]),
    )


def export(
    directory: DataDirectory, adapters: Adapters, file: IO[bytes], *, since: int | None, cef: bool
) -> Permit:
    """Write the log: as JSON lines that can be verified, or in the Common Event Format.

    `since` (seconds) leaves out what is older, of an export that can be verified older changes only. Raises
    OperatorError.
    """
    permit = ask(directory, adapters)
    with _Changes(directory, adapters) as changes:
        if cef:
            for event in _events(directory, changes):
                if since is None or _at(event) >= since:
                    file.write(to_cef(event) + b"\n")
            return permit
        start = EMPTY if since is None else changes.before(since)
        what = Lines(
            node=permit.node,
            at=int(datetime.now(UTC).timestamp()),
            start=start,
            changes=changes.after(start.position),
            folder=directory.audit,
        )
        write_export(file, export_lines(what))
    return permit


def events(directory: DataDirectory, adapters: Adapters) -> tuple[Permit, Iterator[bytes]]:
    """Return the events of the log, changes first. Raises OperatorError."""
    permit = ask(directory, adapters)

    def read() -> Iterator[bytes]:
        with _Changes(directory, adapters) as changes:
            yield from _events(directory, changes)

    return permit, read()


def moment(text: str | None) -> int | None:
    """Return a date or time (UTC unless it says otherwise) in seconds. Raises InvalidOption."""
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidOption(
            f"--since {text!r}: write a date such as 2026-11-27 or 2026-11-27T08:00"
        ) from error
    return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp())


class _Changes:
    """The chain of changes, page by page, from code that has no event loop."""

    def __init__(self, directory: DataDirectory, adapters: Adapters) -> None:
        self._opening = adapters.open_chain(load_settings(directory.configuration), directory)
        self._runner = asyncio.Runner()
        self._chain: AuditChain

    def __enter__(self) -> "_Changes":
        self._chain = self._runner.run(self._opening.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._opening.__aexit__(None, None, None))
        self._runner.close()

    def after(self, position: int) -> Iterator[ChainedEvent]:
        """Yield what is behind a position."""
        while page := self._page(position):
            yield from page
            position = page[-1].position

    def before(self, since: int) -> Head:
        """Return the end of the chain before the first event that is not older."""
        head = EMPTY
        for change in self.after(0):
            if _at(change.event) >= since:
                break
            head = Head(change.position, change.hash)
        return head

    def _page(self, position: int) -> list[ChainedEvent]:
        try:
            return list(self._runner.run(self._chain.after(position, _PAGE)))
        except StoreFailure as error:
            raise OperatorError(str(error)) from error


def _events(directory: DataDirectory, changes: _Changes) -> Iterator[bytes]:
    for change in changes.after(0):
        yield change.event
    yield from _reads(directory.audit)


def _reads(folder: Path) -> Iterator[bytes]:
    for name, content in contents(folder):
        segment = Segment(str(name), content)
        try:
            segment.read_header()
            yield from segment.records()
        except Damage as damage:
            raise OperatorError(
                f"segment {name} is damaged at record {damage.record}; run: strongroom audit verify"
            ) from damage


def _at(event: bytes) -> int:
    at = parsed(event).get("at")
    return at if isinstance(at, int) else 0
