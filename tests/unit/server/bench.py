"""One worker's worth of surroundings for a connection, without sockets; time is moved by hand."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.audit import Recording
from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import EntryChange
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, Connection
from strongroom.server.certificates.ca import Authority, fingerprint, new_key
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.config import ConnectionSettings, DeadlineSettings, LimitSettings
from strongroom.server.listening.binding import Service
from strongroom.server.listening.connection import ClientConnection
from strongroom.server.listening.deadlines import INTERVAL, Deadlines
from strongroom.server.listening.shares import Buffers, Shares
from strongroom.server.listening.turns import Turns
from strongroom.server.listening.windows import Windows
from strongroom.server.listening.writing import Departures
from strongroom.server.shared import SharedNumbers
from strongroom.server.ttlv import KmipProtocol
from strongroom.wire.framing import Framer
from strongroom.wire.limits import Limits
from tests.unit.server.conftest import NOW


class Clients:
    """A client store in memory."""

    def __init__(self) -> None:
        self.records: list[ClientRecord] = []

    async def clients(self) -> Sequence[ClientRecord]:
        return list(self.records)

    async def claim(self, name: str) -> EntryChange:
        raise AssertionError("nobody is enrolled here")

    def recording(self, recording: Recording) -> "Clients":
        return self

    async def put(self, record: ClientRecord, *, entries: Sequence[EntryChange] = ()) -> None:
        self.records = [r for r in self.records if r.client != record.client] + [record]


class Transport(asyncio.Transport):
    """A transport that writes into a list; it blocks when told to."""

    def __init__(self, der: bytes) -> None:
        super().__init__({"ssl_object": self, "socket": self})
        self._der = der
        self.written: list[bytes] = []
        self.window: int | None = None
        """What the kernel was asked to take from the peer."""
        self.reading = True
        self.closed = False
        self.aborted = False
        self.protocol: KmipProtocol[Any]
        self.full = False
        self.takes: Callable[[], None] = lambda: None
        """What passes while something is written."""

    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        return self._der

    def setsockopt(self, level: int, name: int, value: int) -> None:
        assert (level, name) == (socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.window = value

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.takes()
        if self.full:
            self.protocol.pause_writing()

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Bench:
    """One worker's worth of surroundings, and connections to it."""

    def __init__(
        self,
        authority: Authority,
        connections: ConnectionSettings = ConnectionSettings(per_client=2),  # noqa: B008 -- frozen
        **limits: int,
    ) -> None:
        self.seconds = 1000.0
        self.date = NOW
        self.clients = Clients()
        self.turns = Turns(lambda: self.seconds)
        self.numbers = SharedNumbers(1)
        self.shares = Shares(self.numbers, 0, connections, LimitSettings(**limits), turns=self.turns)
        self.directory = ClientDirectory(self.clients)
        self.handler: Callable[[bytes, Connection], Coroutine[Any, Any, bytes]] = self.echo
        self.service = Service(
            framing=Framer,
            handle=lambda message, connection: self.handler(message, connection),
            reject=lambda error, connection: b"REJECTED " + str(error).encode(),
            directory=self.directory,
            deadlines=Deadlines(lambda: self.seconds, lambda: self.date.timestamp()),
            timing=DeadlineSettings(header=10, body=20, body_rate=8192, idle=900, answer=60),
            limits=Limits(message_size=4 << 20),
            shares=self.shares,
            buffers=Buffers(8 << 20, 8 << 20),
            windows=Windows(),
            departures=Departures(lambda: self.seconds),
            shed=lambda message, connection: b"SHED " + message[8:].rstrip(b"."),
            turned_away=lambda reason, peer, facts: self.turned_away.append((reason, peer, dict(facts))),
        )
        self.closed: list[ClientConnection[Any]] = []
        self.turned_away: list[tuple[str, str, dict[str, str]]] = []
        key = new_key()
        self.der = authority.client_certificate(key.public_key(), "web", NOW).public_bytes(Encoding.DER)
        self.record = ClientRecord(
            client=ClientId(7),
            tenant=DEFAULT_TENANT,
            name="web",
            fingerprint=fingerprint(key.public_key()),
            groups=(),
            username=None,
            password_hash=None,
            enrolled_at=NOW,
        )

    async def echo(self, message: bytes, connection: Connection) -> bytes:
        return b"<" + message[8:].rstrip(b".") + b">"

    async def enrol(self, **changes: Any) -> None:
        await self.clients.put(ClientRecord(**{**_fields(self.record), **changes}))
        await self.directory.refresh()

    def connect(self, peer: str = "192.0.2.1:4711") -> tuple[KmipProtocol[Any], Transport]:
        transport = Transport(self.der)
        protocol = KmipProtocol(self.service, peer, self.closed.append)
        transport.protocol = protocol
        protocol.connection_made(transport)
        return protocol, transport

    def spend(self, seconds: float) -> Callable[[], None]:
        """Return something that takes so long."""

        def pass_() -> None:
            self.seconds += seconds

        return pass_

    def pass_time(self, seconds: float) -> None:
        """Move the clock, sweeping as often as the real one."""
        end = self.seconds + seconds
        while self.seconds < end:
            self.seconds = min(self.seconds + INTERVAL, end)
            self.service.deadlines.sweep()


def _fields(record: ClientRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def turns_pass() -> None:
    """Let everything be done that waits for nothing but its turn."""
    for _ in range(500):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Return once it is so, of what waits for a real clock."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.001)


def receive(protocol: KmipProtocol[Any], data: bytes, *, together: bool = False) -> None:
    """Have `data` arrive as it does from an event loop: read to where the protocol wants it.

    That is all that has arrived, unless it comes `together` with something else.
    """
    while data:
        buffer = protocol.get_buffer(len(data))
        part = data[: len(buffer)]
        buffer[: len(part)] = part
        protocol.buffer_updated(len(part))
        data = data[len(part) :]
    if not together:
        protocol._departures.leave()
