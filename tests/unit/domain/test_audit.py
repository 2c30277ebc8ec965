"""The stored form of audit events, and how they are chained."""

import json
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.domain.audit import (
    GONE,
    LONGEST_TEXT,
    MOST_NAMED,
    AuditEvent,
    Changed,
    ChangedEntry,
    canonical,
    encode_all,
    named,
)
from strongroom.domain.chain import EMPTY, extend
from strongroom.model.identifiers import UniqueIdentifier

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAIN: Final = AuditEvent(at=NOW, client=1, tenant=1, peer="127.0.0.1:1", operation="GET", outcome="success")
texts = st.text(max_size=400)


@st.composite
def events(draw: st.DrawFn) -> AuditEvent:
    number = st.integers(0, 2**40)
    return AuditEvent(
        at=NOW,
        client=draw(number),
        tenant=draw(number),
        peer=draw(texts),
        operation=draw(texts),
        outcome=draw(texts),
        objects=tuple(map(UniqueIdentifier, draw(st.lists(texts, max_size=3)))),
        acting=draw(st.none() | number),
        user=draw(st.none() | texts),
        correlation=draw(st.none() | st.tuples(texts, texts)),
        by=draw(st.none() | texts),
        target=draw(st.none() | texts),
        found=draw(st.none() | number),
        changed=Changed(
            tuple(draw(st.lists(st.tuples(texts, number, number), max_size=2))),
            tuple(draw(st.lists(st.builds(ChangedEntry, number, number, texts, number), max_size=2))),
            tuple(draw(st.lists(st.tuples(number, number), max_size=2))),
        ),
    )


@given(events())
def test_whatever_an_event_says_it_is_one_line_of_canonical_ascii(event: AuditEvent) -> None:
    encoded = event.encode()
    assert encoded.isascii()
    assert encoded.decode().isprintable()
    assert canonical(json.loads(encoded)) == encoded


def test_a_text_of_somebody_else_cannot_make_an_event_long() -> None:
    long = "\U0001f511" * 100_000
    identifiers = [UniqueIdentifier(long + str(number)) for number in range(MOST_NAMED + 5)]
    event = PLAIN._replace(peer=long, user=long, correlation=(long, long), target=long, objects=identifiers)
    said = json.loads(event.encode())
    assert len(event.encode()) < 1_000_000
    assert len(said["user"]) == LONGEST_TEXT
    assert said["objects_left_out"] == 5
    assert len(set(said["objects"])) == MOST_NAMED


def test_a_long_identifier_is_still_told_from_others() -> None:
    assert named("a" * LONGEST_TEXT) == "a" * LONGEST_TEXT
    assert named("a" * 300 + "b") != named("a" * 300 + "c")


def test_the_last_event_of_a_commit_says_what_it_changed() -> None:
    changed = Changed((("k1", 1, 1), ("k2", GONE, 1)), (ChangedEntry(0, 20, "eve", 2),), ((7, 3),))
    first, last = map(json.loads, encode_all([PLAIN, PLAIN._replace(operation="CREATE")], changed))
    assert "changed" not in first
    assert last["changed"] == [["k1", 1, 1], ["k2", 0, 1]]
    assert last["entries"] == [[0, 20, "eve", 2]]
    assert last["clients"] == [[7, 3]]


def test_no_change_is_left_out_however_many_there_are() -> None:
    objects = tuple((f"k{number}", 1, 1) for number in range(2 * MOST_NAMED + 1))
    said = list(map(json.loads, encode_all([PLAIN], Changed(objects, (), ((1, 1),)))))
    assert [len(event["changed"]) for event in said] == [MOST_NAMED, MOST_NAMED, 1]
    assert [pair for event in said for pair in event["changed"]] == [list(pair) for pair in objects]
    assert [event["clients"] for event in said if "clients" in event] == [[[1, 1]]]


@pytest.mark.parametrize("spoilt", [[b"a", b"c", b"b"], [b"a", b"b"], [b"a", b"B", b"c"], [b"ab", b"", b"c"]])
def test_the_end_of_a_chain_stands_for_all_records_and_their_order(spoilt: list[bytes]) -> None:
    assert extend(EMPTY, [b"a", b"b", b"c"])[-1].hash != extend(EMPTY, spoilt)[-1].hash
