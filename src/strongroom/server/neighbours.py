"""The adapter for `strongroom.engine.neighbours`: workers of one server pass requests on to each other.

Rule: each worker listens on a Unix socket in the data directory that only this user may open. One connection
carries one request. The worker that answers looks the client up itself, so a client that was revoked
meanwhile is nobody there too; the message is checked like any other. Who asks is the same there as here: what
the record does not say of a caller is passed on, or its request is not. What was sent is never done here as
well: nobody knows how far the neighbour got.
"""

import asyncio
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from strongroom.domain.errors import ServerFailure
from strongroom.domain.identity import ClientId, ClientIdentity, Connection
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

_INCARNATION: Final = 4
"""Random bytes of a name: a worker does not answer for the one that had its row before."""

_ROW: Final = struct.Struct(">H")
_REQUEST: Final = struct.Struct(f">{_ROW.size + _INCARNATION}sQ?HI")
"""The name of who is asked, the client, whether it is mapped, bytes of the peer's address and the message."""

_RESPONSE: Final = struct.Struct(">I")
"""Bytes of the message; 0: the name is another's, and nothing was done."""

LOOKED_UP: Final = frozenset({
    "client",
    "tenant",
    "name",
    "groups",
    "username",
    "password_hash",
    "password_optional",
    "access",
})  # fmt: skip
"""What the neighbour finds of an identity in its own copy of the records."""

PASSED_ON: Final = frozenset({"mapped"})
"""What it is told, since only the connection says it."""

STAYS: Final = frozenset({"user", "credentials", "ticket", "acting", "rights"})
"""What it is not told: who has any of these is not passed on. Credentials are looked at over there."""

PATIENCE: Final = 30.0
"""Seconds that a neighbour may take."""

Answer = Callable[[bytes, Connection], Awaitable[bytes]]


class WorkerSockets:
    """The sockets of one worker, `row`, and of its neighbours.

    `path` gives the socket of a row; `largest` are the bytes that a message may have.
    """

    def __init__(
        self,
        row: int,
        path: Callable[[int], Path],
        *,
        listen: Callable[[Path], socket.socket],
        connect: Callable[[Path], socket.socket],
        largest: int,
    ) -> None:
        self.name = _ROW.pack(row) + secrets.token_bytes(_INCARNATION)
        self._row = row
        self._path = path
        self._listen = listen
        self._connect = connect
        self._largest = largest
        self._server: asyncio.Server | None = None
        self._handle: Answer
        self._find: Callable[[ClientId], ClientIdentity | None]

    async def start(self, handle: Answer, find: Callable[[ClientId], ClientIdentity | None]) -> None:
        """Answer neighbours from now on: `handle` does it, for the client that `find` finds.

        Raises OperatorError.
        """
        self._handle = handle
        self._find = find
        path = self._path(self._row)
        try:
            self._server = await asyncio.start_unix_server(self._serve, sock=self._listen(path))
        except OSError as error:
            raise OperatorError(f"cannot listen at {path}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()
            self._path(self._row).unlink(missing_ok=True)

    async def answer(self, name: bytes, message: bytes, connection: Connection) -> bytes | None:
        client = connection.client
        told = type(client) is ClientIdentity and all(getattr(client, one) is None for one in STAYS)
        if not told or len(name) != len(self.name):
            return None
        path = self._path(*_ROW.unpack(name[: _ROW.size]))
        # A task of its own: the caller may run without one (`server.listening.eager`), and this is timed.
        return await asyncio.get_running_loop().create_task(self._ask(name, path, message, connection))

    async def _ask(self, name: bytes, path: Path, message: bytes, connection: Connection) -> bytes | None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=self._connect(path))
        except OSError as error:
            log.info("neighbour_not_there", socket=path.name, error=type(error).__name__)
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                client, peer = connection.client, connection.peer.encode()
                writer.write(_REQUEST.pack(name, client.client, client.mapped, len(peer), len(message)))
                writer.write(peer)
                writer.write(message)
                (size,) = _RESPONSE.unpack(await reader.readexactly(_RESPONSE.size))
                return await reader.readexactly(size) if size else None
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.info("neighbour_without_answer", socket=path.name, error=type(error).__name__)
            raise ServerFailure(
                "the worker that has the stream gave no answer; what else the request asked for may be done"
            ) from error
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readexactly(_REQUEST.size)
                name, number, mapped, peer_size, size = _REQUEST.unpack(head)
                if size > self._largest:
                    return
                peer = (await reader.readexactly(peer_size)).decode()
                message = await reader.readexactly(size)
                if name != self.name:
                    writer.write(_RESPONSE.pack(0))
                    return
                found = self._find(ClientId(number))
                if found is None:
                    return
                client = replace(found, mapped=mapped)
                answer = await self._handle(message, Connection(client=client, peer=peer))
                writer.write(_RESPONSE.pack(len(answer)))
                writer.write(answer)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.info("neighbour_lost", error=type(error).__name__)
        finally:
            writer.close()
