"""What the processes of a server need from the rest of the program.

Rule: `server/app.py` implements `Adapters` for production and a test may bring its own. Processes, listeners
and commands know these two Protocols and no adapter.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

from strongroom.domain.audit import AuditChain
from strongroom.domain.backups import Filling, Opened, Snapshot
from strongroom.domain.clients import ClientStore
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.outgoing import Exchange, Outgoing
from strongroom.domain.ports import RootKey, WrappedKeys
from strongroom.domain.store import ObjectStore
from strongroom.domain.tenants import Tenant
from strongroom.engine.answers import Answer
from strongroom.model.secret import SecretBytes
from strongroom.registry import Version
from strongroom.server.clients.directory import ClientDirectory, PeerCertificate
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.guesses import GuessMemory
from strongroom.server.messages import Message
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

WriterMain: TypeAlias = Callable[[Callable[[], None], Callable[[], None]], None]
"""The main function of the process that writes the store. It calls its first argument once it takes changes,
and the second at least once a second from then on, but for the time that one transaction takes. It ends on
SIGTERM after writing what waits, and when its parent process is gone."""


class Live(Protocol):
    """The worker of a live server that does an administration command, beside the store."""

    async def ask(self, request: Message) -> None:
        """Have a client asked at its endpoint. Raises OperatorError, BrokenMessage and StoreFailure."""


class RootKeys(RootKey, Protocol):
    """The root keys of a data directory: one, or two while the newer takes over. See `rootkey/stored.py`.

    Any method may raise RootKeyError; `wrap` and `unwrap` raise RootKeySealed while `sealed`.
    """

    @property
    def sealed(self) -> bool:
        """Tell whether a root key that is needed is not open."""

    @property
    def changing(self) -> bool:
        """Tell whether one root key is taking over from another."""

    @property
    def generation(self) -> int:
        """Return the number of the newest."""

    @property
    def state(self) -> object:
        """Return which there are, to be compared with a later state."""

    @property
    def provider(self) -> str:
        """Return what the newest comes from."""

    def holds(self, wrapped: bytes) -> bool:
        """Tell whether the one that `wrapped` was made by is here."""

    @property
    def stays_elsewhere(self) -> bool:
        """Tell whether the newest never comes here: only a worker may use it, since that opens a session."""

    @property
    def announced_at(self) -> int:
        """Return when the newest came here, in seconds."""

    @property
    def recovery(self) -> str | None:
        """Return whom the recovery kit belongs to, as it is written; None when there is none. Of what cannot
        be read it says just that."""

    @property
    def recovery_number(self) -> int:
        """Return which of the kits of all servers this is, as it is written; the newest has the highest."""

    def prove_recovery(self) -> str | None:
        """Return whom the recovery kit belongs to, after making sure that nobody has changed it."""

    @property
    def wants_passphrase(self) -> bool:
        """Tell whether a passphrase would help to open."""

    @property
    def collected(self) -> tuple[int, int] | None:
        """Return how many shares were brought and how many are needed, None when none are wanted."""

    def described(self) -> list[dict[str, object]]:
        """Return what may be said of each, oldest first."""

    def follow(self) -> bool:
        """Take over what other processes have changed; tell whether anything was."""

    def give_passphrase(self, given: SecretBytes) -> None:
        """Open with a passphrase."""

    def give_share(self, text: str) -> None:
        """Take one share; the last one that is needed opens."""

    def close(self) -> None:
        """Forget every root key and every share, until `reopen`."""

    def reopen(self) -> None:
        """Open what nobody has to be asked for."""

    @property
    def left_behind(self) -> bool:
        """Tell whether this process has missed a root key that one has which is forked now."""

    @property
    def waiting(self) -> bool:
        """Tell whether the newest does not wrap yet, so that other nodes can take it first."""

    def prepare(
        self, described: object, secret: SecretBytes | None, *, wraps_from: int | None = None
    ) -> dict[str, object]:
        """Return what every node needs to `adopt` a new root key; None: it stays elsewhere."""

    def wait_for_others(self) -> None:
        """Return when no other process changes root keys; slow. For a thread, before anything is changed."""

    def adopt(self, described: object) -> bool:
        """Take a new root key beside the one there is; tell whether there was anything to do."""

    @property
    def prepared(self) -> dict[str, object]:
        """Return the newest root key as `prepare` gave it; while it takes over, others can `adopt` it."""

    def complete(self, judged: object) -> bool:
        """Let go of all but the newest: nothing was wrapped by them any more in the state that is `judged`.

        False, and nothing is done, when there is another state by now.
        """

    def set_recovery(self, recipient: str, number: int = 0) -> None:
        """Wrap for the kit of this recipient from now on."""


class NewRoot(Protocol):
    """A root key that was made and that nothing depends on yet."""

    @property
    def described(self) -> dict[str, object]:
        """Return its record, as JSON has it."""

    @property
    def secret(self) -> SecretBytes | None:
        """Return the key itself, None for one that stays elsewhere."""

    @property
    def shares(self) -> Sequence[SecretBytes]:
        """Return what is to be given out, a line for each share."""


class NewKit(Protocol):
    """A recovery kit that was made and that nothing is wrapped for yet."""

    @property
    def recipient(self) -> str:
        """Return whom things are wrapped for; no secret."""

    @property
    def files(self) -> Sequence[SecretBytes]:
        """Return what is to be kept, a file for each share or just one."""


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
    def wrapped(self) -> Sequence[WrappedKeys]:
        """Return every place where something lies that the root key has wrapped."""

    @property
    def shared(self) -> bool:
        """Tell whether other machines may change the store too, so that it has to be polled."""

    async def handle(self, message: bytes, connection: Connection) -> Answer:
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

    def turned_away(self, reason: str, peer: str, facts: Mapping[str, str]) -> None:
        """Record somebody who got no connection."""

    def health(self) -> Mapping[str, str]:
        """Return what is wrong, by what it is wrong with; empty when all is well."""

    async def close(self) -> None:
        """Let go of the store; commits on their way are finished first."""


class Administration(Protocol):
    """The store of a data directory without a live server; the caller holds its lock."""

    @property
    def wrapped(self) -> Sequence[WrappedKeys]:
        """Return every place where something lies that the root key has wrapped."""

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

    def check_store_is_free(self, settings: Settings, directory: DataDirectory) -> None:
        """Return if the store belongs to no root key yet; it may not be there at all. See `claim_store`."""

    def make_root_key(self, provider: str, generation: int, options: Mapping[str, Any]) -> NewRoot:
        """Make a root key that nothing depends on yet; `rootkey/making.py` has the options."""

    def make_recovery_kit(self, split: str | None, *, name: str) -> NewKit:
        """Make a recovery kit, whole or in shares (`M/N`); `name` tells people what it is for."""

    def create_root_key(self, directory: DataDirectory, new: NewRoot) -> RootKeys:
        """Let a data directory that has none begin with this root key; return it, open."""

    def open_root_key(self, directory: DataDirectory, *, forks: bool = False) -> RootKeys:
        """Return the root keys of a data directory; what a person has to open is not open.

        `forks`: other processes get them from this one, so it opens no session with a token itself.
        """

    def create_store(self, settings: Settings, directory: DataDirectory) -> None:
        """Make the store with the newest schema."""

    def claim_store(self, settings: Settings, directory: DataDirectory, root_key: RootKeys) -> None:
        """Make a new store that of a root key, so that nobody else begins with it."""

    def check_store(self, settings: Settings, directory: DataDirectory) -> None:
        """Return if this program fits the schema of the store."""

    def store_risks(self, settings: Settings, directory: DataDirectory) -> list[str]:
        """Return what would lose acknowledged changes although all is well. Raises OperatorError."""

    def store_writer(self, settings: Settings, directory: DataDirectory) -> WriterMain | None:
        """Return what a process of its own has to run, None for a store that needs none."""

    async def open_application(
        self,
        settings: Settings,
        directory: DataDirectory,
        root_key: RootKeys,
        *,
        row: int,
        first: bool,
        guesses: GuessMemory,
    ) -> Application:
        """Return what a worker serves.

        `row` is a number that no other worker has at the same time, `first` one of those that begin. Wrong
        credentials are counted in `guesses`, together with the other workers.
        """

    def open_chain(
        self, settings: Settings, directory: DataDirectory
    ) -> AbstractAsyncContextManager[AuditChain]:
        """Give the chain of audit events, to be read beside a live server."""

    def take_snapshot(
        self, settings: Settings, directory: DataDirectory
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Give the store as it is now, beside a server that uses it. Raises StoreFailure."""

    async def reindex(self, settings: Settings, directory: DataDirectory, root_key: RootKey) -> Opened:
        """Make the index of the store anew from its records. Raises StoreFailure."""

    def fill_store(self, url: str, directory: DataDirectory) -> AbstractAsyncContextManager[Filling]:
        """Give an empty store for a backup. Raises StoreFailure."""

    def throw_away_root_key(self) -> RootKey:
        """Return a root key that is nowhere but in this process, and gone with it."""

    async def open_administration(
        self, settings: Settings, directory: DataDirectory, root_key: RootKeys
    ) -> Administration:
        """Return the store for a command that works alone."""
