"""The store keys where they lie: in the database, each wrapped by the root key.

Rule: a store key is compared and exchanged in one commit, so that every reader finds it wrapped whole, and
two that do the same at once harm nothing.
"""

import time
from contextlib import suppress
from typing import Final

from strongroom.domain.ports import RootKey, RootKeyUnavailable
from strongroom.domain.store_failures import StoreFailure
from strongroom.store.records import (
    Backend,
    ChangeSet,
    Conflict,
    StoreKeyRewrap,
    StoreKeyRow,
    StoreUnavailable,
)
from strongroom.store.sealing import FreshKey, StoreKeys

_BATCH: Final = 64
"""Store keys in one commit."""

_TRIES: Final = 5
"""How often a new store key is made again because the root key is being replaced."""


class StoredStoreKeys:
    """See `domain.ports.WrappedKeys`."""

    name = "store keys"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def wrapped(self) -> list[bytes]:
        return [row.wrapped for row in await self._rows()]

    async def rewrap(self, root_key: RootKey) -> None:
        old = [row for row in await self._rows() if not root_key.is_current(row.wrapped)]
        for start in range(0, len(old), _BATCH):
            changes = [
                StoreKeyRewrap(row.store_key, root_key.wrap(root_key.unwrap(row.wrapped)), row.wrapped)
                for row in old[start : start + _BATCH]
            ]
            # Where somebody does the same, whoever looks next sees what is left.
            await self._exchange(changes)

    async def is_lasting(self, root_key: RootKey) -> bool:
        rows = await self._rows()
        if not all(root_key.is_current(row.wrapped) for row in rows):
            return False
        # What is read may be lost in a failover. What is committed is not, and this is each key as it is.
        same = [StoreKeyRewrap(row.store_key, row.wrapped, row.wrapped) for row in rows]
        return all(
            [await self._exchange(same[start : start + _BATCH]) for start in range(0, len(same), _BATCH)]
        )

    async def _exchange(self, changes: list[StoreKeyRewrap]) -> bool:
        """Commit how store keys are wrapped; False, and nothing is done, when one is wrapped otherwise."""
        try:
            await self._backend.commit(ChangeSet(store_keys_rewrapped=changes))
        except Conflict:
            return False
        except StoreUnavailable as error:
            raise StoreFailure(str(error)) from error
        return True

    async def _rows(self) -> list[StoreKeyRow]:
        try:
            return await self._backend.store_keys()
        except StoreUnavailable as error:
            raise StoreFailure(str(error)) from error


async def renew(backend: Backend, keys: StoreKeys) -> None:
    """Let a new store key take over; those that wait for the same one find it made.

    A key seals once it is in the database, and not before: what it seals is lost with it. And it comes there
    only while whoever lets go of the root key that has wrapped it will still find it (`StoreKeys.fence`).
    Raises StoreUnavailable, StoreFailure and RootKeyError.
    """
    async with keys.renewing:
        for _ in range(_TRIES):
            now = int(time.time())
            if not keys.due(now):
                return
            rows = await backend.store_keys()
            keys.load_all(rows)
            if not keys.due(now):
                return
            try:
                # Younger than the one before, also where that was made by a clock that is ahead.
                fresh = keys.create(max(now, keys.newest_at + 1))
                fence = keys.fence(rows, fresh)
            except RootKeyUnavailable as exc:
                keys.put_off(now, exc)
                return
            with suppress(Conflict):  # the root key is being replaced: it is looked at again
                await backend.commit(ChangeSet(store_keys=[fresh.row], store_keys_rewrapped=fence))
                if not rows:
                    await _wrap_the_first_again(backend, keys, fresh)
                keys.take_over(fresh)
                return
    raise StoreFailure("the store keys are being wrapped again at this moment; try again")


async def _wrap_the_first_again(backend: Backend, keys: StoreKeys, fresh: FreshKey) -> None:
    """See to it that the first store key of all, which has no fence, is under the newest root key."""
    rewrap = keys.wrapped_again(fresh)
    if rewrap is not None:
        await backend.commit(ChangeSet(store_keys_rewrapped=[rewrap]))
