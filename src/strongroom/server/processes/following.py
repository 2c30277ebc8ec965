"""What a worker follows while it runs: root keys, tenants, clients and revocation lists that others change.

Rule: whatever is wrong with all else, whoever was revoked is shut out. What could not be read is read again.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT, Tenant
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.listening.shares import Shares
from strongroom.server.logs import get_logger
from strongroom.server.ports import Application, RootKeys

log = get_logger()

POLL_INTERVAL: Final = 1.0
"""Seconds between looks for clients and rules that others have changed."""

POLL_SELDOM: Final = 200.0
"""How much longer the pause is than what such a look computes, at least, where it is for the rare case that
nobody could tell of a change: with 10,000 clients that is 45 ms. What it waits for a processor does not
count: a machine that has much to do would follow changes late."""


class Following:
    """What one worker knows of what others may change. `recheck` looks every connection's client up again."""

    def __init__(
        self,
        *,
        root_key: RootKeys,
        application: Application,
        directory: ClientDirectory,
        shares: Shares,
        recheck: Callable[[], None],
    ) -> None:
        self._root_key = root_key
        self._application = application
        self._directory = directory
        self._shares = shares
        self._recheck = recheck

    async def begin(self) -> None:
        """Read everything for the first time; raises whatever goes wrong."""
        await self._application.refresh()
        self._directory.reload_lists()
        await self._directory.refresh()
        await self._read_tenants()

    async def refresh(self) -> None:
        """Read everything again; raises StoreFailure, TamperedRecord and RootKeyError."""
        changed = False
        try:
            self._root_key.follow()
            await self._application.refresh()
            changed = await self._read_tenants()
        finally:
            if await self._directory.refresh() or changed:
                self._recheck()

    async def try_to_refresh(self) -> None:
        """As `refresh`; what goes wrong is said in the log."""
        try:
            await self.refresh()
        except (StoreFailure, RootKeyError) as error:
            log.warning("clients_not_read", error=str(error))
        except TamperedRecord as error:
            log.error("refresh_refused", error=str(error), cure="restore a backup")

    async def poll(self) -> None:
        """Follow what others have changed: other machines, and whoever ended before it could tell."""
        seen, pause = None, POLL_INTERVAL
        while True:
            await asyncio.sleep(pause)
            mark = self._application.store.mark()
            if mark is None or mark != seen:
                if self._application.shared:  # it hears of nothing in another way
                    await self.try_to_refresh()
                    continue
                began = time.thread_time()
                if await self._look_for_clients():
                    seen = mark
                pause = max(POLL_INTERVAL, POLL_SELDOM * (time.thread_time() - began))

    async def keep_lists(self) -> None:
        """Read the revocation lists again if they are stale."""
        if not self._directory.lists_are_stale():
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._directory.reload_lists)
        except RuntimeError as error:  # no thread can be had
            log.error("revocation_lists_not_read", error=str(error), alarm="it is tried again")
        else:
            self._recheck()

    async def _look_for_clients(self) -> bool:
        """Tell whether they could be read; else it has to be tried again, though nothing else is changed."""
        try:
            if await self._directory.refresh():
                self._recheck()
        except (StoreFailure, TamperedRecord, RootKeyError) as error:
            log.warning("clients_not_read", error=str(error))
            return False
        return True

    async def _read_tenants(self) -> bool:
        """Follow what the administrator has laid down for tenants; tell whether anything changed."""
        kept = await self._application.store.entries_of(Tenant, SYSTEM_TENANT, 0)
        tenants = {one.value.number: one.value for one in kept}
        if tenants == self._shares.tenants:
            return False
        self._shares.tenants = tenants
        self._application.lay_down(tenants)
        return True
