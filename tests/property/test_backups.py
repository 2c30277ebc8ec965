"""Backups: what is written is read back, and whatever else comes is refused with the place."""

import contextlib
import inspect
import io
import re
import threading
import tomllib
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyrage import x25519

from strongroom.audit.keys import SigningKey
from strongroom.domain.backups import Restored, Row, Table
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.memory import MemoryRootKey
from strongroom.server.backup.archive import (
    ArchiveCut,
    ArchiveError,
    ArchiveReader,
    ArchiveWriter,
    Data,
    Event,
    Header,
    Manifest,
    PartBegins,
    PartEnds,
    Rows,
    decode_rows,
    encode_row,
)
from strongroom.server.backup.encryption import BLOCK, BackupDamaged, WrongIdentity, encrypting
from strongroom.server.backup.making import configuration_on
from strongroom.server.backup.parts import (
    MAX_CONFIGURATION,
    PLAIN,
    SEALED,
    checked_name,
    plain_files,
    seal_again,
)
from strongroom.server.backup.secrets import pack, unpack
from strongroom.server.backup.signature import NotSigned, check, read_signer, statement
from strongroom.server.backup.unpack import backup_events
from strongroom.server.config import FILE_NAME
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.recording import act
from strongroom.store.filling import fill
from strongroom.store.url import SqliteUrl
from strongroom.store.versions import VERSIONS

HEADER = Header(
    backup="20260101T000000Z-00",
    created_at="2026-01-01T00:00:00+00:00",
    server="1",
    schema="0001",
    database="sqlite",
    counts={"objects": 3},
)
VALUE = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40), st.binary(max_size=80))
COLUMNS = ("a", "b", "c")
ROWS = st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=20)
IDENTITY = x25519.Identity.generate()
AUDIT_KEY = SigningKey(SigningKey.new())


def archive(rows: list[Row], data: bytes = b"configuration") -> bytes:
    """Return a small archive, not encrypted."""
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, HEADER)
    writer.begin(PartBegins("strongroom.toml", "file"))
    writer.data(data)
    writer.end()
    writer.begin(PartBegins("objects", "table", COLUMNS, ("a",)))
    writer.rows(rows)
    writer.end()
    digest = writer.finish()
    writer.sign(AUDIT_KEY.public.id, AUDIT_KEY.sign(statement(digest)))
    return out.getvalue()


def read(content: bytes) -> list[Event]:
    return list(ArchiveReader(io.BytesIO(content).read).events())


def read_rows(events: list[Event]) -> list[Row]:
    return [row for event in events if isinstance(event, Rows) for row in event.rows]


@given(rows=ROWS)
def test_rows_are_read_back(rows: list[Row]) -> None:
    assert list(decode_rows(b"".join(map(encode_row, rows)), len(COLUMNS))) == rows


@given(rows=ROWS, data=st.binary(max_size=300))
def test_an_archive_is_read_back(rows: list[Row], data: bytes) -> None:
    events = read(archive(rows, data))
    assert events[0] == HEADER
    assert read_rows(events) == rows
    assert b"".join(event.data for event in events if isinstance(event, Data)) == data
    ends = [event for event in events if isinstance(event, PartEnds)]
    assert [end.size for end in ends] == [len(data), len(rows)]
    manifest = events[-1]
    assert isinstance(manifest, Manifest)
    assert manifest.parts == tuple(ends)
    check(manifest.signature, AUDIT_KEY.public)


def test_a_table_may_be_longer_than_a_frame_and_so_may_a_row() -> None:
    rows: list[Row] = [(number, "text" * 1000, b"x" * 1000) for number in range(200)]
    rows.append((0, None, bytes(3 << 20)))
    events = read(archive(rows))
    assert read_rows(events) == rows
    assert len([event for event in events if isinstance(event, Rows)]) > 2


def test_a_row_may_be_as_large_as_a_message_that_an_administrator_lets_in() -> None:
    """PostgreSQL takes it, and one that did not fit would keep all others out of every backup."""
    row: Row = (1, "large", bytes(80 << 20))
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, HEADER)
    writer.begin(PartBegins("objects", "table", COLUMNS, ("a",)))
    writer.rows([row])
    writer.end()
    writer.sign(AUDIT_KEY.public.id, AUDIT_KEY.sign(statement(writer.finish())))
    assert read_rows(read(out.getvalue())) == [row]


def test_an_archive_may_have_as_many_parts_as_there_are_files_in_an_audit_log() -> None:
    """A server that has read much, or was started often, has thousands; its manifest names each."""
    names = [f"audit/reads-000-{number:08}.log" for number in range(9_000)]
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, HEADER)
    for name in names:
        writer.begin(PartBegins(name, "file"))
        writer.end()
    digest = writer.finish()
    writer.sign(AUDIT_KEY.public.id, AUDIT_KEY.sign(statement(digest)))
    manifest = read(out.getvalue())[-1]
    assert isinstance(manifest, Manifest)
    assert [part.name for part in manifest.parts] == names


def test_a_frame_of_rows_takes_no_more_memory_in_a_hostile_archive_than_in_one_of_ours() -> None:
    """A row of nothing is a byte for each column, and a hundred in memory."""
    content = archive([])
    before = content[: content.index(b"E\0", content.index(b'"objects","kind":"table"'))]
    nothing = bytes(len(COLUMNS) * (1 << 18))
    assert len(read_rows(list(read_until_cut(before + frame_of_rows(nothing))))) == 1 << 18
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="a frame of more rows than any has"):
        read(before + frame_of_rows(bytes(len(COLUMNS) * (4 << 20))))
    with pytest.raises(ArchiveError, match="a form that is not known"):
        unpack(bytes(3 * (4 << 20)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 << 20


async def test_a_restore_takes_no_more_memory_for_a_longer_audit_log(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    kept = Kept(tenant=0, key="k", owner=0, value=Restored(backup="b", taken_at=now, restored_at=now))
    async with fill(SqliteUrl(tmp_path / "store.db")) as filling:
        await filling.begin(VERSIONS[-1])
        for start in range(0, 200_000, 50_000):
            rows = [(number, b"an event") for number in range(start, start + 50_000)]
            await filling.put(Table("audit", ("sequence", "event")), rows)
        tracemalloc.start()
        change = EntryChange(Restored, SYSTEM_TENANT, "k", 0, kept)
        await filling.mark(MemoryRootKey(), change, act({"command": "backup.restore"}, now))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 2 << 20
        numbers = [number async for page in filling.rows(Table("audit", ("sequence",))) for (number,) in page]
    assert max(numbers) == 200_000  # type: ignore[type-var]


def frame_of_rows(content: bytes) -> bytes:
    return b"R" + len(content).to_bytes(4) + content


def read_until_cut(content: bytes) -> Iterator[Event]:
    with contextlib.suppress(ArchiveCut):
        yield from ArchiveReader(io.BytesIO(content).read).events()


def test_a_manifest_is_not_longer_than_its_parts_need() -> None:
    content = archive([])
    before = content[: content.rindex(b"M\0")]
    with pytest.raises(ArchiveError, match="a frame of 2097152 bytes"):
        read(before + b"M" + (2 << 20).to_bytes(4) + bytes(2 << 20))


@given(content=st.binary(max_size=600))
@example(content=b"STRONGROOM BACKUP\n")
def test_any_bytes_are_an_archive_or_an_archive_error(content: bytes) -> None:
    for start in (b"", b"STRONGROOM BACKUP\n"):
        with pytest.raises(ArchiveError):
            read(start + content)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"objects": -1}},
        {"counts": {"objects": True}},
        {"counts": {"objects": "3"}},
        {"format": 0},
        {"backup": ""},
        {"backup": "two\nlines"},
        {"backup": "x" * 101},
        {"database": "another"},
        {"created_at": "yesterday"},
        {"created_at": "2026-01-01T00:00:00"},
    ],
    ids=str,
)
def test_a_header_that_says_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    out = io.BytesIO()
    ArchiveWriter(out.write, replace(HEADER, **change)).finish()
    with pytest.raises(ArchiveError, match="what cannot be"):
        read(out.getvalue())


@given(content=st.binary(max_size=200), columns=st.integers(1, 4))
def test_any_bytes_are_rows_or_an_archive_error(content: bytes, columns: int) -> None:
    try:
        rows = list(decode_rows(content, columns))
    except ArchiveError:
        return
    assert b"".join(map(encode_row, rows)) == content


@settings(max_examples=300)
@given(place=st.integers(0), change=st.integers(1, 255))
def test_an_archive_that_is_changed_anywhere_never_gives_other_rows(place: int, change: int) -> None:
    """Behind the encryption nobody can; but a mistake in a writer may not pass for a backup."""
    rows: list[Row] = [(1, "one", b"first"), (2, None, b"second"), (3, "three", None)]
    content = bytearray(archive(rows))
    content[place % len(content)] ^= change
    try:
        events = read(bytes(content))
    except ArchiveError:
        return
    assert read_rows(events) == rows


@given(cut=st.integers(0))
def test_an_archive_that_is_cut_anywhere_is_refused(cut: int) -> None:
    content = archive([(1, "one", b"first")])
    with pytest.raises(ArchiveError, match="ends too early"):
        read(content[: cut % len(content)])


def test_what_follows_an_archive_is_refused() -> None:
    with pytest.raises(ArchiveError, match="something follows"):
        read(archive([]) + b"\0")


@given(
    keys=st.dictionaries(st.integers(0, 2**62), st.binary(min_size=32, max_size=32)),
    files=st.dictionaries(st.text(max_size=20), st.binary(max_size=200)),
)
def test_secrets_are_read_back(keys: dict[int, bytes], files: dict[str, bytes]) -> None:
    found = unpack(
        pack(
            {number: SecretBytes(key) for number, key in keys.items()},
            {name: SecretBytes(content) for name, content in files.items()},
        )
    )
    assert {number: key.reveal() for number, key in found.store_keys.items()} == keys
    assert {name: content.reveal() for name, content in found.files.items()} == files
    assert not any(key.hex() in repr(found) or repr(key)[2:-1] in repr(found) for key in keys.values())


# Encrypted


@pytest.fixture(scope="module")
def whole() -> bytes:
    """Give a backup of four blocks."""
    out = io.BytesIO()
    with encrypting(out, [str(IDENTITY.to_public())]) as plain:
        rows: list[Row] = [(number, f"row {number}", bytes(700)) for number in range(300)]
        plain.write(archive(rows))
    return out.getvalue()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups") / "backup.age"


def events_of(file: Path, identity: x25519.Identity = IDENTITY) -> Iterator[Event]:
    with backup_events(file, [identity]) as events:
        yield from events


def header_size(whole: bytes) -> int:
    return whole.index(b"\n", whole.index(b"\n--- ") + 1) + 1


def test_an_encrypted_archive_is_read_back(whole: bytes, file: Path) -> None:
    assert len(whole) > 3 * BLOCK
    file.write_bytes(whole)
    assert len(read_rows(list(events_of(file)))) == 300


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0))
def test_a_backup_that_is_cut_anywhere_is_refused_with_the_place(whole: bytes, file: Path, cut: int) -> None:
    cut %= len(whole)
    check_cut(whole, file, cut)


def test_a_backup_that_is_cut_between_two_blocks_is_refused(whole: bytes, file: Path) -> None:
    """The one kind of cut that leaves only blocks as they were written."""
    first = header_size(whole) + 16
    for cut in (first, first + BLOCK + 16, first + 2 * (BLOCK + 16)):
        check_cut(whole, file, cut)


def check_cut(whole: bytes, file: Path, cut: int) -> None:
    file.write_bytes(whole[:cut])
    with pytest.raises(BackupDamaged) as refused:
        list(events_of(file))
    said = str(refused.value)
    if cut >= header_size(whole) + 16:
        assert f"is cut off at byte {cut}" in said
        assert "the table objects" in said or cut < header_size(whole) + BLOCK + 32
    else:
        assert "cut off" in said or "no backup" in said or "damaged in its first" in said


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0), change=st.integers(1, 255))
def test_a_backup_that_is_changed_anywhere_is_refused_with_the_place(
    whole: bytes, file: Path, place: int, change: int
) -> None:
    place %= len(whole)
    changed = bytearray(whole)
    changed[place] ^= change
    file.write_bytes(changed)
    with pytest.raises((BackupDamaged, WrongIdentity)) as refused:
        list(events_of(file))
    said = str(refused.value)
    if place < header_size(whole):
        return
    between = re.search(r"was changed between byte (\d+) and byte (\d+)", said)
    behind = re.search(r"was changed behind byte (\d+)", said)
    if between is not None:
        assert int(between[1]) - 16 <= place < int(between[2]), said
    else:
        assert behind is not None, said
        assert int(behind[1]) - 16 <= place, said


def test_two_blocks_that_change_places_are_refused(whole: bytes, file: Path) -> None:
    start, size = header_size(whole) + 16, BLOCK + 16
    one, two = whole[start : start + size], whole[start + size : start + 2 * size]
    file.write_bytes(whole[:start] + two + one + whole[start + 2 * size :])
    with pytest.raises(BackupDamaged, match=f"between byte {start} and byte {start + size}"):
        list(events_of(file))


def test_another_identity_opens_nothing(whole: bytes, file: Path) -> None:
    file.write_bytes(whole)
    with pytest.raises(WrongIdentity):
        list(events_of(file, x25519.Identity.generate()))


def test_a_newer_format_is_refused_by_its_number(file: Path) -> None:
    newer = archive([]).replace(b'"format":2', b'"format":3')
    with file.open("wb") as target, encrypting(target, [str(IDENTITY.to_public())]) as plain:
        plain.write(newer)
    with pytest.raises(OperatorError, match="has format 3, this Strongroom reads formats up to 2"):
        list(events_of(file))


def test_nobody_else_can_make_a_backup_of_a_server() -> None:
    """Everything before the signature is signed for: anybody can encrypt whatever else to a recipient."""
    whole = archive([(1, "one", b"first")])
    end = whole.rindex(b"S\0\0")
    forgeries = 0
    for place in range(end):
        changed = bytearray(whole)
        changed[place] ^= 1
        try:
            manifest = read(bytes(changed))[-1]
        except ArchiveError:
            continue
        assert isinstance(manifest, Manifest)
        forgeries += 1
        with pytest.raises(NotSigned, match="forged"):
            check(manifest.signature, AUDIT_KEY.public)
    assert forgeries > 20, "the digests of the parts do not cover what the header says"


@pytest.mark.parametrize(
    ("made_by", "told"), [("nobody", "nobody has signed"), ("another", "was made by the server with the key")]
)
def test_a_backup_of_somebody_else_is_told(made_by: str, told: str) -> None:
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, replace(HEADER, format=1 if made_by == "nobody" else 2))
    digest, other = writer.finish(), SigningKey(SigningKey.new())
    if made_by == "another":
        writer.sign(other.public.id, other.sign(statement(digest)))
    manifest = read(out.getvalue())[-1]
    assert isinstance(manifest, Manifest)
    with pytest.raises(NotSigned, match=told):
        check(manifest.signature, AUDIT_KEY.public)


@pytest.mark.parametrize(
    ("key", "signature"), [("\x1b[2Jgood\n", bytes(64)), ("00" * 9, bytes(64)), ("00" * 8, bytes(63))]
)
def test_a_signature_that_cannot_be_is_not_told_of(key: str, signature: bytes) -> None:
    """Its texts are somebody else's, and go to a terminal."""
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, HEADER)
    writer.finish()
    writer.sign(key, signature)
    with pytest.raises(ArchiveError, match="a signature that cannot be") as refused:
        read(out.getvalue())
    assert key not in str(refused.value)


def test_files_that_the_configuration_names_are_in_a_backup_but_for_keys(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("""
        [tls]
        certificate = "own.pem"
        key = "own.key"
        client_ca = "clients.pem"
        client_crl = "crl/a"
        [audit]
        tls_ca = "siem.pem"
        tls_certificate = "audit-tls.pem"
        tls_key = "audit-tls.key"
        [client.web]
        endpoint_ca = "web.pem"
    """)
    files = {"own.pem", "clients.pem", "crl/a", "siem.pem", "audit-tls.pem", "web.pem"}
    for name in (*files, "own.key", "audit-tls.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert set(plain_files(DataDirectory(tmp_path))) == files | {FILE_NAME}
    for name in files:
        assert checked_name(name, (tmp_path / FILE_NAME).read_text()) == name


def test_a_certificate_that_has_its_key_in_one_file_with_it_is_not_in_a_backup(tmp_path: Path) -> None:
    """One of a release that has put it there is restored."""
    (tmp_path / FILE_NAME).write_text("""
        [tls]
        certificate = "tls/both.pem"
        key = "tls/../tls/both.pem"
        client_ca = "clients.pem"
    """)
    (tmp_path / "tls").mkdir()
    for name in ("tls/both.pem", "clients.pem"):
        (tmp_path / name).write_text(name)
    assert set(plain_files(DataDirectory(tmp_path))) == {FILE_NAME, "clients.pem"}
    assert checked_name("tls/both.pem", (tmp_path / FILE_NAME).read_text()) == "tls/both.pem"


STORE = 'store = "sqlite:///strongroom.db"'


@pytest.mark.parametrize(
    ("line", "as_written"),
    [
        (STORE, True),
        ("", True),
        (f"{STORE}  # where keys are", True),
        (f"{STORE}\r", True),
        (STORE.replace("store", '"store"'), False),
        (STORE.replace("store", "'store'"), False),
        ('store = """\nsqlite:///strongroom.db"""', False),
    ],
)
def test_whatever_a_configuration_looks_like_it_can_be_restored(line: str, as_written: bool) -> None:
    before = f"""# comment
hosts = [
  "localhost",
]
{line}

[policy]
lease_time = 77

[client.web]
put = "off"

[client."a \\" b"]
put = "off"
"""
    made = configuration_on("sqlite:///new.db", before)
    assert tomllib.loads(made.text) == {**tomllib.loads(before), "store": "sqlite:///new.db"}
    assert made.settings.store == "sqlite:///new.db"
    assert made.as_written == as_written
    assert ("# comment" in made.text) == as_written


@pytest.mark.parametrize(
    "spoilt",
    [
        "hosts = ",
        "[policy]\nlease_tme = 7",
        f"#{' ' * MAX_CONFIGURATION}",
        f"hosts = {'[' * 100_000}",
        f"a = {'{a=' * 100_000}",
    ],
    ids=["cut", "unknown", "long", "lists in lists", "tables in tables"],
)
def test_a_configuration_that_cannot_be_restored_is_refused(spoilt: str) -> None:
    with pytest.raises(OperatorError, match=FILE_NAME):
        configuration_on("sqlite:///new.db", spoilt)


def test_a_configuration_of_empty_lines_takes_no_hours() -> None:
    """As long as one may be; in a hostile backup it is."""
    lines = "\n" * (MAX_CONFIGURATION - 100)
    made = configuration_on("sqlite:///new.db", f"{lines}[policy]\nlease_time = 77\n")
    assert made.as_written
    assert made.settings.policy.lease_time == 77


LEFT_OUT = {
    "root.key": "a restored directory gets a root key of its own",
    "root.json": "says how the root key is opened, which is another one",
    "server.pem": "made again",
    "server.key": "made again",
    "unseal.json": "attempts on a root key that is not in the backup",
    "root-*.key": "a root key on its way",
    "root.lock": "held by processes",
    "lock": "held by processes",
    "audit/lock": "held by processes",
    "admin.sock": "a socket",
    "worker-*.sock": "a socket",
    "writer.sock": "a socket",
    "strongroom.db*": "its tables are in the backup",
    "clients": "what `dev` has enrolled",
    "clients/*": "what `dev` has enrolled",
    "authorities": "its files are listed one by one",
    "audit": "its files are listed one by one",
}
"""What of a data directory is not in a backup, and why. Everything else has to be."""


def paths_of(directory: DataDirectory) -> Iterator[str]:
    """Yield the name of every path that a data directory knows of."""
    for name, member in vars(DataDirectory).items():
        found = None
        if isinstance(member, property):
            found = getattr(directory, name)
        elif inspect.isfunction(member) and inspect.signature(member).return_annotation is Path:
            given = list(inspect.signature(member).parameters.values())[1:]
            found = member(directory, *(7 if one.annotation is int else "0123456789abcdef" for one in given))
        if isinstance(found, Path) and found != directory.path:
            yield str(found.relative_to(directory.path))


def test_every_path_of_a_data_directory_is_in_a_backup_or_left_out_for_a_reason(tmp_path: Path) -> None:
    names = set(paths_of(DataDirectory(tmp_path)))
    assert {"policy.cedar", "worker-7.sock", "authorities/0123456789abcdef.key"} <= names
    listed = [*PLAIN, *(kind.pattern for kind in SEALED)]
    for name in names:
        backed_up = any(fnmatchcase(name, pattern) for pattern in listed)
        left_out = any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)
        assert backed_up != left_out, f"{name}: list it in PLAIN or SEALED, or in LEFT_OUT"


def test_a_backup_of_today_is_not_whole_without_its_signature() -> None:
    whole = archive([])
    with pytest.raises(ArchiveError, match="ends too early"):
        read(whole[: whole.rindex(b"S\0\0")])


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "there is no"), (b"", "no public key"), (b"-----BEGIN", "no copy of audit.pub")],
)
def test_what_is_no_copy_of_the_audit_key_is_told(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "audit.pub"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(OperatorError, match=told):
        read_signer(file)


def test_what_stops_the_writing_of_a_backup_is_raised() -> None:
    class Full(io.RawIOBase):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    def write() -> None:
        with encrypting(Full(), [str(IDENTITY.to_public())]) as plain:
            for _ in range(100):
                plain.write(bytes(BLOCK))

    with pytest.raises(OSError, match="No space left"):
        write()


def test_a_reader_that_has_seen_enough_leaves_no_thread_behind(whole: bytes, file: Path) -> None:
    file.write_bytes(whole)
    with backup_events(file, [IDENTITY]) as events:
        assert next(events) == HEADER
    assert not [thread for thread in threading.enumerate() if thread.name == "decryption"]


@pytest.mark.parametrize(
    "name",
    ["authorities/../../up.key", "../ca.key", "/authorities/x.key", "authorities/a\0.key", "root.key"],
)
def test_no_secret_of_a_backup_is_written_outside_the_directory(name: str) -> None:
    with pytest.raises(OperatorError):
        seal_again(name, SecretBytes(b"0" * 32), MemoryRootKey())
