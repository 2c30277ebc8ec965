"""User name and password of a client: what is demanded, and what guessing costs."""

import asyncio
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher

from strongroom.domain.errors import AuthenticationNotSuccessful
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity
from strongroom.engine.authenticate import Authenticator
from strongroom.engine.guesses import FAILURES, WAIT, Guesses
from strongroom.model.convert import encoder
from strongroom.model.messages import Authentication, Credential, UsernameAndPassword
from strongroom.model.secret import SecretBytes
from strongroom.registry import V1_4, CredentialType
from strongroom.server.engine import check_password
from strongroom.server.guesses import GuessMemory, SharedTally
from tests.kms import MovableClock

HASH = PasswordHasher(time_cost=1, memory_cost=64).hash("right")
WEB = ClientIdentity(
    client=ClientId(1), tenant=DEFAULT_TENANT, name="web", username="user", password_hash=HASH
)


class Bench:
    """The authenticators of some workers; their password checks are counted."""

    def __init__(self, workers: int = 1) -> None:
        self.clock = MovableClock()
        self.checks = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self.memory = GuessMemory(workers)
        self.workers = [self.start(row) for row in range(workers)]

    def start(self, row: int) -> Authenticator:
        """Return the authenticator of a worker that begins."""
        never: Any = None  # tickets and users, which these requests do not name
        guesses = Guesses(SharedTally(self.memory, row), self.clock)
        return Authenticator(self.check, lambda caller: None, self.clock, never, never, guesses)

    def check(self, password_hash: str, password: bytes) -> bool:
        with self._lock:
            self.checks += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        right = check_password(password_hash, password)
        with self._lock:
            self.at_once -= 1
        return right

    async def says(
        self, username: str | None, password: str = "", caller: ClientIdentity = WEB, *, worker: int = 0
    ) -> bool:
        """Tell whether a request with this credential is accepted."""
        given = None
        if username is not None:
            value = UsernameAndPassword(username=username, password=SecretBytes(password.encode()))
            credential = Credential(
                credential_type=CredentialType.USERNAME_AND_PASSWORD,
                credential_value=encoder(UsernameAndPassword, V1_4)(value),
            )
            given = Authentication(credential=(credential,))
        try:
            login = await self.workers[worker].verify(caller, given)
        except AuthenticationNotSuccessful:
            return False
        assert login.caller is caller
        return True


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_both_have_to_be_right_and_neither_may_be_left_out(bench: Bench) -> None:
    assert await bench.says("user", "right")
    for username, password in (("user", "wrong"), ("other", "right"), (None, ""), ("", ""), ("user", "")):
        assert not await bench.says(username, password)


async def test_a_name_that_is_wrong_costs_a_whole_check_too(bench: Bench) -> None:
    """Or the time of the answer would tell which names there are."""
    for number, username in enumerate(("user", "nobody"), 1):
        assert not await bench.says(username, "wrong")
        assert bench.checks == number


async def test_a_right_password_is_checked_once(bench: Bench) -> None:
    for _ in range(3):
        assert await bench.says("user", "right")
    assert bench.checks == 1


async def test_guessing_is_slowed_down_to_one_each_half_minute(bench: Bench) -> None:
    for _ in range(FAILURES + 20):
        assert not await bench.says("user", "wrong")
    assert bench.checks == FAILURES
    for guess in range(1, 4):
        bench.clock.time += WAIT
        assert not await bench.says("user", "wrong")
        assert not await bench.says("user", "wrong")
        assert bench.checks == FAILURES + guess
    assert not await bench.says("user", "right")  # it has to wait, too
    bench.clock.time += WAIT
    assert await bench.says("user", "right")


async def test_guesses_that_come_at_once_are_counted_too(bench: Bench) -> None:
    said = await asyncio.gather(*(bench.says("user", f"wrong {number}") for number in range(100)))
    assert not any(said)
    assert bench.checks == FAILURES
    assert bench.most_at_once == 1


async def test_who_has_proved_itself_is_not_kept_out_by_guesses(bench: Bench) -> None:
    assert await bench.says("user", "right")
    for _ in range(FAILURES + 1):
        assert not await bench.says("user", "wrong")
    assert await bench.says("user", "right")


async def test_guesses_of_one_client_do_not_slow_down_another(bench: Bench) -> None:
    for _ in range(FAILURES + 1):
        assert not await bench.says("user", "wrong")
    other = ClientIdentity(
        client=ClientId(2), tenant=DEFAULT_TENANT, name="db", username="user", password_hash=HASH
    )
    assert await bench.says("user", "right", other)


async def test_guesses_are_counted_over_all_workers() -> None:
    bench = Bench(4)
    for guess in range(FAILURES + 20):
        assert not await bench.says("user", "wrong", worker=guess % 4)
    assert bench.checks == FAILURES
    bench.clock.time += WAIT
    assert not await bench.says("user", "wrong", worker=1)
    assert not await bench.says("user", "right", worker=2)
    assert bench.checks == FAILURES + 1
    bench.clock.time += WAIT
    assert await bench.says("user", "right", worker=3)
    for worker in range(3):  # it begins anew, in every worker
        assert not await bench.says("user", "wrong", worker=worker)
        assert await bench.says("user", "right", worker=worker)


async def test_guesses_at_several_workers_at_once_are_no_more_than_at_one() -> None:
    bench = Bench(4)
    said = await asyncio.gather(
        *(bench.says("user", f"wrong {number}", worker=number % 4) for number in range(60))
    )
    assert not any(said)
    assert bench.checks == FAILURES
    bench.clock.time += WAIT
    said = await asyncio.gather(
        *(bench.says("user", f"worse {number}", worker=number % 4) for number in range(20))
    )
    assert not any(said)
    assert bench.checks == FAILURES + 1


async def test_whoever_is_right_in_many_workers_at_once_is_let_in_by_all() -> None:
    """What is looked at counts as wrong only until it turns out to be right."""
    bench = Bench(FAILURES + 6)
    said = await asyncio.gather(
        *(bench.says("user", "right", worker=worker) for worker in range(FAILURES + 6))
    )
    assert all(said)


async def test_a_worker_that_dies_or_begins_changes_no_count() -> None:
    bench = Bench(2)
    for _ in range(FAILURES):
        assert not await bench.says("user", "wrong", worker=1)
    bench.memory.clear(1)
    bench.workers[1] = bench.start(1)
    for worker in range(2):
        assert not await bench.says("user", "right", worker=worker)
    assert bench.checks == FAILURES


async def test_what_fails_is_no_guess(bench: Bench) -> None:
    """Nor is what nobody waits for any more."""

    def fails(password_hash: str, password: bytes) -> bool:
        raise OSError

    bench.workers[0]._check = fails
    for _ in range(FAILURES + 1):
        with pytest.raises(OSError):
            await bench.says("user", "right")
    bench.workers[0]._check = bench.check
    assert await bench.says("user", "right")
