"""What the processes of a server need from the rest of the program.

Rule: `server/app.py` implements `Adapters` for production and a test may bring its own. Processes, listeners
and commands know these two Protocols and no adapter.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from strongroom.domain.backups import Filling, Snapshot
from strongroom.domain.clients import ClientStore
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.outgoing import Exchange, Outgoing
from strongroom.domain.ports import RootKey
from strongroom.domain.store import ObjectStore
from strongroom.domain.tenants import Tenant
from strongroom.registry import Version
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.directory import ClientDirectory, PeerCertificate
from strongroom.server.messages import Message
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

WriterMain: TypeAlias = Callable[[Callable[[], None]], None]
"""The main function of the process that writes the store. It calls its argument once it takes changes, ends
on SIGTERM after writing what waits, and ends when its parent process is gone."""


class Live(Protocol):
    """The worker of a live server that does an administration command, beside the store."""

    async def ask(self, request: Message) -> None:
        """Have a client asked at its endpoint. Raises OperatorError, BrokenMessage and StoreFailure."""


class Application(Protocol):
    """Everything behind the listeners of one worker; made after the fork, on the worker's event loop."""

    @property
    def clients(self) -> ClientStore:
        """Return the client records."""

    @property
    def store(self) -> ObjectStore:
        """Return the objects and entries."""

    def strangers(self, certificate: PeerCertificate, peer: str) -> None:
        """Take note of a certificate that TLS took and that no client has."""

    @property
    def shared(self) -> bool:
        """Tell whether other machines may change the store too, so that it has to be polled."""

    async def handle(self, message: bytes, connection: Connection) -> bytes:
        """Return the response to a request message; raises nothing but CancelledError."""

    def reject(self, error: DecodeError, connection: Connection) -> bytes:
        """Return the response to bytes that are no message."""

    def lay_down(self, tenants: Mapping[int, Tenant]) -> None:
        """Have tenants be limited as the administrator has laid down for them, by their numbers."""

    def shed(self, message: bytes, connection: Connection) -> bytes:
        """Return the response to a request that comes too soon after too many others."""

    async def answer(self, root: Item, connection: Connection, encode: Encoder) -> bytes:
        """Return the response to a decoded request, in another encoding; raises only CancelledError."""

    def refuse(self, error: DecodeError, connection: Connection, encode: Encoder) -> bytes:
        """Return the response to what is no message in that other encoding."""

    async def attend(self, client: ClientIdentity, exchange: Exchange, version: Version) -> None:
        """Ask a client that has turned the roles of a connection, until it has its own back.

        Raises EndpointUnreachable and StoreFailure.
        """

    async def ask(self, client: ClientIdentity, question: Outgoing) -> None:
        """Have a client asked soon. Raises OperatorError for one that cannot be reached, and StoreFailure."""

    async def refresh(self) -> None:
        """Read again what is kept in memory beside the clients; raises StoreFailure."""

    async def work(self, directory: ClientDirectory, spread: Callable[[], Awaitable[None]]) -> None:
        """Do what is due without being asked, until cancelled.

        `directory` says who may connect; `spread` makes changed records be in force in every worker.
        """

    async def close(self) -> None:
        """Let go of the store; commits on their way are finished first."""


class Administration(Protocol):
    """The store of a data directory without a live server; the caller holds its lock."""

    @property
    def clients(self) -> ClientStore:
        """Return the client records."""

    @property
    def store(self) -> ObjectStore:
        """Return the objects and entries."""

    async def close(self) -> None:
        """Let go of the store."""


class Adapters(Protocol):
    """What stands behind the ports. Anything here may raise OperatorError."""

    def preload(self) -> None:
        """Load what workers need, so that they share it after the fork."""

    def check_store_url(self, url: str, directory: DataDirectory) -> None:
        """Return if `url` can be a store URL."""

    def create_root_key(self, directory: DataDirectory) -> None:
        """Make the root key of a new data directory."""

    def open_root_key(self, directory: DataDirectory) -> RootKey:
        """Return the root key of a data directory."""

    def create_store(self, settings: Settings, directory: DataDirectory) -> None:
        """Make the store with the newest schema."""

    def check_store(self, settings: Settings, directory: DataDirectory) -> None:
        """Return if this program fits the schema of the store."""

    def store_writer(self, settings: Settings, directory: DataDirectory) -> WriterMain | None:
        """Return what a process of its own has to run, None for a store that needs none."""

    async def open_application(
        self, settings: Settings, directory: DataDirectory, root_key: RootKey, *, row: int
    ) -> Application:
        """Return what a worker serves; `row` is a number that no other worker has at the same time."""

    def take_snapshot(
        self, settings: Settings, directory: DataDirectory
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Give the store as it is now, beside a server that uses it. Raises StoreFailure."""

    def fill_store(self, url: str, directory: DataDirectory) -> AbstractAsyncContextManager[Filling]:
        """Give an empty store for a backup. Raises StoreFailure."""

    def throw_away_root_key(self) -> RootKey:
        """Return a root key that is nowhere but in this process, and gone with it."""

    async def open_administration(
        self, settings: Settings, directory: DataDirectory, root_key: RootKey
    ) -> Administration:
        """Return the store for a command that works alone."""
