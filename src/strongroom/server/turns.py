"""Whose request is next: the clients of one worker take turns.

Rule: a client that uses little is served at once. One that has used more than a slice of the last round waits
in line with its connections, and the line is served one slice at a time, client by client, with a look at the
sockets in between. So what a client waits for is the number of clients, not how much the others ask for, how
many connections they have or how long their batches are. Nobody is slowed down while nobody else is there.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

from strongroom.domain.turn import SLICE

ROUND: Final = 4 * SLICE
"""Seconds after which a client that was served begins anew."""

AT_ONCE: Final = 64
"""Requests of one client that a worker does at a time: more would fill the queues behind it (the store, the
threads for cryptography), where a client that asks for little waits behind them all."""


class Account:
    """What one client uses of a worker."""

    __slots__ = ("_round", "_used", "at_work", "client", "connections", "paused", "waiting")

    def __init__(self, client: int) -> None:
        self.client = client
        self.connections = 0
        self.at_work = 0
        """Requests that were begun and wait for something."""
        self.waiting: deque[Callable[[], None]] = deque()
        """Connections whose next request is due."""
        self.paused: deque[asyncio.Future[None]] = deque()
        """Requests that have given way."""
        self._round = self._used = 0.0

    def may_go_on(self, now: float) -> bool:
        """Tell whether a request that comes now is done now, and not in line."""
        if now - self._round > ROUND:
            self._round, self._used = now, 0.0
        return self._used < SLICE and not self.waiting and self.at_work < AT_ONCE

    def use(self, seconds: float) -> None:
        """Note what was used."""
        self._used += seconds

    @property
    def ready(self) -> bool:
        """Tell whether there is something that could be done in the client's turn."""
        return bool(self.paused or (self.waiting and self.at_work < AT_ONCE))

    @property
    def idle(self) -> bool:
        return not (self.connections or self.at_work or self.waiting or self.paused)


class Turns:
    """The accounts of one worker, and the line; see `domain.turn.Line`."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.clock = clock
        self._accounts: dict[int, Account] = {}
        self._line: deque[Account] = deque()
        self._in_line: set[int] = set()
        self._due = False

    def account(self, client: int) -> Account:
        """Return the account of a client."""
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = Account(client)
        return account

    def tidy(self) -> None:
        """Forget the accounts that nobody uses."""
        idle = [account.client for account in self._accounts.values() if account.idle]
        for client in idle:
            del self._accounts[client]

    def wait(self, account: Account, serve: Callable[[], None]) -> None:
        """Call `serve` when it is the client's turn."""
        account.waiting.append(serve)
        self._queue(account)

    async def turn_of(self, client: int) -> None:
        account = self.account(client)
        paused = asyncio.get_running_loop().create_future()
        account.paused.append(paused)
        self._queue(account)
        await paused

    def begin(self, account: Account) -> None:
        """Note a request that has begun to wait."""
        account.at_work += 1

    def end(self, account: Account) -> None:
        """Note that it was done."""
        account.at_work -= 1
        if account.waiting:
            self._queue(account)

    def _queue(self, account: Account) -> None:
        if account.client not in self._in_line and account.ready:
            self._in_line.add(account.client)
            self._line.append(account)
        if self._line and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        """Serve the line for one slice; then those who need not stand in it have a chance."""
        self._due = False
        end = self.clock() + SLICE
        while self._line:
            account = self._line.popleft()
            self._in_line.discard(account.client)
            if account.paused:
                # Its slice begins when the loop comes to it, which is after this.
                paused = account.paused.popleft()
                if not paused.done():
                    paused.set_result(None)
                    end -= SLICE
            elif account.ready:
                account.waiting.popleft()()
            self._queue(account)
            if self.clock() >= end:
                break
        if self._line and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._serve)
