"""When answers leave (`server/listening/writing.py`)."""

import asyncio
from typing import Any, cast

from strongroom.domain.turn import SLICE
from strongroom.server.listening.turns import Account, Turns
from strongroom.server.listening.writing import ALONE, PIECE, Departures


class Left:
    """A connection that notes what was written to it, and in which order with others."""

    def __init__(self, log: list[bytes], *, broken: bool = False) -> None:
        self.transport = cast(asyncio.Transport, self)
        self.account = Account(1, Turns())
        self.log = log
        self.broken = broken
        self.aborted = ""

    def write(self, data: Any) -> None:
        if self.broken:
            raise RuntimeError("nobody has thought of it")
        self.log.append(bytes(data))

    def abort(self, reason: str = "") -> None:
        self.aborted = reason


async def test_answers_leave_together_and_in_order() -> None:
    left: list[bytes] = []
    one, two, departures = Left(left), Left(left), Departures()
    departures.add(one, b"1")
    departures.add(two, b"2")
    departures.add(one, b"3")
    assert left == [], "until all that has arrived was looked at"
    await asyncio.sleep(0)
    assert left == [b"1", b"2", b"3"]


async def test_whoever_writes_something_else_lets_them_leave_before() -> None:
    left: list[bytes] = []
    one, departures = Left(left), Departures()
    departures.add(one, b"first")
    departures.leave()
    one.write(b"second")
    await asyncio.sleep(0)
    assert left == [b"first", b"second"]


async def test_none_waits_for_longer_than_a_slice() -> None:
    seconds, left = [0.0], list[bytes]()
    one, departures = Left(left), Departures(lambda: seconds[0])
    for number in range(4):
        departures.add(one, b"%d" % number)
        seconds[0] += SLICE / 2.5
    assert left == [b"0", b"1", b"2", b"3"], "the fourth comes after more than a slice"
    departures.add(one, b"4")
    assert len(left) == 4, "and the next slice begins"


async def test_not_much_waits() -> None:
    left: list[bytes] = []
    one, departures = Left(left), Departures()
    departures.add(one, bytes(PIECE - 10))
    assert left == []
    departures.add(one, bytes(11))
    assert list(map(len, left)) == [PIECE - 10, 11]


async def test_where_one_comes_at_a_time_none_waits() -> None:
    left: list[bytes] = []
    one, departures = Left(left), Departures()
    waited = 0
    for number in range(2 * ALONE):
        departures.add(one, b"answer")
        waited += len(left) == number
        await asyncio.sleep(0)
    assert len(left) == 2 * ALONE
    assert 1 <= waited <= 3, "it is looked again now and then whether others come, too"


async def test_they_wait_for_each_other_again_when_they_come_together() -> None:
    left: list[bytes] = []
    connections, departures = [Left(left) for _ in range(8)], Departures()
    departures.add(connections[0], b"alone")
    await asyncio.sleep(0)
    left.clear()
    waited = 0
    for _ in range(8 * ALONE):
        before = len(left)
        for one in connections:
            departures.add(one, b"answer")
        waited += len(left) == before
        await asyncio.sleep(0)
    assert waited > 4 * ALONE


async def test_a_connection_that_takes_nothing_is_ended_and_the_others_are_served() -> None:
    left: list[bytes] = []
    broken, other, departures = Left(left, broken=True), Left(left), Departures()
    departures.add(broken, b"1")
    departures.add(other, b"2")
    await asyncio.sleep(0)
    assert left == [b"2"]
    assert broken.aborted == "answer_failed"


async def test_whoever_gets_an_answer_pays_for_it() -> None:
    seconds, left = [0.0], list[bytes]()
    departures = Departures(lambda: seconds[0])

    class Slow(Left):
        def write(self, data: Any) -> None:
            seconds[0] += 0.01
            super().write(data)

    slow, quick = Slow(left), Left(left)
    departures.add(slow, b"1")
    departures.add(quick, b"2")
    await asyncio.sleep(0)
    assert slow.account._debt >= 0.01
    assert quick.account._debt < 0.001
