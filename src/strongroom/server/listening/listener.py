"""Accepting connections and seeing them through their TLS handshake.

Rule: a peer that is nobody yet is cheap. Unfinished handshakes are capped by address and by deadline; over
the cap the oldest gives way, so that a flood of silent connections cannot keep out an honest one from the
same address. Handshakes that were carried out are counted: an address that has made too many in a second
waits with the next one, and is turned away when that would take more than a second. Each peer that fails
costs one log line, and a flood one line a second.
"""

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.server.address import Address, counted_as
from strongroom.server.config import ConnectionSettings, DeadlineSettings
from strongroom.server.listening.shares import BURST, MOST_DELAY, Rate
from strongroom.server.listening.windows import keep_narrow
from strongroom.server.logs import get_logger
from strongroom.server.process import return_freed_memory
from strongroom.server.shared import Seat
from strongroom.server.ttlv import KmipProtocol

log = get_logger()

BATCH: Final = 16
"""Connections accepted in one go: handshakes under way have their turn in between."""

SHUTDOWN_TIMEOUT: Final = 2.0
"""Seconds that a peer has to answer our close-notify."""

TRIM_AFTER: Final = 128
"""Connections that have ended before their memory is given back."""

_EXHAUSTED_PAUSE: Final = 0.5
"""Seconds without accepting after the system ran out of descriptors or memory."""


Anyone: TypeAlias = KmipProtocol[Any]
"""A connection, whichever binding it speaks."""


class Door(NamedTuple):
    """One listening socket, and what a connection that comes in there speaks.

    `protocol` is given the peer and whom to tell of the end.
    """

    sock: socket.socket
    protocol: Callable[[str, Callable[[Anyone], None]], Anyone]


class Listener:
    """The listening sockets of one worker, and all connections that came from them.

    Caps and counts are those of all doors together. Every worker has the same doors in the same order.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        context: ssl.SSLContext,
        *,
        seat: Seat,
        settings: ConnectionSettings,
        timing: DeadlineSettings,
        total: int,
    ) -> None:
        self._doors = tuple(doors)
        self._context = context
        self._timing = timing
        self._seat = seat
        self._per_address = settings.unfinished_per_address
        self._new_per_address = settings.new_per_address
        self._rates: dict[str, Rate] = {}
        self._total = total
        self._loop = asyncio.get_running_loop()
        self._open = False
        self._full = False
        self._gone = 0
        """Connections that came and went, failed handshakes included."""
        self._unfinished: dict[str, dict[asyncio.Task[None], None]] = {}
        self._connections: set[Anyone] = set()
        self._shed: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()

    def start(self) -> None:
        """Accept from now on."""
        self._open = True
        self._seat.accept(True)
        self._watch()
        self._loop.add_reader(self._seat.inbox.fileno(), self._take)

    def stop(self) -> None:
        """Accept no more; connections that other workers hand on still come in until `drain`."""
        if self._open:
            self._open = False
            self._seat.accept(False)
            self._look_away()

    def connections(self) -> Iterator[Anyone]:
        """Yield the connections of admitted clients; they may end meanwhile."""
        yield from [connection for connection in self._connections if connection.admitted]

    @property
    def live(self) -> int:
        """Return the number of connections, handshakes included."""
        return self._seat.live

    async def empty(self) -> None:
        """Wait until there is no connection."""
        await self._empty.wait()

    def recheck(self) -> None:
        """Look every client up again: the directory has changed."""
        for connection in self.connections():
            connection.recheck()

    def drain(self) -> None:
        """Stop, end the handshakes, and each connection as soon as no request is under way."""
        self.stop()
        while self._take():
            pass
        self._loop.remove_reader(self._seat.inbox.fileno())
        for tasks in tuple(self._unfinished.values()):
            for task in tuple(tasks):
                task.cancel()
        for connection in self.connections():
            connection.drain()

    def abort(self) -> None:
        """End every connection and request now."""
        for connection in self.connections():
            connection.abort("drain_deadline")

    def report(self) -> None:
        """Log what was shed since the last report, a line an address; called once a second."""
        for address, count in self._shed.items():
            log.warning("handshakes_shed", address=address, count=count, cap=self._per_address)
        self._shed.clear()
        now = self._loop.time()
        self._rates = {host: rate for host, rate in self._rates.items() if rate.delay(now) > -BURST}

    # Accepting

    def _watch(self) -> None:
        for number, door in enumerate(self._doors):
            self._loop.add_reader(door.sock.fileno(), self._accept, number)

    def _look_away(self) -> None:
        for door in self._doors:
            self._loop.remove_reader(door.sock.fileno())

    def _accept(self, number: int) -> None:
        door = self._doors[number]
        for _ in range(BATCH):
            if self._seat.live >= self._total and not self._give_way(next(iter(self._unfinished), None)):
                self._pause()
                return
            try:
                connection, address = door.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno == errno.EINVAL:
                    # The supervisor has shut the sockets down: the server is stopping.
                    self.stop()
                    return
                log.error(
                    "accept_failed", error=error.strerror, cure="raise the limit of open files or memory"
                )
                self._look_away()
                self._loop.call_later(_EXHAUSTED_PAUSE, self._resume)
                return
            lightest = self._seat.lightest()
            if lightest is None or not self._seat.hand_on(connection, lightest, number):
                self._begin(connection, address, door)

    def _take(self) -> bool:
        """Take connections that were handed on; False when there are no more."""
        for _ in range(BATCH):
            taken = self._seat.take()
            if taken is None:
                return False
            connection, number = taken
            try:
                address = connection.getpeername()
            except OSError:
                # It was reset on the way.
                connection.close()
                continue
            self._begin(connection, address, self._doors[number])
        return True

    def _pause(self) -> None:
        """Let new connections wait in the kernel until one of ours ends."""
        self._full = True
        self._look_away()
        log.error(
            "connections_full",
            count=self._seat.live,
            cure="close unused connections, or raise connections.total",
        )

    def _resume(self) -> None:
        if self._open:
            self._full = False
            self._watch()

    # Handshakes

    def _begin(
        self, connection: socket.socket, address: tuple[str, int, *tuple[int, ...]], door: Door
    ) -> None:
        peer = Address(*address[:2])
        host = counted_as(peer.host)
        delay = self._delay(host)
        if delay is None:
            self._shed[host] += 1
            connection.close()
            return
        if len(self._unfinished.get(host, ())) >= self._per_address:
            self._give_way(host)
        connection.setblocking(False)
        keep_narrow(connection)
        self._seat.live += 1
        self._empty.clear()
        protocol = door.protocol(str(peer), self._ended)
        self._connections.add(protocol)
        task = self._loop.create_task(self._shake_hands(connection, peer, host, protocol, delay))
        self._unfinished.setdefault(host, {})[task] = None
        task.add_done_callback(partial(self._shaken, host, connection, protocol))

    def _shaken(
        self, host: str, connection: socket.socket, protocol: Anyone, task: asyncio.Task[None]
    ) -> None:
        """Forget a handshake that is over, also one that was cancelled before its task began."""
        self._forget(host, task)
        if task.cancelled():
            if protocol.admitted:
                # It was done at that moment; a connection that is counted out would serve on unseen.
                protocol.abort("handshake_shed")
            connection.close()
            self._ended(protocol)

    def _give_way(self, host: str | None) -> bool:
        """End the oldest unfinished handshake of an address; False when there is none.

        It counts as a connection until it is closed, within two turns of the loop.
        """
        if host is None:
            return False
        oldest = next(iter(self._unfinished[host]))
        self._forget(host, oldest)
        self._shed[host] += 1
        oldest.cancel()
        return True

    def _forget(self, host: str, task: asyncio.Task[None]) -> None:
        tasks = self._unfinished.get(host)
        if tasks is not None:
            tasks.pop(task, None)
            if not tasks:
                del self._unfinished[host]

    def _delay(self, host: str) -> float | None:
        """Return the seconds until a handshake of an address may begin, None for one too many."""
        rate = self._rates.get(host)
        if rate is None:
            return 0.0
        delay = rate.delay(self._loop.time())
        return delay if delay <= MOST_DELAY else None

    def _charge(self, host: str) -> None:
        """Count a handshake that has cost something: one that was finished, or that went wrong."""
        if self._new_per_address:
            rate = self._rates.get(host)
            if rate is None:
                rate = self._rates[host] = Rate(self._new_per_address, 0)
            rate.take(self._loop.time())

    async def _shake_hands(
        self, connection: socket.socket, peer: Address, host: str, protocol: Anyone, delay: float
    ) -> None:
        # When this is cancelled, it was shed or drained: both are reported in one line for all of them.
        try:
            if delay > 0.0:
                await asyncio.sleep(delay)
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._timing.handshake,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
            )
        except OSError as error:
            self._ended(protocol)
            if isinstance(error, ssl.SSLError):
                self._charge(host)
            log.info("handshake_failed", peer=str(peer), reason=_reason(error))
        else:
            self._charge(host)

    def _ended(self, protocol: Anyone) -> None:
        if protocol in self._connections:
            self._connections.remove(protocol)
            self._seat.live -= 1
            self._gone += 1
            if self._gone % TRIM_AFTER == 0:
                self._loop.call_soon(return_freed_memory)
            if not self._connections:
                self._empty.set()
            if self._full:
                self._resume()


def _reason(error: OSError) -> str:
    """Return in few words why a handshake failed; the library's words hold nothing secret."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"certificate refused: {error.verify_message}"
        case ssl.SSLError():
            return (error.reason or "TLS error").replace("_", " ").lower()
        case ConnectionAbortedError():
            return "handshake deadline"
        case ConnectionResetError():
            return "the peer left"
        case _:
            return error.strerror or type(error).__name__
