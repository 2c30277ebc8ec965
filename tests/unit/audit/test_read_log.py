"""What a worker records of reads: written before it answers, chained, in space that was reserved."""

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from strongroom.audit import heads, read_log
from strongroom.audit.directory import open_directory
from strongroom.audit.read_log import RETRY, SYNC, ReadLog
from strongroom.audit.segments import Damage, Segment, segments
from strongroom.domain.audit import AuditEvent, AuditUnavailable, canonical
from strongroom.model.identifiers import UniqueIdentifier

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIZE: Final = 4096


def event(number: int) -> AuditEvent:
    return AuditEvent(
        at=NOW,
        client=1,
        tenant=1,
        peer="127.0.0.1:1",
        operation="GET",
        outcome="success",
        objects=(UniqueIdentifier(f"key {number}"),),
    )


def opened(directory: Path, *, row: int = 0, size: int = SIZE) -> ReadLog:
    log = ReadLog(directory, row=row, size=size)
    log.open(open_directory(directory))
    return log


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def log(directory: Path) -> Iterator[ReadLog]:
    made = opened(directory)
    yield made
    made.close()


def read(directory: Path) -> list[Segment]:
    """Return every segment that was begun, read to its end."""
    found = []
    for name in segments(directory):
        segment = Segment(str(name), (directory / str(name)).read_bytes())
        if segment.begun:
            segment.read()
            found.append(segment)
    return found


def recorded(directory: Path) -> list[str]:
    """Return the object of each record, after checking all chains and what holds them together."""
    keys: list[str] = []
    before = None
    for name in segments(directory):
        segment = Segment(str(name), (directory / str(name)).read_bytes())
        if not segment.begun:
            continue
        segment.read_header()
        assert segment.previous(segment.facts) == before
        keys += [json.loads(one)["objects"][0] for one in segment.records()]
        before = (str(name), segment.head)
    return keys


def test_a_record_is_with_the_operating_system_when_record_returns(log: ReadLog, directory: Path) -> None:
    for number in range(5):
        log.record(event(number))
        assert recorded(directory)[-1] == f"key {number}"


def test_a_repeated_event_is_recorded_as_if_it_were_new(log: ReadLog, directory: Path) -> None:
    again = log.repeated(event(1))
    later = datetime(2026, 1, 2, tzinfo=UTC)
    log.record_again(again, NOW, "127.0.0.1:1")
    log.record_again(again, later, '[fe80::1%"\n]:2')
    (segment,) = [Segment("", (directory / str(name)).read_bytes()) for name in segments(directory)][:1]
    segment.read_header()
    first, second = segment.records()
    assert first == event(1).encode()
    assert second == event(1)._replace(at=later, peer='[fe80::1%"\n]:2').encode()


def test_what_is_done_for_another_is_not_repeated(log: ReadLog) -> None:
    """Who stands for whom may change, and it would be recorded as it was."""
    with pytest.raises(ValueError, match="recorded anew"):
        log.repeated(event(1)._replace(acting=2))


def test_of_many_peers_the_names_of_few_are_remembered(
    log: ReadLog, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_log, "_PEERS", 3)
    again = log.repeated(event(1))
    for port in range(10):
        log.record_again(again, NOW, f"127.0.0.1:{port}")
        assert len(log._peers) <= 3
    segment = Segment("", (directory / str(segments(directory)[0])).read_bytes())
    segment.read_header()
    peers = [json.loads(line)["peer"] for line in segment.records()]
    assert peers == [f"127.0.0.1:{port}" for port in range(10)]


def test_a_full_segment_is_followed_by_the_next_and_gives_its_space_back(
    log: ReadLog, directory: Path
) -> None:
    for number in range(100):
        log.record(event(number))
    assert recorded(directory) == [f"key {number}" for number in range(100)]
    log.close()
    sizes = [(directory / str(name)).stat().st_size for name in segments(directory)]
    assert len(sizes) > 2
    assert all(size < SIZE for size in sizes)


def test_the_next_segment_has_its_space_before_it_is_needed(log: ReadLog, directory: Path) -> None:
    log.record(event(1))
    wait_for(lambda: len(segments(directory)) == 2)
    for name in segments(directory):
        status = (directory / str(name)).stat()
        assert status.st_blocks * 512 >= SIZE
        assert status.st_mode & 0o777 == 0o600


def test_a_log_that_is_opened_again_goes_on_where_it_ended(directory: Path) -> None:
    for start in (0, 10, 20):
        log = opened(directory)
        for number in range(start, start + 10):
            log.record(event(number))
        log.close()
    assert recorded(directory) == [f"key {number}" for number in range(30)]
    assert len(segments(directory)) == 3


def test_workers_have_chains_of_their_own(directory: Path) -> None:
    logs = [opened(directory, row=row) for row in range(2)]
    for log in logs:
        log.record(event(1))
    for log in logs:
        log.close()
    assert [segment.facts["previous"] for segment in read(directory)] == [None, None]


def test_a_log_that_recorded_nothing_leaves_nothing(directory: Path) -> None:
    opened(directory).close()
    assert segments(directory) == []


def test_a_process_that_is_killed_loses_no_record(directory: Path) -> None:
    open_directory(directory)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        log = opened(directory)
        for number in range(100_000):
            log.record(event(number))
            os.write(writing, number.to_bytes(4, "big"))
    os.close(writing)
    acknowledged = b""
    while len(acknowledged) < 4 * 500:
        acknowledged += os.read(reading, 65536)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 65536):
        acknowledged += more
    os.close(reading)
    keys = recorded(directory)
    assert len(keys) - len(acknowledged) // 4 in (0, 1)
    assert keys == [f"key {number}" for number in range(len(keys))]
    log = opened(directory)
    log.record(event(len(keys)))
    log.close()
    assert recorded(directory) == [f"key {number}" for number in range(len(keys) + 1)]


def test_a_record_that_was_not_finished_is_not_counted(directory: Path) -> None:
    log = opened(directory)
    log.record(event(1))
    log.close()
    (name,) = segments(directory)
    with (directory / str(name)).open("ab") as file:
        file.write(b'{"at":1,"cl' + bytes(100))
    log = opened(directory)
    log.record(event(2))
    log.close()
    assert recorded(directory) == ["key 1", "key 2"]


def test_what_a_process_had_reserved_that_was_killed_is_given_back(directory: Path) -> None:
    log = opened(directory)
    log.record(event(1))
    log.close()
    (name,) = segments(directory)
    begun, reserved = directory / str(name), directory / str(name._replace(number=2))
    used = begun.stat().st_size
    for path in (begun, reserved):
        with path.open("ab") as file:
            file.truncate(SIZE)
    log = opened(directory)
    log.record(event(2))
    log.close()
    assert recorded(directory) == ["key 1", "key 2"]
    assert [one.number for one in segments(directory)] == [1, 2]
    assert begun.stat().st_size == used


def test_damage_is_told_in_the_next_segment(directory: Path) -> None:
    log = opened(directory)
    for number in range(3):
        log.record(event(number))
    log.close()
    (name,) = segments(directory)
    path = directory / str(name)
    path.write_bytes(path.read_bytes().replace(b"key 1", b"key 7"))
    with pytest.raises(Damage) as raised:
        read(directory)
    assert raised.value.record == 2
    log = opened(directory)
    log.record(event(3))
    log.close()
    last = Segment("", (directory / str(segments(directory)[-1])).read_bytes())
    last.read_header()
    assert last.facts["damaged"] is True
    assert last.facts["previous"]["records"] == 1


def test_a_record_that_was_emptied_before_others_is_missed(directory: Path) -> None:
    """Zeros are space that was reserved only where nothing comes after them."""
    log = opened(directory)
    for number in range(3):
        log.record(event(number))
    log.close()
    (name,) = segments(directory)
    content = (directory / str(name)).read_bytes()
    (second,) = [line for line in content.splitlines(keepends=True) if b"key 1" in line]
    segment = Segment("", content.replace(second, bytes(len(second))))
    with pytest.raises(Damage, match="missing before others") as raised:
        segment.read()
    assert (raised.value.record, segment.head.position) == (2, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"more": 1},
        {"damaged": 0},
        {"previous": {"name": "x", "records": 1, "head": "no hex"}},
        {"previous": []},
    ],
    ids=str,
)
def test_a_header_that_no_segment_has_is_damage(directory: Path, change: dict[str, object]) -> None:
    opened_once = opened(directory)
    opened_once.record(event(1))
    opened_once.close()
    (name,) = segments(directory)
    line, *_ = (directory / str(name)).read_bytes().splitlines()
    good = Segment("", line + b"\n")
    good.read()
    for header in (canonical(good.facts | change) + b"\n", line.replace(b":", b": ", 1) + b"\n", line):
        with pytest.raises(Damage) as raised:
            Segment("", header).read()
        assert raised.value.record == 0


def test_damage_is_told_once(directory: Path) -> None:
    log = opened(directory)
    log.record(event(0))
    log.close()
    (name,) = segments(directory)
    path = directory / str(name)
    path.write_bytes(path.read_bytes().replace(b"key 0", b"key 7"))
    log = opened(directory)
    for number in range(100):
        log.record(event(number))
    log.close()
    told = []
    for after in segments(directory)[1:]:
        segment = Segment("", (directory / str(after)).read_bytes())
        segment.read_header()
        told.append(segment.facts["damaged"])
    assert len(told) > 1
    assert told == [True] + [False] * (len(told) - 1)


def test_without_space_reads_go_on_in_what_is_reserved_and_then_nothing_is_recorded(
    log: ReadLog, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.record(event(0))
    wait_for(lambda: len(segments(directory)) == 2)

    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    number = 0
    with pytest.raises(AuditUnavailable, match="free some"):  # noqa: PT012
        for number in range(1, 1000):
            log.record(event(number))
    assert recorded(directory) == [f"key {one}" for one in range(number)]
    assert "no space" in (log.problem or "")
    monkeypatch.undo()
    wait_for(lambda: log.problem is None)
    log.record(event(number))
    assert recorded(directory)[-1] == f"key {number}"


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, os.strerror(errno.EIO)), 7], ids=["fails", "short"])
def test_what_could_not_be_written_whole_was_not_recorded(
    log: ReadLog, directory: Path, monkeypatch: pytest.MonkeyPatch, trouble: OSError | int
) -> None:
    def writes_too_little(descriptor: int, content: bytes, offset: int) -> int:
        if isinstance(trouble, OSError):
            raise trouble
        return real(descriptor, content[:trouble], offset)

    real = os.pwrite
    log.record(event(1))
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", writes_too_little)
        with pytest.raises(AuditUnavailable, match="no restart is needed"):
            log.record(event(2))
    log.record(event(3))
    assert recorded(directory) == ["key 1", "key 3"]


def test_a_log_that_is_closed_takes_nothing(log: ReadLog) -> None:
    log.close()
    for refused in (log.check, lambda: log.record(event(1))):
        with pytest.raises(AuditUnavailable, match="closed"):
            refused()


def test_what_is_told_of_the_end_is_on_disk(log: ReadLog, directory: Path) -> None:
    """It is told every so often, within the tenth of a second that a power cut may cost."""
    assert SYNC <= 0.1
    for number in range(3):
        log.record(event(number))
    wait_for(lambda: published(directory) == 3)


@pytest.fixture
def broken_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Have no data be kept, until that is undone."""

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fails)
        yield patch


def test_a_disk_that_fails_for_a_moment_loses_nothing(
    log: ReadLog, directory: Path, broken_disk: pytest.MonkeyPatch
) -> None:
    log.record(event(1))
    wait_for(lambda: "check the disk" in (log.problem or ""))
    log.check()
    log.record(event(2))
    assert published(directory) < 1
    broken_disk.undo()
    wait_for(lambda: log.problem is None)
    log.record(event(3))
    wait_for(lambda: published(directory) == 3)
    assert recorded(directory) == ["key 1", "key 2", "key 3"]


def test_a_segment_that_ended_while_the_disk_failed_is_kept(
    log: ReadLog, directory: Path, broken_disk: pytest.MonkeyPatch
) -> None:
    number = 0
    while len(segments(directory)) < 4:
        number += 1
        log.record(event(number))
    broken_disk.undo()
    wait_for(lambda: log.problem is None)
    assert recorded(directory) == [f"key {one}" for one in range(1, number + 1)]


def test_a_disk_that_goes_on_failing_stops_everything_until_it_is_well(
    log: ReadLog, broken_disk: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_log, "PATIENCE", RETRY)
    log.record(event(1))
    wait_for(lambda: refuses(log, "check the disk"))
    log.refuse("")
    with pytest.raises(AuditUnavailable, match="check the disk"):
        log.record(event(2))
    broken_disk.undo()
    wait_for(lambda: log.problem is None)
    log.record(event(2))


def test_a_disk_that_is_well_again_ends_no_refusal_from_elsewhere(
    log: ReadLog, broken_disk: pytest.MonkeyPatch
) -> None:
    log.record(event(1))
    wait_for(lambda: "check the disk" in (log.problem or ""))
    log.refuse("a sink is slow")
    broken_disk.undo()
    wait_for(lambda: log._failing_since is None)
    assert log.problem == "a sink is slow"
    with pytest.raises(AuditUnavailable, match="a sink is slow"):
        log.record(event(2))


def test_what_the_system_has_forgotten_is_not_taken_for_kept(
    log: ReadLog, broken_disk: pytest.MonkeyPatch
) -> None:
    def forgotten(descriptor: int, size: int, offset: int) -> bytes:
        return bytes(size)

    broken_disk.setattr(os, "pread", forgotten)
    log.record(event(1))
    wait_for(lambda: refuses(log, "restart the server"))
    broken_disk.setattr(os, "fdatasync", lambda descriptor: None)
    time.sleep(2 * RETRY)
    assert refuses(log, "restart the server")


def refuses(log: ReadLog, why: str) -> bool:
    """Tell whether nothing is done any more."""
    try:
        log.check()
    except AuditUnavailable as refusal:
        return why in str(refusal)
    return False


def test_what_is_refused_from_elsewhere_is_refused_until_it_ends(log: ReadLog) -> None:
    log.refuse("a sink is slow")
    with pytest.raises(AuditUnavailable, match="a sink is slow"):
        log.record(event(1))
    log.refuse("")
    log.record(event(1))


def published(directory: Path) -> int:
    said = heads.read(heads.path(directory, 0)) if heads.path(directory, 0).exists() else None
    return -1 if said is None else said.head.position


def wait_for(condition: object, *, seconds: float = 60.0) -> None:
    assert callable(condition)
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)
