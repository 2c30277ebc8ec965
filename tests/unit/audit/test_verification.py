"""Every way to spoil an audit log is named with the first record that is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.audit.checkpoints import Checkpoint
from strongroom.audit.directory import open_directory
from strongroom.audit.evidence import Copy, Export, NoEvidence
from strongroom.audit.keys import SigningKey
from strongroom.audit.marks import Unreadable, marks
from strongroom.audit.read_log import ReadLog
from strongroom.audit.verification import verify
from strongroom.domain.chain import Head
from tests.unit.audit.logs import CHANGES, READS, Log
from tests.unit.audit.test_read_log import event


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("log") / "data")


@pytest.fixture
def log(_template: Log, tmp_path: Path) -> Log:
    """A fresh copy of one log."""
    copied = Log.__new__(Log)
    copied.__dict__ |= _template.__dict__
    copied.path = tmp_path / "data"
    shutil.copytree(_template.path, copied.path)
    copied.folder, copied.database = copied.path / "audit", copied.path / "strongroom.db"
    copied.anchor = tmp_path / "data.anchor"
    shutil.copy(_template.anchor, copied.anchor)
    copied.keeper = copied.make_keeper()
    return copied


def test_a_log_as_it_was_recorded_is_good(log: Log) -> None:
    verdict = log.verify(anchored=True)
    assert verdict.findings == []
    assert (verdict.changes, verdict.reads, verdict.checkpoints) == (CHANGES, READS, 2)
    assert verdict.remarks == ["the last 5 changes are not signed by a checkpoint yet"]


def test_an_export_is_as_good_as_a_copy(log: Log, tmp_path: Path) -> None:
    verdict = log.verify(anchored=True, evidence=log.export(tmp_path / "export"))
    assert verdict.findings == []
    assert (verdict.changes, verdict.reads, verdict.checkpoints) == (CHANGES, READS, 2)


def test_an_export_may_begin_later(log: Log, tmp_path: Path) -> None:
    start = Head(*log.rows()[11][:2])
    verdict = log.verify(anchored=True, evidence=log.export(tmp_path / "export", start=start))
    assert verdict.findings == []
    assert verdict.changes == CHANGES - 12


# Changes


def test_an_altered_change_is_named(log: Log) -> None:
    log.sql("UPDATE audit SET event = CAST(replace(event, 'key 16', 'key 61') AS BLOB) WHERE position = 17")
    assert log.findings() == ["change 17: it was altered, or stands in the place of another one"]


def test_an_altered_hash_is_named(log: Log) -> None:
    log.sql("UPDATE audit SET hash = randomblob(32) WHERE position = 28")
    assert log.findings()[0].startswith("change 28: it was altered")


@pytest.mark.parametrize("value", ["'text'", "NULL", "7"])
def test_a_hash_of_another_type_is_named(log: Log, value: str) -> None:
    log.sql(f"UPDATE audit SET hash = {value} WHERE position = 28")
    assert log.findings()[0].startswith("change 28: ")


def test_a_deleted_change_is_named(log: Log) -> None:
    log.sql("DELETE FROM audit WHERE position = 4")
    assert log.findings() == ["change 4: it is missing; it was deleted"]
    log.sql("DELETE FROM audit WHERE position IN (5, 6)")
    assert log.findings() == ["change 4: it is missing to 6; it was deleted"]


def test_changes_that_have_changed_places_are_named(log: Log) -> None:
    one, other = log.rows()[6].event, log.rows()[8].event
    log.sql("UPDATE audit SET event = ? WHERE position = 7", other)
    log.sql("UPDATE audit SET event = ? WHERE position = 9", one)
    first, second = log.findings()
    assert first == "change 7: it was moved: the record that belongs here stands at 9"
    assert second.startswith("change 9: ")


def test_an_inserted_change_is_named(log: Log) -> None:
    log.sql("UPDATE audit SET position = position + 1000 WHERE position > 5")
    log.sql("UPDATE audit SET position = position - 999 WHERE position > 1000")
    log.sql("INSERT INTO audit (event, position, hash) VALUES ('{}', 6, randomblob(32))")
    assert log.findings()[0].startswith("change 6: ")


def test_a_chain_made_anew_is_named_by_the_checkpoint_that_disagrees(log: Log) -> None:
    log.sql("UPDATE audit SET event = CAST(replace(event, 'key 16', 'key 61') AS BLOB) WHERE position = 17")
    log.chain_anew(17)
    assert log.findings() == [
        "change 11: the chain was made anew from here or later: checkpoint 2 has signed another record 25"
    ]


def test_a_checkpoint_behind_another_one_than_it_was_made_after_is_named(log: Log) -> None:
    """Both are signed; the server had two pasts."""
    file = log.folder / "checkpoints"
    first, second = file.read_bytes().splitlines()
    other = Checkpoint.read(first, [log.key.public])._replace(reason="another past").line(log.key)
    file.write_bytes(other + b"\n" + second + b"\n")
    assert log.findings() == ["checkpoint 2: it does not follow from the one before it"]


def test_damage_of_which_the_next_segment_says_nothing_came_later_and_is_named(log: Log) -> None:
    """Nobody has signed the last five records yet; the process that came next found them whole."""
    following = ReadLog(log.folder, row=0, size=1 << 20)
    following.open(open_directory(log.folder))
    following.record(event(99))
    following.close()
    assert log.findings() == []
    log.rewrite(lambda lines: [line.replace(b"key 37", b"key 73") for line in lines], anew=False)
    (finding,) = log.findings()
    assert finding.startswith("segment reads-000-00000001.log record 38: ")
    assert finding.endswith("it was altered, deleted or moved")


def test_damage_that_was_there_when_the_server_started_again_is_remarked(log: Log) -> None:
    """A power cut leaves it, behind all that was signed."""
    log.rewrite(lambda lines: [line.replace(b"key 37", b"key 73") for line in lines], anew=False)
    following = ReadLog(log.folder, row=0, size=1 << 20)
    following.open(open_directory(log.folder))
    following.record(event(99))
    following.close()
    verdict = log.verify()
    assert verdict.findings == []
    assert "reads-000-00000001.log cannot be read behind record 37" in " ".join(verdict.remarks)


def test_a_cut_end_is_named_by_the_checkpoint_that_has_signed_it(log: Log) -> None:
    log.sql("DELETE FROM audit WHERE position > 20")
    assert log.findings() == ["change 21: the end was cut: checkpoint 2 has signed 25 records, 20 are there"]


def test_a_cut_end_is_named_by_the_anchor_when_its_checkpoint_was_cut_too(log: Log) -> None:
    log.sql("DELETE FROM audit WHERE position > 12")
    file = log.folder / "checkpoints"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    log.rewrite(lambda lines: lines[:12], anew=False)
    assert log.findings() == []
    missing, cut = log.findings(anchored=True)
    assert missing.startswith("checkpoint 2: it is missing, but was anchored at ")
    assert cut == (
        "change 13: the end was cut: the anchor of checkpoint 2 has signed 25 records, 12 are there"
    )


def test_what_no_checkpoint_has_signed_can_be_cut_which_is_said(log: Log) -> None:
    log.sql("DELETE FROM audit WHERE position > 26")
    assert log.verify().remarks == ["the last 1 changes are not signed by a checkpoint yet"]


# Reads


def test_an_altered_read_is_named(log: Log) -> None:
    log.rewrite(lambda lines: [line.replace(b"key 16", b"key 61") for line in lines], anew=False)
    assert log.findings() == [
        "segment reads-000-00000001.log record 17: the record does not follow from the one before it:"
        " it was altered, deleted or moved"
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:30] + lines[31:],
        lambda lines: [*lines[:30], lines[31], lines[30], *lines[32:]],
        lambda lines: [*lines[:30], lines[2], *lines[30:]],
    ],
    ids=["deleted", "moved", "doubled"],
)
def test_a_read_out_of_its_place_is_named(log: Log, change: Callable[[list[bytes]], list[bytes]]) -> None:
    log.rewrite(change, anew=False)
    (finding,) = log.findings()
    assert finding.startswith("segment reads-000-00000001.log record 31: ")


def test_a_segment_made_anew_is_named_by_the_checkpoint_that_disagrees(log: Log) -> None:
    log.rewrite(lambda lines: lines[:16] + lines[17:], anew=True)
    assert log.findings() == [
        "segment reads-000-00000001.log record 11: the chain was made anew from here or later: checkpoint 2"
        " has signed another record 25"
    ]


def test_the_cut_end_of_a_segment_is_named(log: Log) -> None:
    log.rewrite(lambda lines: lines[:20], anew=False)
    assert log.findings() == [
        "segment reads-000-00000001.log record 21: the end was cut: checkpoint 2 has signed 25 records,"
        " 20 are there"
    ]


def test_a_segment_that_is_gone_is_named(log: Log) -> None:
    log.segment().unlink()
    assert log.findings() == [
        "segment reads-000-00000001.log: it is missing, though checkpoint 2 has signed 25 records"
    ]


@pytest.fixture
def many(tmp_path: Path) -> Log:
    """A log of several segments."""
    return Log(tmp_path / "many", size=2048)


def test_segments_are_one_chain(many: Log) -> None:
    assert many.findings(anchored=True) == []
    many.segment(2).unlink()
    assert "segment reads-000-00000004.log: it follows from reads-000-00000003.log" in many.findings()[-1]


def test_the_cut_end_of_a_segment_is_named_by_the_next(many: Log) -> None:
    many.rewrite(lambda lines: lines[:-1], anew=False, number=-2)
    (finding,) = many.findings()
    assert "the end was cut: reads-000-" in finding


def test_a_segment_made_anew_is_named_by_the_next(many: Log) -> None:
    many.rewrite(lambda lines: [line.replace(b"key 3", b"key 4") for line in lines], anew=True, number=-2)
    (finding,) = many.findings()
    assert "it was made anew" in finding


# Checkpoints and anchors


def test_a_checkpoint_of_another_key_is_named(log: Log) -> None:
    stranger = SigningKey(SigningKey.new()).public
    findings = verify(Copy(log.path), [stranger]).findings
    assert [finding.where for finding in findings] == ["checkpoint 1", "checkpoint 2"]


def test_an_altered_checkpoint_is_named(log: Log) -> None:
    file = log.folder / "checkpoints"
    file.write_bytes(file.read_bytes().replace(b'"position":10', b'"position":11'))
    assert log.findings()[0] == (
        "checkpoint 1: the signature of the checkpoint does not fit; it was altered, or is not of this log"
    )


def test_a_missing_checkpoint_is_named(log: Log) -> None:
    file = log.folder / "checkpoints"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[1])
    assert log.findings()[0] == "checkpoint 1: it is missing; number 2 stands in its place"


def test_a_log_without_checkpoints_is_told_from_a_good_one(log: Log) -> None:
    (log.folder / "checkpoints").unlink()
    assert "nothing is signed" in log.verify().remarks[0]
    assert len(log.findings(anchored=True)) == 2


def test_an_older_copy_of_everything_is_named_by_the_anchor(log: Log, tmp_path: Path) -> None:
    """Fault: the whole data directory went back in time."""
    old = tmp_path / "old"
    shutil.copytree(log.path, old)
    log.change(range(100, 110))
    log.checkpoint(200)
    (tmp_path / "now").mkdir()
    shutil.rmtree(log.path)
    old.rename(log.path)
    assert log.findings() == []
    missing, cut = log.findings(anchored=True)
    assert missing.startswith("checkpoint 3: it is missing")
    assert cut.startswith("change 31: the end was cut")


def test_an_anchor_with_lines_of_others_is_read(log: Log) -> None:
    lines = log.anchor.read_bytes().splitlines(keepends=True)
    log.anchor.write_bytes(b"something else\n<109>1 - host strongroom - audit - ".join([b"", *lines]))
    assert log.findings(anchored=True) == []


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_an_anchor_that_was_never_finished_is_only_remarked_upon(log: Log, end: bytes) -> None:
    """The disk was full in its middle; an older release went on in the same line."""
    first, *others = log.anchor.read_bytes().splitlines(keepends=True)
    log.anchor.write_bytes(b"".join([first, others[0][:200], end, *others]))
    assert log.findings(anchored=True) == []
    *_, mark = marks(log.folder, [f"file:{log.anchor}"], log.key.public)
    assert mark.changes.position == max(
        json.loads(line)["anchor"]["changes"]["position"] for line in [first, *others]
    )


@pytest.mark.parametrize("cut", [5, 200])
def test_the_end_of_an_anchor_that_was_never_finished_hides_nothing(log: Log, cut: int) -> None:
    lines = log.anchor.read_bytes().splitlines(keepends=True)
    before = list(marks(log.folder, [f"file:{log.anchor}"], log.key.public))
    log.anchor.write_bytes(b"".join([*lines, lines[0][:cut], b"\n", lines[0][:cut]]))
    assert list(marks(log.folder, [f"file:{log.anchor}"], log.key.public)) == before
    log.anchor.write_bytes(b"".join(lines) + b"x\n" * (1 << 20))
    with pytest.raises(Unreadable):
        list(marks(log.folder, [f"file:{log.anchor}"], log.key.public))
    log.anchor.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b'"number":', b'"number":1')]))
    with pytest.raises(Unreadable, match="does not fit"):
        list(marks(log.folder, [f"file:{log.anchor}"], log.key.public))


def test_an_anchor_without_a_line_of_the_log_proves_nothing(log: Log) -> None:
    log.anchor.write_bytes(b"something else\n")
    assert log.findings(anchored=True) == ["anchor: there is no line of this log in it"]


# Exports


def test_a_cut_or_altered_export_is_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "export"
    log.export(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for spoilt in (lines[:-1], lines[:20], lines[:20] + lines[21:], lines[1:], [*lines[:3], b"no JSON\n"]):
        path.write_bytes(b"".join(spoilt))
        with pytest.raises(NoEvidence):
            log.verify(evidence=Export(path))


def test_an_altered_record_of_an_export_is_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "export"
    log.export(path)
    path.write_bytes(path.read_bytes().replace(b"key 16", b"key 61"))
    findings = log.verify(evidence=Export(path)).findings
    assert [finding.where for finding in findings] == [
        "change 17",
        "segment reads-000-00000001.log record 17",
    ]


def test_anchors_newer_than_an_export_are_left_aside(log: Log, tmp_path: Path) -> None:
    verdict = log.verify(anchored=True, evidence=log.export(tmp_path / "export", at=20))
    assert verdict.good
    assert verdict.remarks[0].startswith("1 anchored checkpoints are newer than this export")


def test_an_event_that_is_no_json_is_exported_as_it_is(log: Log, tmp_path: Path) -> None:
    log.sql("UPDATE audit SET event = ? WHERE position = 30", b'{"b":1, "a":"\xff"}')
    path = tmp_path / "export"
    findings = log.verify(evidence=log.export(path)).findings
    assert [finding.where for finding in findings] == ["change 30"]
    assert "raw" in next(
        said["change"]
        for said in map(json.loads, path.read_bytes().splitlines())
        if said.get("change", {}).get("position") == 30
    )


def test_what_is_no_log_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(NoEvidence, match="strongroom audit export"):
        Copy(tmp_path)
