"""Wrong credentials in shared memory: all workers see them, none takes back what another counted."""

import datetime as dt
import os

import pytest

from strongroom.server import guesses
from strongroom.server.guesses import PLACES, WAYS, GuessMemory, SharedTally
from tests.unit.server.conftest import NOW

SECOND = dt.timedelta(seconds=1)


def tallies(rows: int = 3) -> list[SharedTally]:
    memory = GuessMemory(rows)
    return [SharedTally(memory, row) for row in range(rows)]


def test_all_workers_see_what_each_has_counted() -> None:
    made = tallies()
    for number, tally in enumerate(made):
        tally.wrong("web", NOW + number * SECOND)
        tally.begin("web")
    for tally in made:
        assert tally.read("web") == (3, NOW + 2 * SECOND, 3)
        assert tally.read("db") == (0, None, 0)
    for tally in made:
        tally.end("web")
        tally.end("web")  # once more changes nothing
    assert made[0].read("web").under_way == 0


def test_a_right_one_ends_what_all_have_counted_before_it() -> None:
    first, second, third = tallies()
    for tally in (first, second, first):
        tally.wrong("web", NOW)
    third.right("web", NOW + SECOND)
    assert first.read("web") == (0, None, 0)
    first.wrong("web", NOW + 2 * SECOND)
    assert second.read("web") == (1, NOW + 2 * SECOND, 0)
    first.right("web", NOW + 3 * SECOND)
    assert second.read("web").wrong == 0


def test_whoever_is_right_from_the_first_takes_no_memory() -> None:
    memory = GuessMemory(1)
    SharedTally(memory, 0).right("web", NOW)
    assert not any(memory.cells)


def test_the_memory_is_that_of_processes_that_were_forked() -> None:
    ours, theirs = tallies(2)
    child = os.fork()
    if not child:
        theirs.wrong("web", NOW)
        os._exit(0)
    os.waitpid(child, 0)
    assert ours.read("web").wrong == 1


def test_a_worker_that_is_gone_looks_at_nothing_and_its_count_stays() -> None:
    memory = GuessMemory(2)
    gone, other = SharedTally(memory, 0), SharedTally(memory, 1)
    gone.wrong("web", NOW)
    gone.begin("web")
    memory.clear(0)
    assert other.read("web") == (1, NOW, 0)


def test_a_worker_looks_at_so_many_at_once_and_no_more() -> None:
    (tally,) = tallies(1)
    assert all(tally.begin(f"holder {number}") for number in range(PLACES))
    assert not tally.begin("one more")
    tally.end("holder 7")
    assert tally.begin("one more")


def test_the_oldest_is_forgotten_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory has one size; nobody outside can tell who shares a bucket."""
    monkeypatch.setattr(guesses, "BUCKETS", 1)
    (tally,) = tallies(1)
    for number in range(WAYS + 1):
        tally.wrong(f"holder {number}", NOW + number * SECOND)
    assert tally.read("holder 0").wrong == 0
    assert all(tally.read(f"holder {number}").wrong == 1 for number in range(1, WAYS + 1))


def test_two_servers_have_the_same_holders_in_other_places() -> None:
    assert tallies(1)[0]._key("web") != tallies(1)[0]._key("web")
