"""Clients that keep a store busy and remember what it acknowledged."""

import asyncio

from strongroom.store.records import Backend, ChangeSet, StoreUnavailable
from tests.unit.store.samples import creation, row, update


class Load:
    """Clients that create and change objects until told to stop.

    Each generation of an object comes with one term and one event, so that a half change set shows.
    """

    def __init__(self, backend: Backend, clients: int = 8) -> None:
        self._backend = backend
        self._stopping = False
        self._changed = asyncio.Condition()
        self.acknowledged: dict[str, int] = {}
        self.failures: list[StoreUnavailable] = []
        self._tasks = [asyncio.create_task(self._client()) for _ in range(clients)]

    async def _client(self) -> None:
        while not self._stopping:
            new = row(1)
            change = update(new, terms_added=[b"second"])
            try:
                await self._backend.commit(creation(new, terms=[b"first"], events=[b"created"]))
                await self._acknowledge(new.unique_identifier, 1)
                await self._backend.commit(ChangeSet(objects=[change], events=[b"changed"]))
                await self._acknowledge(new.unique_identifier, 2)
            except StoreUnavailable as error:
                self.failures.append(error)
                await asyncio.sleep(0.01)

    async def progress(self, *, beyond: int, within: float = 60) -> None:
        """Return when more than so many objects are acknowledged; fail when that takes too long."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self.acknowledged) > beyond)

    async def _acknowledge(self, identifier: str, generation: int) -> None:
        async with self._changed:
            self.acknowledged[identifier] = generation
            self._changed.notify_all()

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)
