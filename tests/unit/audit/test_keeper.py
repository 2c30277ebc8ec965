"""Checkpoints: made once for all workers, from files alone, and brought to every anchor."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from strongroom.audit import heads
from strongroom.audit.checkpoints import FILE, Checkpoint
from strongroom.audit.directory import open_directory
from strongroom.audit.keeper import Busy, CheckpointFailed, Keeper
from strongroom.audit.keys import SigningKey
from strongroom.audit.outlets import Outlet, OutletFailed
from strongroom.audit.read_log import ReadLog
from strongroom.audit.segments import SegmentName, segments
from strongroom.domain.chain import EMPTY, Head
from strongroom.server.auditing import WorkerAudit
from strongroom.server.config import AuditSettings
from tests.unit.audit.test_read_log import event

ONE, TWO = Head(1, bytes([1]) * 32), Head(2, bytes([2]) * 32)


class Taking:
    """An anchor that takes lines, unless it is told not to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.broken = False

    def send(self, lines: Sequence[bytes]) -> None:
        if self.broken:
            raise OutletFailed("broken")
        self.lines += lines

    def close(self) -> None:
        return


class Site:
    """A folder, its key, and two anchors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = open_directory(folder)
        self.key = SigningKey(SigningKey.new())
        self.near, self.far = Taking(), Taking()
        self.keeper = self.another()

    def another(self, key: SigningKey | None = None, keep: int | None = None) -> Keeper:
        """Return what another worker has."""
        anchors: dict[str, Outlet] = {"near": self.near, "far": self.far}
        return Keeper(self.folder, node=self.node, key=key or self.key, anchors=anchors, keep=keep)

    def made(self) -> list[Checkpoint]:
        lines = (self.folder / "checkpoints").read_bytes().splitlines()
        return [Checkpoint.read(line, [self.key.public]) for line in lines]


def make(keeper: Keeper, changes: Head, now: int) -> Checkpoint | None:
    return keeper.make(changes, now, "test", seen=keeper.last())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "audit")


def test_a_checkpoint_is_made_when_there_is_news(site: Site) -> None:
    assert make(site.keeper, EMPTY, 5) is None
    assert make(site.keeper, ONE, 10) is not None
    assert make(site.another(), ONE, 20) is None
    assert make(site.another(), TWO, 30) is not None
    assert [(one.number, one.at, one.changes) for one in site.made()] == [(1, 10, ONE), (2, 30, TWO)]


def test_what_was_read_before_another_signed_is_not_signed_after_it(site: Site) -> None:
    """The last line would say that the chain is not as far as it was signed for."""
    make(site.keeper, EMPTY, 5)
    seen = site.keeper.last()
    assert make(site.another(), TWO, 10) is not None
    assert site.keeper.make(ONE, 11, "test", seen=seen) is None
    last = site.keeper.last()
    assert last is not None
    assert last.changes == TWO


def test_a_chain_that_went_back_and_was_accepted_is_signed_for_as_it_is(site: Site) -> None:
    make(site.keeper, TWO, 10)
    made = make(site.keeper, ONE, 20)
    assert made is not None
    assert made.changes == ONE


def test_a_line_that_was_not_finished_is_written_anew(site: Site) -> None:
    make(site.keeper, ONE, 10)
    with (site.folder / "checkpoints").open("ab") as file:
        file.write(b'{"checkpoint":{"at":')
    make(site.keeper, TWO, 20)
    assert [one.number for one in site.made()] == [1, 2]


def test_a_first_line_that_was_not_finished_is_none(site: Site) -> None:
    (site.folder / "checkpoints").write_bytes(b'{"checkpoint":{"at":')
    make(site.keeper, ONE, 10)
    assert [one.number for one in site.made()] == [1]


def test_nothing_follows_a_checkpoint_of_another_key(site: Site) -> None:
    make(site.keeper, ONE, 10)
    stranger = site.another(SigningKey(SigningKey.new()))
    with pytest.raises(CheckpointFailed, match="signed by another key"):
        make(stranger, TWO, 20)


def test_one_makes_a_checkpoint_at_a_time(site: Site) -> None:
    with site.keeper._locked(), pytest.raises(Busy), site.another()._locked(0):
        pass
    with site.another()._locked(0):
        pass


def test_a_checkpoint_without_space_for_it_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    make(site.keeper, ONE, 10)
    before, write = (site.folder / FILE).read_bytes(), os.pwrite
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda descriptor, content, at: write(descriptor, content[:9], at))
        with pytest.raises(CheckpointFailed, match="no space"):
            make(site.keeper, TWO, 20)
    assert (site.folder / FILE).read_bytes() == before
    make(site.keeper, TWO, 30)
    assert [(one.number, one.at) for one in site.made()] == [(1, 10), (2, 30)]


def test_a_checkpoint_is_on_disk_before_anybody_hears_of_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    make(site.keeper, ONE, 10)
    assert synced[0] == (str(site.folder / FILE), (site.folder / FILE).stat().st_size)
    assert synced[1][0] == str(site.folder)


def test_a_row_whose_segments_are_gone_stays_in_the_checkpoints(site: Site) -> None:
    """Else nobody could tell that it was there."""
    log = ReadLog(site.folder, row=3, size=2048)
    log.open(site.node)
    log.record(event(1))
    log.close()
    made = make(site.keeper, ONE, 10)
    for name in segments(site.folder):
        (site.folder / str(name)).unlink()
    heads.path(site.folder, 3).unlink()
    again = make(site.keeper, TWO, 20)
    assert made is not None
    assert again is not None
    assert [end.head.position for end in again.reads] == [1]
    assert again.reads == made.reads


def test_every_end_of_a_segment_stands_in_a_checkpoint_once_it_is_final(site: Site) -> None:
    log = ReadLog(site.folder, row=3, size=2048)
    log.open(site.node)
    for number in range(50):
        log.record(event(number))
        if number in (2, 30):
            log._sync()
            make(site.keeper, Head(number, bytes(32)), number)
    log.close()
    make(site.keeper, Head(99, bytes(32)), 99)
    last = {end.name: end.head.position for one in site.made() for end in one.reads}
    assert list(last) == [str(name) for name in segments(site.folder)]
    assert sum(last.values()) == 50


def test_a_segment_goes_when_it_is_old_and_signed_for_and_the_checkpoint_says_so(site: Site) -> None:
    log = ReadLog(site.folder, row=0, size=2048)
    log.open(site.node)
    for number in range(50):
        log.record(event(number))
    log.close()
    names = list(map(str, segments(site.folder)))
    keeper = site.another(keep=100)
    make(keeper, ONE, int(time.time()))
    for name in names[:2]:
        os.utime(site.folder / name, (1, 1))
    assert list(map(str, segments(site.folder))) == names  # no checkpoint had their ends before
    make(keeper, TWO, int(time.time()))
    assert list(map(str, segments(site.folder))) == names[2:]
    assert site.made()[-1].removed == tuple(names[:2])


def test_the_newest_segment_stays_however_old_it_is(site: Site) -> None:
    """The next one of its row begins where it ended."""
    log = ReadLog(site.folder, row=0, size=2048)
    log.open(site.node)
    for number in range(50):
        log.record(event(number))
    log.close()
    names = list(map(str, segments(site.folder)))
    keeper = site.another(keep=100)
    make(keeper, ONE, int(time.time()))
    for name in names:
        os.utime(site.folder / name, (1, 1))
    make(keeper, TWO, int(time.time()))
    assert list(map(str, segments(site.folder))) == names[-1:]


def test_space_is_taken_back_from_who_was_killed_and_from_nobody_else(site: Site) -> None:
    log = ReadLog(site.folder, row=0, size=2048)
    log.open(site.node)
    log.record(event(1))
    log._reserve()
    log._sync()
    mine = [site.folder / str(name) for name in segments(site.folder)]
    begun, reserved = (path.read_bytes() for path in mine)
    left, unused = (site.folder / str(SegmentName(7, number)) for number in (1, 2))
    left.write_bytes(begun)
    unused.write_bytes(reserved)
    fresh = site.folder / str(SegmentName(8, 1))
    fresh.write_bytes(reserved)
    for path in (*mine, left, unused):
        os.utime(path, (1, 1))
    make(site.keeper, ONE, int(time.time()))
    assert left.read_bytes() == begun.rstrip(b"\0") != begun
    assert not unused.exists()
    assert [path.read_bytes() for path in (*mine, fresh)] == [begun, reserved, reserved]
    log.close()


def test_an_anchor_that_fails_does_not_keep_others_from_theirs(site: Site) -> None:
    site.near.broken = True
    make(site.keeper, ONE, 10)
    with pytest.raises(CheckpointFailed, match=r"near \(broken\)"):
        site.keeper.anchor()
    assert len(site.far.lines) == 1
    last = site.keeper.last()
    assert last is not None
    assert list(site.keeper.behind(last)) == ["near"]
    site.near.broken = False
    site.another().anchor()
    assert site.another().behind(last) == {}
    assert site.near.lines == site.far.lines
    assert json.loads(site.near.lines[0])["anchor"]["changes"]["position"] == 1


def test_an_anchor_lags_behind_since_it_failed_however_new_the_last_checkpoint_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5_000
    monkeypatch.setattr(time, "time", lambda: now)
    site.near.broken = True
    for number in range(1, 4):
        now += 1_000
        last = make(site.keeper, Head(number, bytes(32)), now)
        assert last is not None
        with pytest.raises(CheckpointFailed):
            site.keeper.anchor()
    now += 1
    assert last is not None
    assert site.keeper.behind(last) == {"near": 2_001}


def test_an_anchor_that_was_not_tried_lags_behind_since_the_checkpoint(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = make(site.keeper, ONE, 5_000)
    assert last is not None
    monkeypatch.setattr(time, "time", lambda: 5_007)
    assert site.keeper.behind(last) == {"near": 7, "far": 7}


def test_processes_make_checkpoints_one_after_the_other(site: Site, tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from typing import Any, cast
from strongroom.audit.keeper import Keeper
from strongroom.audit.keys import SigningKey
from strongroom.domain.chain import Head
from strongroom.model.secret import SecretBytes
key = SigningKey(SecretBytes(Path({str(tmp_path / "key")!r}).read_bytes()))
keeper = Keeper(Path({str(site.folder)!r}), node={site.node!r}, key=key, anchors={{}})
for number in range(20):
    keeper.make(Head(number, bytes([int(sys.argv[1])]) * 32), number, "test", seen=keeper.last())
"""
    private = SigningKey.new()
    (tmp_path / "key").write_bytes(private.reveal())
    processes = [subprocess.Popen([sys.executable, "-c", script, str(number)]) for number in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    site.key = SigningKey(private)
    numbers = [one.number for one in site.made()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 20


@pytest.mark.parametrize(("ahead", "due"), [(-7200, True), (0, False), (7200, True), (365 * 86_400, True)])
def test_a_clock_that_was_set_back_puts_off_no_checkpoint(tmp_path: Path, ahead: int, due: bool) -> None:
    """The last one would seem to be from the future, until the clock is as late again."""
    audit = cast(Any, WorkerAudit.__new__(WorkerAudit))
    audit._folder, audit._settings = tmp_path, AuditSettings(checkpoint=3600)
    (tmp_path / FILE).touch()
    os.utime(tmp_path / FILE, (time.time() + ahead,) * 2)
    assert audit._due() is due
