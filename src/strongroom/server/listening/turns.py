"""Whose request is next: the clients of one worker take turns.

Rule: a client that uses little is served at once. One that has used more than its part of the last time waits
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

PART: Final = 0.25
"""Of the time, a client may use so much without standing in line."""

ALONE: Final = 4 * SLICE
"""Seconds that a client which is alone may use beyond all of the time: then the sockets are looked at."""

LONGEST_DEBT: Final = 0.025
"""Seconds that a client may have used beyond its part: then it stands in line for a tenth of a second."""

AT_ONCE: Final = 64
"""Requests of one client that a worker does at a time: more would fill the queues behind it (the store, the
threads for cryptography), where a client that asks for little waits behind them all."""

AT_ONCE_AMONG_OTHERS: Final = 8
"""The same while another client is there, too: it waits for all that go on at the same moment."""

AMONG_OTHERS: Final = 0.1
"""Seconds that a client counts as there since its last request."""


class Account:
    """What one client uses of a worker."""

    __slots__ = ("_at", "_debt", "at_work", "client", "connections", "paused", "turns", "waiting")

    def __init__(self, client: int, turns: "Turns") -> None:
        self.turns = turns
        self.client = client
        self.connections = 0
        self.at_work = 0
        """Requests that were begun and wait for something."""
        self.waiting: deque[Callable[[], None]] = deque()
        """Connections whose next request is due."""
        self.paused: deque[asyncio.Future[None]] = deque()
        """Requests that have given way, and messages that are still arriving."""
        self._at = self._debt = 0.0

    def may_go_on(self, now: float) -> bool:
        """Tell whether a request that comes now is done now, and not in line."""
        turns = self.turns
        if self.client != turns.last or turns.at_once != AT_ONCE:
            turns.come(self.client, now)
        debt = self._debt - (now - self._at) * turns.part
        self._at = now
        self._debt = debt = debt if debt > 0.0 else 0.0
        return debt < turns.credit and not self.waiting and self.at_work < turns.at_once

    def use(self, seconds: float) -> None:
        """Note what was used."""
        self._debt = min(self._debt + seconds, LONGEST_DEBT)

    @property
    def ready(self) -> bool:
        """Tell whether there is something that could be done in the client's turn."""
        return bool(self.paused or (self.waiting and self.at_work < self.turns.at_once))

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
        self.last = 0
        """Who was there last."""
        self._alone_since = 0.0
        self.at_once, self.part, self.credit = AT_ONCE, 1.0, ALONE

    def come(self, client: int, now: float) -> None:
        """Note who is there."""
        if client != self.last:
            if self.last:
                self._alone_since = now + AMONG_OTHERS
                self.at_once, self.part, self.credit = AT_ONCE_AMONG_OTHERS, PART, SLICE
            self.last = client
        elif self.at_once != AT_ONCE and now > self._alone_since:
            self.at_once, self.part, self.credit = AT_ONCE, 1.0, ALONE

    @property
    def alone(self) -> bool:
        """Tell whether one client only was there lately."""
        return self.at_once == AT_ONCE

    @property
    def quiet(self) -> bool:
        """Tell whether no request is under way."""
        return not self._line and not any(account.at_work for account in self._accounts.values())

    @property
    def slice(self) -> float:
        """Seconds for which a client is served before the sockets are looked at."""
        return ALONE if self.alone else SLICE

    def account(self, client: int) -> Account:
        """Return the account of a client."""
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = Account(client, self)
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

    def wait_to_go_on(self, account: Account, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is the client's turn, however much it has at work."""
        self._pause(account).add_done_callback(lambda _: go_on())

    async def turn_of(self, client: int) -> None:
        await self._pause(self.account(client))

    def _pause(self, account: Account) -> asyncio.Future[None]:
        paused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        account.paused.append(paused)
        self._queue(account)
        return paused

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
