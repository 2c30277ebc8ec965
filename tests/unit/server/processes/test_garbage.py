"""When a worker looks for reference cycles."""

import gc
from collections.abc import Callable, Iterator

import pytest

from strongroom.server.processes import garbage
from strongroom.server.processes.garbage import Garbage


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the collector was told to do; its settings are those of before afterwards."""
    done: list[str] = []
    before = gc.get_threshold()
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    monkeypatch.setattr(gc, "get_count", lambda: (0, often[0], 0))
    often[0] = garbage._OFTEN
    yield done
    gc.set_threshold(*before)


often = [0]


size = [0]


def after(seconds: float, *, quiet: bool, warm: bool = True) -> Callable[[], None]:
    """Return `tidy` of a collector that looked at everything so many seconds ago."""
    now = [0.0]
    collector = Garbage(lambda: now[0] < 1000 or quiet, lambda: now[0], lambda: size[0])
    if warm:
        now[0] = 100.0
        collector.tidy()
        now[0] = 1000.0
        collector.tidy()
    now[0] += seconds
    return collector.tidy


def test_what_there_is_at_the_start_and_after_the_first_requests_is_left_alone(looks: list[str]) -> None:
    tidy = after(11, quiet=True, warm=False)
    assert looks == ["collect", "freeze"]
    tidy()
    assert looks == ["collect", "freeze"] * 2
    tidy()
    assert looks == ["collect", "freeze"] * 2


@pytest.mark.parametrize(
    ("seconds", "quiet", "many", "looked"),
    [
        (9, True, True, False),
        (11, True, True, True),
        (11, True, False, False),
        (11, False, True, False),
        (599, False, True, False),
        (601, False, True, True),
    ],
)
def test_everything_is_looked_at_when_nobody_waits_or_late(
    looks: list[str], seconds: float, quiet: bool, many: bool, looked: bool
) -> None:
    tidy = after(seconds, quiet=quiet)
    often[0] = garbage._OFTEN if many else garbage._OFTEN - 1
    looks.clear()
    tidy()
    assert looks == ["collect"] * looked


@pytest.mark.parametrize(("seconds", "grown", "looked"), [(11, 65, True), (11, 63, False), (9, 65, False)])
def test_everything_is_looked_at_when_memory_has_grown(
    looks: list[str], seconds: float, grown: int, looked: bool
) -> None:
    """Also while somebody waits: few objects can hold much memory, for as long as requests come."""
    size[0] = 0
    tidy = after(seconds, quiet=False)
    often[0] = 0
    looks.clear()
    size[0] = grown << 20
    tidy()
    assert looks == ["collect"] * looked
    tidy()
    assert looks == ["collect"] * looked, "once for each time that it grows"


def test_the_collector_looks_at_few_objects_in_one_go(looks: list[str]) -> None:
    after(0, quiet=True)
    young, *others = gc.get_threshold()
    assert young <= 10_000
    assert min(others) >= 1 << 30, "the rest is for `tidy`"
