"""Backups that are whole and encrypted to the kit, but not as a server makes them: nothing is made of one."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from pyrage import decrypt, encrypt

from strongroom import testing
from strongroom.audit.keys import SigningKey
from strongroom.domain.backups import Row
from strongroom.server.admin import call
from strongroom.server.app import StrongroomAdapters
from strongroom.server.backup.archive import (
    ArchiveReader,
    ArchiveWriter,
    Data,
    Event,
    Header,
    PartBegins,
    PartEnds,
    Rows,
)
from strongroom.server.backup.create import KEYS, create_backup
from strongroom.server.backup.identities import read_identities
from strongroom.server.backup.restore import restore_backup
from strongroom.server.backup.secrets import Secrets, pack, unpack
from strongroom.server.backup.signature import statement
from strongroom.server.backup.verify import verify_backup
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message
from tests.e2e.backups import Kit, backup, kit, site

__all__ = ["backup", "kit", "site"]

KEY: Final = SigningKey(SigningKey.new())
Change = Callable[[list[Event]], Sequence[Event]]


def changed(backup: Path, kit: Kit, file: Path, change: Change) -> Path:
    """Write a backup that says something else, to `file`, and return that."""
    plain = decrypt(backup.read_bytes(), [kit.identity])
    events = list(ArchiveReader(io.BytesIO(plain).read).events())
    out = io.BytesIO()
    header = events[0]
    assert isinstance(header, Header)
    writer = ArchiveWriter(out.write, header)
    for event in change(events[1:]):
        match event:
            case PartBegins():
                writer.begin(event)
            case Rows(rows):
                writer.rows(rows)
            case Data(data):
                writer.data(data)
            case PartEnds():
                writer.end()
    writer.sign(KEY.public.id, KEY.sign(statement(writer.finish())))
    file.write_bytes(encrypt(out.getvalue(), [kit.identity.to_public()]))
    return file


def part(events: Sequence[Event], name: str) -> tuple[int, int]:
    """Return where a part begins, and what comes behind it."""
    (begin,) = (i for i, event in enumerate(events) if isinstance(event, PartBegins) and event.name == name)
    return begin, begin + 1 + next(i for i, one in enumerate(events[begin:]) if isinstance(one, PartEnds))


def without(name: str) -> Change:
    def change(events: list[Event]) -> Sequence[Event]:
        begin, end = part(events, name)
        return events[:begin] + events[end:]

    return change


def with_part(name: str, kind: Any, *content: Event, before: str) -> Change:
    def change(events: list[Event]) -> Sequence[Event]:
        begin, _ = part(events, before)
        columns = ("a",) if kind == "table" else ()
        return [
            *events[:begin],
            PartBegins(name, kind, columns),
            *content,
            PartEnds("", 0, ""),
            *events[begin:],
        ]

    return change


def as_table(table: str, columns: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Change:
    """Have a table come with other columns, of which the rows have something."""

    def change(events: list[Event]) -> Sequence[Event]:
        begin, end = part(events, table)
        begins = events[begin]
        assert isinstance(begins, PartBegins)
        named = columns(begins.columns)
        rows: list[Row] = [(1,) * len(named)]
        order = tuple(name for name in begins.order if name in named)
        return [
            *events[:begin],
            PartBegins(table, "table", named, order),
            Rows(rows),
            *events[end - 1 :],
        ]

    return change


def with_keys_as(name: str, kind: Any) -> Change:
    def change(events: list[Event]) -> Sequence[Event]:
        begin, _ = part(events, KEYS)
        return [*events[:begin], PartBegins(name, kind), *events[begin + 1 :]]

    return change


def backwards(table: str) -> Change:
    def change(events: list[Event]) -> Sequence[Event]:
        begin, end = part(events, table)
        rows = [row for event in events[begin:end] if isinstance(event, Rows) for row in event.rows]
        assert len(rows) > 1
        return [*events[: begin + 1], Rows(rows[::-1]), *events[end - 1 :]]

    return change


def with_secrets(kit: Kit, change_secrets: Callable[[Secrets], Secrets]) -> Change:
    def change(events: list[Event]) -> Sequence[Event]:
        begin, end = part(events, KEYS)
        sealed = b"".join(event.data for event in events[begin:end] if isinstance(event, Data))
        secrets = change_secrets(unpack(decrypt(sealed, [kit.identity])))
        again = encrypt(pack(*secrets), [kit.identity.to_public()])
        return [*events[: begin + 1], Data(again), *events[end - 1 :]]

    return change


def no_store_keys(secrets: Secrets) -> Secrets:
    return secrets._replace(store_keys={})


def a_secret_of_another_name(secrets: Secrets) -> Secrets:
    return secrets._replace(files={**secrets.files, "root.key": secrets.files["ca.key"]})


CHANGES: Final[dict[str, tuple[Change, str]]] = {
    "no keys": (without(KEYS), "the backup has no keys"),
    "keys as a file": (with_keys_as(KEYS, "file"), "the backup has no keys"),
    "keys of another name": (with_keys_as("others", "keys"), "the backup has no keys"),
    "no configuration": (without("strongroom.toml"), "the backup has no configuration"),
    "no table": (without("entries"), "the backup lacks the table entries"),
    "another table": (with_part("odd", "table", before="entries"), "has a table odd that schema .* has not"),
    "an index": (with_part("terms", "table", before="entries"), "has a table terms that schema .* has not"),
    "the version": (
        with_part("schema_version", "table", before="entries"),
        "has a table schema_version that schema .* has not",
    ),
    "a column less": (
        as_table("store_keys", lambda columns: columns[:-1]),
        "has a table store_keys that schema .* has not",
    ),
    "a column more": (
        as_table("store_keys", lambda columns: (*columns, "more")),
        "has a table store_keys that schema .* has not",
    ),
    "other columns": (
        as_table("store_keys", lambda columns: ("one", "two", "three")),
        "has a table store_keys that schema .* has not",
    ),
    "a file among the tables": (
        with_part("ca.pem", "file", Data(b"x"), before="entries"),
        "(ca.pem comes twice|has a table ca.pem)",
    ),
    "another file": (
        with_part("root.json", "file", Data(b"x"), before="ca.pem"),
        "belongs into no data directory",
    ),
    "another order": (backwards("objects"), "gives back something else than was put into its table objects"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_no_server_has_made_is_refused_and_leaves_nothing(
    what: str, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    change, told = CHANGES[what]
    file = changed(backup, kit, tmp_path / "backup.age", change)
    identities, adapters = read_identities([kit.path]), StrongroomAdapters()
    with pytest.raises(OperatorError, match=told):
        verify_backup(file, adapters, identities, everything=False, report=lambda *_: None)
    with pytest.raises(OperatorError, match=told):
        restore_backup(file, tmp_path / "new", adapters, identities, report=lambda *_: None)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (no_store_keys, "the backup lacks the store key"),
        (a_secret_of_another_name, "holds 'root.key', which this Strongroom does not know"),
    ],
)
def test_secrets_that_no_server_has_given_are_refused_and_leave_nothing(
    change: Callable[[Secrets], Secrets], told: str, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    file = changed(backup, kit, tmp_path / "backup.age", with_secrets(kit, change))
    identities, adapters = read_identities([kit.path]), StrongroomAdapters()
    with pytest.raises(OperatorError, match=told):
        restore_backup(file, tmp_path / "new", adapters, identities, report=lambda *_: None)
    assert list(tmp_path.iterdir()) == [file]


def test_a_backup_that_is_written_again_unchanged_is_restored(backup: Path, kit: Kit, tmp_path: Path) -> None:
    """So that it is the changes that are refused."""
    file = changed(backup, kit, tmp_path / "backup.age", lambda events: events)
    identities = read_identities([kit.path])
    made = restore_backup(file, tmp_path / "new", StrongroomAdapters(), identities, report=lambda *_: None)
    assert made.contents.problems() == []


@pytest.mark.parametrize("given", [[], None, "all", [0]])
def test_a_backup_that_was_not_given_every_store_key_is_not_made(
    site: testing.Server, kit: Kit, tmp_path: Path, given: object
) -> None:
    directory, adapters = DataDirectory.open(site.directory), StrongroomAdapters()

    def called(request: Message) -> object:
        answer = call(directory, adapters, request)
        assert isinstance(answer, dict)
        return {**answer, "store_keys": given} if request["command"] == "backup.keys" else answer

    with pytest.raises(OperatorError, match="did not give every store key"):
        create_backup(
            directory,
            adapters,
            tmp_path / "backup.age",
            (kit.recipient,),
            call=called,
            report=lambda *_: None,
        )
    assert list(tmp_path.iterdir()) == []
