"""Many clients at random on the same few objects: the history of each object is linearizable (faults 32).

Rule: an object goes one way, Pre-Active, Active, Deactivated, Destroyed, each step once. So every answer
tells when the object was, or was not yet, at a step, and the answers of all clients together must leave a
moment for each step: after the request for it began and before its answer came, before any answer that saw
it, and after every answer that did not.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from strongroom import Client, testing
from strongroom.client.errors import KMIPError, ObjectDestroyed
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import RevocationReasonCode, State, Tag
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

STEPS: Final = (State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.DESTROYED)
STOP: Final = RevocationReasonCode.CESSATION_OF_OPERATION
OBJECTS: Final = 12
"""That clients work on at the same time; a destroyed one is replaced."""

RESERVE: Final = 1e-4
"""Seconds by which clocks of threads may be read late."""


@dataclass
class History:
    """What all clients together know of one object; moments in seconds."""

    identifier: UniqueIdentifier
    began: dict[int, float] = field(default_factory=dict)
    """When the request for a step was sent that succeeded."""
    ended: dict[int, float] = field(default_factory=dict)
    seen: list[tuple[float, float, int, int]] = field(default_factory=list)
    """Between two moments the object was at a step of at least, and of at most."""

    def check(self) -> None:
        """Raise AssertionError unless there is a moment for every step."""
        earliest = [0.0] * len(STEPS)
        latest = [float("inf")] * len(STEPS)
        for step, began in self.began.items():
            earliest[step], latest[step] = began, self.ended[step]
        for begin, end, low, high in self.seen:
            for step in range(1, low + 1):
                assert step in self.began, f"{self.identifier} was at {low}, and nobody has taken step {step}"
                latest[step] = min(latest[step], end)
            for step in range(high + 1, len(STEPS)):
                earliest[step] = max(earliest[step], begin)
        moment = 0.0
        for step in range(1, len(STEPS)):
            moment = max(moment, earliest[step])
            assert moment <= latest[step] + RESERVE, f"{self.identifier}: no moment for step {step}: {self}"


class World:
    """The objects, and what happened to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: list[History] = []
        self.all: list[History] = []
        self.mistakes: list[BaseException] = []
        self.requests = 0

    def pick(self, chance: random.Random, make: Callable[[], UniqueIdentifier]) -> History:
        with self._lock:
            if len(self._current) >= OBJECTS:
                return chance.choice(self._current)
        made = History(make())
        with self._lock:
            self._current.append(made)
            self.all.append(made)
        return made

    def taken(self, history: History, step: int, began: float, ended: float) -> None:
        with self._lock:
            self.requests += 1
            assert step not in history.began, f"{history.identifier}: step {step} was taken twice"
            history.began[step], history.ended[step] = began, ended
            if step == len(STEPS) - 1 and history in self._current:
                self._current.remove(history)

    def enough(self, clients: int) -> bool:
        """Tell whether so much has happened that it means something."""
        steps = sum(len(history.began) for history in list(self.all))
        return self.requests > clients * 5 and steps > clients

    def saw(self, history: History, began: float, ended: float, low: int, high: int) -> None:
        with self._lock:
            self.requests += 1
            history.seen.append((began, ended, low, high))


def work(profile: Path, world: World, chance: random.Random, clients: int, end: float) -> None:
    """Be one of the clients until the time is over and enough has happened."""
    try:
        with Client.from_profile(profile) as client:
            while time.monotonic() < end or not (world.mistakes or world.enough(clients)):
                history = world.pick(chance, client.create_symmetric_key)
                one = history.identifier
                step = chance.choice((0, 0, 1, 1, 2, 3))
                if step == 3 and 1 not in history.began:
                    step = 1  # a Pre-Active object could be destroyed, too, and would skip two steps
                began = time.monotonic()
                if step == 0:
                    found = client.get_attributes(one, Tag.STATE)
                    place = STEPS.index(next(a.value for a in found if a.key is Tag.STATE))
                    world.saw(history, began, time.monotonic(), place, place)
                    continue
                try:
                    if step == 1:
                        client.activate(one)
                    elif step == 2:
                        client.revoke(one, revocation_reason_code=STOP)
                    else:
                        client.destroy(one)
                except ObjectDestroyed:
                    last = len(STEPS) - 1
                    world.saw(history, began, time.monotonic(), last, last)
                except KMIPError:
                    # Refused: the object was at none of the steps from which this one is taken.
                    low, high = {1: (1, 3), 2: (0, 3), 3: (1, 1)}[step]
                    world.saw(history, began, time.monotonic(), low, high)
                else:
                    world.taken(history, step, began, time.monotonic())
    except BaseException as error:  # noqa: BLE001 - told by the test, whose thread this is not
        world.mistakes.append(error)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[testing.Server]:
    store = None
    if request.param == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        store = postgres.url(postgres.create_database())
    with testing.server(tmp_path, workers=2, store=store) as server:
        yield server


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("clients", "seconds"), [(16, 4.0), pytest.param(200, 600.0, marks=pytest.mark.long)]
)
def test_the_history_of_every_object_is_linearizable(
    server: testing.Server, clients: int, seconds: float
) -> None:
    """faults 32."""
    world, seed = World(), random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=work, args=(server.profile, world, random.Random(seed + n), clients, end))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.mistakes == []
    for history in world.all:
        history.check()
    assert world.enough(clients)


def test_a_history_that_is_not_linearizable_is_found() -> None:
    """Of the check itself."""
    one = UniqueIdentifier("one")
    good = History(one, {1: 1.0}, {1: 2.0}, [(0.0, 1.5, 0, 0), (1.2, 1.8, 1, 1), (3.0, 4.0, 1, 1)])
    good.check()
    stale = History(one, {1: 1.0}, {1: 2.0}, [(3.0, 4.0, 0, 0)])
    from_nowhere = History(one, {}, {}, [(3.0, 4.0, 1, 1)])
    back = History(one, {1: 1.0}, {1: 9.0}, [(2.0, 3.0, 1, 1), (4.0, 5.0, 0, 0)])
    too_early = History(one, {1: 5.0}, {1: 6.0}, [(2.0, 3.0, 1, 1)])
    for bad in (stale, from_nowhere, back, too_early):
        with pytest.raises(AssertionError):
            bad.check()
