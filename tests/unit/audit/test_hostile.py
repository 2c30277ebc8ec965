"""What reads a log may be given anything: it says that it is bad, and does nothing else."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.audit import heads
from strongroom.audit.checkpoints import Anchor, Checkpoint, NotSigned
from strongroom.audit.evidence import Export, NoEvidence
from strongroom.audit.keys import NotAnAuditKey, SigningKey, VerifyingKey
from strongroom.audit.rendering import parsed, row
from strongroom.audit.segments import Damage, Previous, Segment, SegmentName, header
from strongroom.audit.verification import verify
from strongroom.domain.chain import EMPTY, Head

KEY = SigningKey(SigningKey.new())
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADER = header(
    SegmentName(0, 1), node="n", pid=1, started=1, previous=Previous("x", Head(1, bytes(32))), damaged=False
)


@given(st.binary(max_size=400), st.booleans())
def test_a_segment_of_any_bytes_is_read_or_is_damaged(content: bytes, begun: bool) -> None:
    segment = Segment("reads-000-00000001.log", HEADER + b"\n" + content if begun else content)
    with suppress(Damage):
        segment.read()


@given(anything)
def test_a_header_of_any_facts_is_read_or_is_damaged(value: object) -> None:
    facts = {**json.loads(HEADER), "previous": value}
    segment = Segment("reads-000-00000001.log", json.dumps(facts).encode() + b"\n")
    with suppress(Damage):
        segment.read()
        assert value is None or isinstance(value, dict)


@given(st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()))
def test_a_line_that_nobody_has_signed_is_no_checkpoint(line: bytes) -> None:
    for read in (Checkpoint.read, Anchor.read):
        with pytest.raises(NotSigned):
            read(line, [KEY.public])


@given(anything, st.sampled_from(["signature", "checkpoint"]))
def test_a_checkpoint_with_any_part_replaced_is_not_signed(value: object, part: str) -> None:
    line = Checkpoint(1, 1, "n", "test", "0" * 64, EMPTY, ()).line(KEY)
    said = json.loads(line)
    if said[part] == value:
        return
    with pytest.raises(NotSigned):
        Checkpoint.read(json.dumps({**said, part: value}).encode(), [KEY.public])


@settings(max_examples=200)
@given(
    st.lists(
        anything.map(lambda value: json.dumps({"change": value}).encode())
        | anything.map(lambda value: json.dumps({"segment": value}).encode())
        | anything.map(lambda value: json.dumps({"read": value}).encode())
        | st.binary(max_size=50),
        max_size=4,
    )
)
def test_an_export_of_anything_is_no_evidence(lines: list[bytes]) -> None:
    begin = {"export": {"at": 1, "format": "strongroom audit export 1", "from": {"head": "", "position": 0}}}
    content = [json.dumps(begin).encode(), *lines]
    content.append(json.dumps({"end": {"lines": len(content) + 1}}).encode())
    with TemporaryDirectory() as folder, suppress(NoEvidence):
        file = Path(folder) / "export"
        file.write_bytes(b"\n".join(content) + b"\n")
        verdict = verify(Export(file), [KEY.public])
        assert verdict.findings or not verdict.changes


@given(st.binary(max_size=300))
def test_the_end_of_a_segment_that_is_being_written_is_nothing(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "end"
        file.write_bytes(content)
        assert heads.read(file) is None


def test_an_end_of_which_one_half_is_older_than_the_other_is_nothing() -> None:
    """It is written in one place, over and over, and read meanwhile."""
    with TemporaryDirectory() as folder:
        file = heads.path(Path(folder), 0)
        heads.publish(Path(folder), 0, heads.Published("reads-000-00000001.log", 100, Head(3, bytes(32))))
        whole = file.read_bytes()
        assert heads.read(file) is not None
        file.write_bytes(whole.replace(b'"records":3', b'"records":4'))
        assert heads.read(file) is None


@given(anything)
def test_an_event_of_anything_can_be_shown(value: object) -> None:
    row(parsed(json.dumps(value).encode()), {1: "web"})


@given(st.binary(max_size=100))
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(NotAnAuditKey):
        VerifyingKey.read(pem)
