"""The witness of audit events: each is believed once, however late it comes."""

import random

import pytest

from strongroom.model.secret import SecretBytes
from strongroom.store import witness
from strongroom.store.witness import Witness, Witnesses, event_key

KEY = event_key(SecretBytes(bytes(32)))
COPY = "it is a copy of an older one"


def events(count: int) -> list[bytes]:
    """Return events of one process, in the order in which it drew their numbers."""
    process = Witness()
    return [process.add(b'{"event":"x"}', 1, KEY) for _ in range(count)]


def fresh() -> Witnesses:
    return Witnesses(lambda number: KEY if number == 1 else None)


def test_an_event_that_comes_late_is_believed_once() -> None:
    """Its connection hung, and it was sent again; meanwhile others of its process were committed."""
    late, *others = events(6_000)
    seen = fresh()
    assert not any(map(seen.doubt, others))
    assert seen.doubt(late) is None
    assert seen.doubt(late) == COPY


def test_in_whatever_order_events_come_each_is_believed_once() -> None:
    order = events(300)
    random.Random(7).shuffle(order)
    seen = fresh()
    assert not any(map(seen.doubt, order))
    assert {seen.doubt(event) for event in order} == {COPY}


def test_a_copy_of_an_old_event_is_found_however_many_came_since() -> None:
    order = events(10_000)
    seen = fresh()
    assert not any(map(seen.doubt, order))
    assert seen.doubt(order[0]) == COPY


def test_of_many_gaps_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_MISSING", 10)
    order = events(100)
    seen = fresh()
    assert not any(map(seen.doubt, order[1::2]))
    assert seen.doubt(order[98]) is None
    assert seen.doubt(order[0]) == COPY


def test_a_copy_is_found_while_events_before_it_have_not_come() -> None:
    order = events(9)[::4]
    seen = fresh()
    assert not any(map(seen.doubt, order))
    assert {seen.doubt(event) for event in order} == {COPY}


def test_what_is_no_gap_takes_the_place_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_MISSING", 2)
    late, *order = events(8)
    seen = fresh()
    order[1], order[2] = order[2], order[1]
    assert not any(map(seen.doubt, [*order[:5], order[6], late]))


def test_processes_have_numbers_of_their_own() -> None:
    seen = fresh()
    for order in (events(3), events(3)):
        assert not any(map(seen.doubt, order))
