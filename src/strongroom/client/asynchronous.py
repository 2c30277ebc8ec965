"""The client for asyncio.

Rule: streams only; what is said and whether it is said again is decided in `conversation.py` and
`failover.py`. One request at a time: tasks that share an AsyncClient wait for each other.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, SupportsIndex, TypeVar

from strongroom.client.address import Address
from strongroom.client.async_methods.everything import AsyncMethods
from strongroom.client.conversation import Conversation, Flow, Outgoing
from strongroom.client.errors import KMIPError, OperationPending, ProtocolError
from strongroom.client.failover import (
    Attempts,
    BrokenLink,
    ServerList,
    connect_failure,
    exchange_failure,
    link_ended,
)
from strongroom.client.profile import Profile, find_profile, load_profile, make_credentials, make_version
from strongroom.client.tls import make_context
from strongroom.client.transport import PATH, Framing, Transport, make_binding
from strongroom.domain.operation import Request, Response
from strongroom.model.messages import Ticket
from strongroom.registry import BatchErrorContinuationOption, Version
from strongroom.wire.encodings import Encoding

R = TypeVar("R", bound=Response)
T = TypeVar("T")

_CHUNK: Final = 65536


class AsyncClient(AsyncMethods):
    """A client of any KMIP server; connects when first used, and again when the connection was lost.

    `servers` is one "HOST:PORT" or a list tried in turn. `cert`, `key` and `ca` are PEM files. `version`
    None lets client and server agree on one. `timeout` is in seconds, for connecting and for each answer.
    `transport` is "tls" or "https"; over HTTPS `encoding` is "ttlv", "json" or "xml", and `path` is where the
    server has KMIP. `ticket` is one of `login`, in place of username and password, or of `delegated_login`,
    beside your own. Raises InvalidSettings here and KMIPError everywhere else.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        cert: str | Path,
        key: str | Path,
        ca: str | Path,
        version: Version | str | None = None,
        timeout: float = 30.0,
        username: str | None = None,
        password: str | None = None,
        ticket: Ticket | None = None,
        transport: Transport | str = Transport.TLS,
        encoding: Encoding | str = Encoding.TTLV,
        path: str = PATH,
    ) -> None:
        self._binding = make_binding(transport, encoding, path)
        self._servers = ServerList(self._binding.servers(servers))
        self._context = make_context(cert=cert, key=key, ca=ca)
        self._timeout = timeout
        self._conversation = Conversation(
            version=make_version(version),
            credentials=make_credentials(username, password, ticket),
            codec=self._binding.codec,
        )
        self._lock = asyncio.Lock()
        self._link: _Link | None = None

    @classmethod
    def from_profile(
        cls,
        path: str | Path | None = None,
        *,
        timeout: float = 30.0,
        transport: Transport | str | None = None,
        encoding: Encoding | str | None = None,
    ) -> Self:
        """Return a client as `profile.toml` describes it; None looks where `strongroom dev` left one.

        That is STRONGROOM_PROFILE, then the path in `$XDG_CONFIG_HOME/strongroom/default`. `transport` and
        `encoding` go before what the profile says; an encoding other than TTLV means HTTPS.
        """
        profile = load_profile(find_profile(path)).speaking(transport=transport, encoding=encoding)
        return cls.with_profile(profile, timeout=timeout)

    @classmethod
    def with_profile(cls, profile: Profile, *, timeout: float = 30.0) -> Self:
        """Return a client with these settings."""
        return cls(**profile.client_arguments(), timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; the next request makes a new one."""
        async with self._lock:
            link = self._drop()
        if link is not None:
            await link.closed()

    async def call(self, request: Request[R]) -> R:
        """Return the answer to one request; raises KMIPError."""
        return await self._drive(self._conversation.call(request))

    async def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        """Send several requests in one message and return an outcome for each, in order.

        A request that failed has its OperationFailed in the list; with Stop, the default, those after it
        have BatchStopped. Raises KMIPError when the message as a whole was not answered.
        """
        return await self._drive(self._conversation.batch(requests, on_error=on_error))

    async def negotiate(self) -> Version:
        """Return the version that client and server speak, after agreeing on one if need be."""
        return await self._drive(self._conversation.negotiate())

    async def submit(self, request: Request[R]) -> R | OperationPending:
        """Return the answer to a request that may be answered later, or that it is pending.

        `later()` is what one uses.
        """
        return await self._drive(self._conversation.submit(request))

    async def poll(self, request: Request[R], pending: OperationPending) -> R | OperationPending:
        """Return the answer to a request that was pending, or that it still is."""
        return await self._drive(self._conversation.poll(request, pending))

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def _drive(self, flow: Flow[T]) -> T:
        async with self._lock:
            try:
                outgoing = next(flow)
                while True:
                    outgoing = flow.send(await self._exchange(outgoing))
            except StopIteration as done:
                result: T = done.value
                return result
            except ProtocolError:
                # Whoever sends garbage once cannot be trusted to stay in step.
                self._drop()
                raise

    async def _exchange(self, outgoing: Outgoing) -> bytes:
        attempts = Attempts(self._servers, repeatable=outgoing.repeatable)
        if self._link is not None and not await self._link.is_alive():
            self._drop()
        while True:
            if self._link is None:
                server = attempts.next_server()
                try:
                    framing = self._binding.framing(server)
                    self._link = await _connect(server, self._context, framing, self._timeout)
                except BrokenLink as broken:
                    attempts.failed(server, broken)
                    continue
            try:
                answer = await self._link.exchange(outgoing.message)
            except BrokenLink as broken:
                server = self._link.server
                self._drop()
                attempts.failed(server, broken)
                continue
            except BaseException:
                # Also when cancelled: the answer would be taken for that to the next request.
                self._drop()
                raise
            self._servers.answered(self._link.server)
            return answer

    def _drop(self) -> "_Link | None":
        link, self._link = self._link, None
        if link is not None:
            link.close()
        return link


async def _connect(server: Address, context: ssl.SSLContext, framing: Framing, seconds: float) -> "_Link":
    """Return a new connection; raises BrokenLink."""
    loop = asyncio.get_running_loop()
    reader = _CountingReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_connection(
                lambda: protocol, server.host, server.port, ssl=context, server_hostname=server.host
            )
    except OSError as exc:
        raise connect_failure(exc, timeout=seconds) from exc
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    return _Link(server, reader, writer, framing, seconds)


class _CountingReader(asyncio.StreamReader):
    """Tells how much has come; asyncio does not tell what lies there unread."""

    arrived = 0

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        super().feed_data(data)
        self.arrived += len(bytes(data))


class _Link:
    """One TLS connection; raises BrokenLink when it is not there any more."""

    def __init__(
        self,
        server: Address,
        reader: _CountingReader,
        writer: asyncio.StreamWriter,
        framing: Framing,
        timeout: float,
    ) -> None:
        self.server = server
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._framing = framing
        self._answered = False
        self._taken = 0
        self._loop = asyncio.get_running_loop()

    async def is_alive(self) -> bool:
        """Tell whether the server has left the idle connection alone: neither ended it nor sent anything."""
        if self._loop is not asyncio.get_running_loop():
            return False  # it could be written to, and its answer never read
        # The loop reads the socket when it goes round: after the second time, all that had come is here.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ended = self._reader.at_eof() or self._writer.is_closing()
        return self._framing.reusable and not ended and self._reader.arrived == self._taken

    async def exchange(self, message: bytes) -> bytes:
        """Return the answer to `message`; raises BrokenLink and ProtocolError."""
        try:
            async with asyncio.timeout(self._timeout):
                # The transport keeps what the network does not take, so from here on it counts as sent.
                self._writer.write(self._framing.wrap(message))
                await self._writer.drain()
                return await self._receive()
        except OSError as exc:
            raise exchange_failure(
                exc, timeout=self._timeout, sent=True, answered_before=self._answered
            ) from exc

    def close(self) -> None:
        """Say goodbye, without waiting for a reply; where the loop has ended, there is nobody to say it."""
        if not self._loop.is_closed():
            self._writer.close()

    async def closed(self) -> None:
        """Wait until the goodbye is out."""
        if self._loop is not asyncio.get_running_loop():
            return
        with contextlib.suppress(OSError):
            async with asyncio.timeout(self._timeout):
                await self._writer.wait_closed()

    async def _receive(self) -> bytes:
        while True:
            data = await self._reader.read(_CHUNK)
            self._taken += len(data)
            message = self._framing.receive(data)
            if message is not None:
                self._answered = True
                return message
            if not data:
                raise link_ended(answered_before=self._answered)
