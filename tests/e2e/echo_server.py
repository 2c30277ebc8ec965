"""The command line with an engine that answers every request with itself: `python -m tests.e2e.echo_server`.

Everything else is real: processes, store, certificates, administration. A request whose body begins with
`wait` is answered after a tenth of a second, one with `hang` never. It looks more often whether certificates
were replaced on disk.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from strongroom.cli import main
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.outgoing import Exchange, Outgoing
from strongroom.domain.ports import RootKey
from strongroom.domain.tenants import Tenant
from strongroom.registry import NEWEST, Tag, Version
from strongroom.server import app
from strongroom.server.clients.directory import ClientDirectory, PeerCertificate
from strongroom.server.clients.stored import StoredClients
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.guesses import GuessMemory
from strongroom.server.ports import Application
from strongroom.server.processes import supervisor
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.sqlite import SqliteBackend
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import TEXT_STRING, Item

WATCH_INTERVAL = 2.0

NO_WORKERS = "no-workers"
"""A file in the data directory; as long as it is there no worker starts."""
RESPONSE = b"\x42\x00\x7b\x01"


class EchoApplication:
    """See `ports.Application`."""

    shared = False
    wrapped = ()

    def __init__(self, backend: SqliteBackend, keys: StoreKeys) -> None:
        self._backend = backend
        self.store = Repository(backend, keys)
        self.clients = StoredClients(self.store)

    async def handle(self, message: bytes, connection: Connection) -> bytes:
        if message[8:12] == b"wait":
            await asyncio.sleep(0.1)
        elif message[8:12] == b"hang":
            await asyncio.sleep(3600)
        return RESPONSE + message[4:]

    def reject(self, error: DecodeError, connection: Connection) -> bytes:
        text = str(error).encode()
        text += b" " * (-len(text) % 8)
        return RESPONSE + len(text).to_bytes(4, "big") + text

    def lay_down(self, tenants: Mapping[int, Tenant]) -> None:
        """Nothing is stored."""

    def shed(self, message: bytes, connection: Connection) -> bytes:
        return RESPONSE + b"\x00\x00\x00\x08SHED    "

    async def answer(self, root: Item, connection: Connection, encode: Encoder) -> bytes:
        return encode(root, version=NEWEST)

    def refuse(self, error: DecodeError, connection: Connection, encode: Encoder) -> bytes:
        return encode((int(Tag.RESULT_MESSAGE), TEXT_STRING, str(error)), version=NEWEST)

    async def attend(self, client: ClientIdentity, exchange: Exchange, version: Version) -> None:
        """Nobody turns roles."""

    async def ask(self, client: ClientIdentity, question: Outgoing) -> None:
        """Nobody is asked."""

    async def refresh(self) -> None:
        """Nothing is kept in memory."""

    def turned_away(self, reason: str, peer: str, facts: Mapping[str, str]) -> None:
        """Nothing is recorded."""

    def health(self) -> Mapping[str, str]:
        return {}

    async def work(self, directory: ClientDirectory, spread: Callable[[], Awaitable[None]]) -> None:
        """There is nothing to do beside the requests."""

    def strangers(self, certificate: PeerCertificate, peer: str) -> None:
        """Nobody is remembered."""

    async def close(self) -> None:
        await self._backend.close()


class EchoAdapters(app.StrongroomAdapters):
    """A real server but for the engine."""

    def preload(self) -> None:
        """There is nothing to load."""

    async def open_application(
        self,
        settings: Settings,
        directory: DataDirectory,
        root_key: RootKey,
        *,
        row: int,
        first: bool,
        guesses: GuessMemory,
    ) -> Application:
        if (directory.path / NO_WORKERS).exists():
            raise OperatorError("this worker was told not to start")
        backend: Any = app._worker_backend(app._parse(settings.store, directory), directory)
        await backend.start()
        return EchoApplication(backend, StoreKeys(root_key))


if __name__ == "__main__":
    app.StrongroomAdapters = EchoAdapters  # type: ignore[misc]
    supervisor.WATCH_INTERVAL = WATCH_INTERVAL  # type: ignore[misc]
    sys.exit(main.run(sys.argv[1:]))
