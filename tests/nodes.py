"""Two nodes on one PostgreSQL database, at work at the same moment."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from strongroom.store.records import Backend, ChangeSet
from strongroom.store.url import PostgresUrl, parse
from tests.kms import TestKms
from tests.postgres import PostgresServer, postgres_server
from tests.unit.scheduler.listening import SUBSCRIPTIONS

__all__ = ["nodes", "postgres_server"]

T = TypeVar("T")

TOGETHER_WITHIN = 10.0
"""Seconds until a test fails that waits for a commit which does not come."""


class Nodes(NamedTuple):
    """The nodes; they share the root key, the clock and the event loop."""

    one: TestKms
    two: TestKms

    def at_once(self, *jobs: Coroutine[Any, Any, T]) -> list[T]:
        """Do what two nodes have to do, one job of each: both have read before either writes.

        The first commit of each waits for that of the other.
        """
        barrier = asyncio.Barrier(len(self))
        for node in self:
            _Meeting(node.backend, barrier)

        async def all_of_them() -> list[T]:
            return await asyncio.gather(*jobs)

        done = self.one.run(all_of_them())
        assert not barrier.n_waiting
        assert not any("commit" in vars(node.backend) for node in self), "a node has written nothing"
        return done


class _Meeting:
    """Holds up the first commit of a store until it is that of every other too."""

    def __init__(self, backend: Backend, barrier: asyncio.Barrier) -> None:
        self._backend = backend
        self._barrier = barrier
        vars(backend)["commit"] = self._commit

    async def _commit(self, changes: ChangeSet) -> None:
        del vars(self._backend)["commit"]
        async with asyncio.timeout(TOGETHER_WITHIN):
            await self._barrier.wait()
        await self._backend.commit(changes)


@pytest.fixture
def nodes(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Nodes]:
    url = parse(postgres_server.url(postgres_server.create_database()), tmp_path)
    assert isinstance(url, PostgresUrl)
    one = TestKms(tmp_path, store=url, subscriptions=SUBSCRIPTIONS)
    two = TestKms(tmp_path, store=url, subscriptions=SUBSCRIPTIONS, beside=one)
    yield Nodes(one, two)
    two.close()
    one.close()
