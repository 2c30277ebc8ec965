"""Reading the log of reads while it is written: what is read is as it was at one moment."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from strongroom.audit import written as module
from strongroom.audit.evidence import Copy, Lines, export_lines
from strongroom.audit.read_log import ReadLog
from strongroom.audit.segments import Segment, SegmentName, segments
from strongroom.audit.written import contents, written
from strongroom.domain.chain import EMPTY, Head
from strongroom.server.backup import files
from strongroom.server.backup.files import AuditFiles
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from tests.unit.audit.test_read_log import event, opened

MANY: Final = 30
"""Records that fill more than a segment."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def log(directory: Path) -> Iterator[ReadLog]:
    made = opened(directory)
    for number in range(5):
        made.record(event(number))
    yield made
    made.close()


def check(found: dict[SegmentName, bytes]) -> int:
    """Check that segments follow from each other, without a gap; return how many records they have."""
    ends: dict[str, Head] = {}
    records = 0
    for name, content in sorted(found.items()):
        segment = Segment(str(name), content)
        segment.read_header()
        records += len(list(segment.records()))
        assert b"\0" not in content
        assert not segment.torn
        ends[str(name)] = segment.head
        previous = Segment.previous(segment.facts)
        assert previous is None or ends[previous.name] == previous.head
    return records


@pytest.fixture
def busy(log: ReadLog, monkeypatch: pytest.MonkeyPatch) -> ReadLog:
    """Have more than a segment written behind each look at one."""
    log._reserve()
    real = module._used

    def used(path: Path) -> int:
        found = real(path)
        if segments(path.parent)[-1].number < 20:
            for number in range(MANY):
                log.record(event(number))
        return found

    monkeypatch.setattr(module, "_used", used)
    return log


def test_what_a_segment_says_of_the_one_before_is_there(busy: ReadLog, directory: Path) -> None:
    sizes = written(directory)
    found = {name: (directory / str(name)).read_bytes()[:size] for name, size in sizes.items()}
    assert check(found) >= 5
    assert list(sizes) == sorted(sizes)


def test_what_is_written_behind_the_end_is_not_read(log: ReadLog, directory: Path) -> None:
    found = {}
    for name, content in contents(directory):
        found[name] = content
        for number in range(MANY):
            log.record(event(number))
    assert check(found) == 5


def test_a_segment_that_is_only_reserved_is_not_there(log: ReadLog, directory: Path) -> None:
    (directory / str(SegmentName(1, 1))).write_bytes(bytes(4096))
    assert [name.row for name in written(directory)] == [0]


def test_zeros_that_somebody_has_put_into_a_segment_stay_in_it(log: ReadLog, directory: Path) -> None:
    ((name, content),) = contents(directory)
    place = content.rindex(b"key 3")
    with (directory / str(name)).open("r+b") as file:
        file.seek(place)
        file.write(bytes(5))
    ((_, spoilt),) = contents(directory)
    assert spoilt == content[:place] + bytes(5) + content[place + 5 :]


def test_an_export_is_of_one_moment(busy: ReadLog, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "strongroom.db").touch()
    lines = list(export_lines(Lines("node", 0, EMPTY, [], directory)))
    assert not any(b"\\u0000" in line or b'"raw"' in line for line in lines)
    evidence = Copy(tmp_path)
    assert check({name: evidence.segment(name) for name in evidence.segments()}) >= 5


def test_a_backup_has_the_log_of_one_moment(
    busy: ReadLog, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIECE", 100)
    audit = AuditFiles(DataDirectory(tmp_path))
    found: dict[SegmentName, bytes] = {}
    for name, pieces in audit.read():
        content = b""
        for piece in pieces:
            content += piece
            busy.record(event(7))
        if name.startswith("audit/reads-"):
            _, row, number = name.removesuffix(".log").split("-")
            found[SegmentName(int(row), int(number))] = content
    assert check(found) >= 5


def test_space_that_was_only_reserved_may_go_while_a_backup_is_made(
    log: ReadLog, directory: Path, tmp_path: Path
) -> None:
    reserved = directory / str(SegmentName(1, 1))
    reserved.write_bytes(bytes(4096))
    audit = AuditFiles(DataDirectory(tmp_path))
    reserved.unlink()
    assert f"audit/{SegmentName(0, 1)}" in [name for name, _ in audit.read()]


def test_what_is_about_to_be_removed_is_read_first(log: ReadLog, directory: Path, tmp_path: Path) -> None:
    """On a busy server that keeps its reads for a while, something goes with every checkpoint."""
    old = directory / str(SegmentName(7, 1))
    old.write_bytes(b"the oldest")
    os.utime(old, (0, 0))
    found = {}
    for name, pieces in AuditFiles(DataDirectory(tmp_path)).read():
        found[name] = b"".join(pieces)
        if name.startswith("audit/reads-"):
            old.unlink(missing_ok=True)
    assert found[f"audit/{old.name}"] == b"the oldest"


def test_a_backup_is_not_made_of_a_log_whose_records_were_removed_meanwhile(
    log: ReadLog, directory: Path, tmp_path: Path
) -> None:
    audit = AuditFiles(DataDirectory(tmp_path))
    (directory / str(SegmentName(0, 1))).unlink()
    with pytest.raises(OperatorError, match="make the backup again"):
        list(audit.read())
