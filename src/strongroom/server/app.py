"""Which adapter stands behind which port: the store, the root key, the engine.

Rule: the parts of a server that touch an adapter are this file, `application.py`, `engine.py`,
`clients/stored.py`, `root/kmip.py` and `root/recovering.py`; everything else sees `ports.Adapters`. What only
a server needs is imported when it is asked for, since a command that lists clients should not load ciphers.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from strongroom.domain.audit import AuditChain
from strongroom.domain.backups import Filling, Opened, Snapshot
from strongroom.domain.clients import ClientStore
from strongroom.domain.ports import RootKey, RootKeyError, RootKeySealed, RootKeyUnavailable, WrappedKeys
from strongroom.domain.store import ObjectStore
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.elsewhere import Way
from strongroom.rootkey.place import Place
from strongroom.rootkey.record import RootRecord
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.clients.stored import StoredClients, mark_sealed, seal_older_records
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import InvalidOption, OperatorError, Sealed
from strongroom.server.guesses import GuessMemory, SharedTally
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message
from strongroom.server.ports import Administration, Application, NewKit, NewRoot, RootKeys, WriterMain
from strongroom.server.process import result_apart
from strongroom.server.root.credential import PassphraseSource
from strongroom.server.root.files import RootChoice
from strongroom.server.root.places import places, wrapped_files
from strongroom.store import address, migrate, versions
from strongroom.store.claiming import claim
from strongroom.store.records import Backend, StoreUnavailable
from strongroom.store.store_keys import StoredStoreKeys
from strongroom.store.url import SqliteUrl, StoreUrl, StoreUrlError, parse

log = get_logger()


_TAKEN: Final = (
    "the store belongs to another data directory: copy that one to add a server to it"
    " (docs/postgresql.md), or name an empty database with --store"
)


class StrongroomAdapters:
    """The adapters of a real server; see `ports.Adapters`.

    `passphrase_file` has the passphrase of the root key, None asks whoever may know it.
    """

    def __init__(self, *, passphrase_file: Path | None = None) -> None:
        self._passphrase = PassphraseSource(passphrase_file)

    def preload(self) -> None:
        import strongroom.server.application  # noqa: F401

    def check_store_url(self, url: str, directory: DataDirectory) -> None:
        try:
            parse(url, directory.path)
        except StoreUrlError as error:
            raise InvalidOption(f"--store: {error}") from error

    def check_store_is_free(self, settings: Settings, directory: DataDirectory) -> None:
        with _for_the_operator():
            if migrate.holds_keys(_parse(settings.store, directory)):
                raise OperatorError(_TAKEN)

    def claim_store(self, settings: Settings, directory: DataDirectory, root_key: RootKeys) -> None:
        with _for_the_operator():
            if not claim(_parse(settings.store, directory), root_key):
                raise OperatorError(_TAKEN)

    def make_root_key(self, provider: str, generation: int, options: Mapping[str, Any]) -> NewRoot:
        from strongroom.rootkey.making import ImpossibleSplit, make
        from strongroom.server.root.kmip import create

        with _for_the_operator():
            try:
                return make(provider, generation, options, kmip=create)
            except ImpossibleSplit as error:
                raise InvalidOption(f"--shares: {error}") from error

    def create_root_key(self, directory: DataDirectory, new: NewRoot) -> RootKeys:
        # Nobody is asked for what was given a moment ago.
        place = replace(self._root_keys(directory), passphrase=lambda: None)
        with _for_the_operator():
            place.write_first(RootRecord.from_json(new.described), new.secret)
            keyring = StoredKeyring(place)
            if new.secret is not None:
                keyring.give_root(new.secret)
            return keyring

    def open_root_key(self, directory: DataDirectory, *, forks: bool = False) -> RootKeys:
        place = replace(self._root_keys(directory), apart=_apart if forks else None)
        with _for_the_operator():
            keyring = StoredKeyring(place)
            self._passphrase.ask_no_more()
            return keyring

    def _known_passphrase(self) -> SecretBytes | None:
        try:
            return self._passphrase()
        except OperatorError as error:
            raise RootKeyError(str(error)) from error

    def _root_keys(self, directory: DataDirectory) -> Place:
        return Place(
            book=directory.root_keys,
            key_file=directory.root_key,
            recovery=directory.recovery,
            write=write_private,
            passphrase=self._known_passphrase,
            kmip=_key_manager,
            witnesses=lambda: wrapped_files(directory),
        )

    def make_recovery_kit(self, split: str | None, *, name: str) -> NewKit:
        from strongroom.rootkey import kit
        from strongroom.rootkey.shares import Split

        made = datetime.now(UTC).isoformat(timespec="minutes")
        try:
            return kit.make(None if split is None else Split.parse(split), made=made, name=name)
        except ValueError as error:
            raise InvalidOption(str(error)) from error

    def create_store(self, settings: Settings, directory: DataDirectory) -> None:
        where = _parse(settings.store, directory)
        with _for_the_operator():
            fresh = isinstance(where, SqliteUrl) and migrate.current_version(where) is None
            migrate.migrate(where)
        if fresh:
            # No older release has written a client record into it.
            mark_sealed(directory.clients_sealed)

    def migrate_store(self, settings: Settings, directory: DataDirectory) -> None:
        """Bring a store that is there to the newest schema. Raises OperatorError."""
        where = _parse(settings.store, directory)
        with _for_the_operator():
            versions.check_there(migrate.current_version(where), _name(where, settings))
            migrate.migrate(where)

    def check_store(self, settings: Settings, directory: DataDirectory) -> None:
        where = _parse(settings.store, directory)
        with _for_the_operator():
            versions.check(migrate.current_version(where), _name(where, settings))

    def store_risks(self, settings: Settings, directory: DataDirectory) -> list[str]:
        with _for_the_operator():
            return migrate.risks(_parse(settings.store, directory))

    def store_writer(self, settings: Settings, directory: DataDirectory) -> WriterMain | None:
        where = _parse(settings.store, directory)
        if not isinstance(where, SqliteUrl):
            return None
        from strongroom.store import writer

        with _for_the_operator():
            if migrate.may_hold_remains(where.path):
                cure = "stop the server once, and run: strongroom store migrate DIR"
                log.warning("removed_records_not_overwritten", database=str(where.path), cure=cure)
        return lambda ready, alive: writer.serve(
            where.path, _writer_socket(directory), ready=ready, alive=alive
        )

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
        from strongroom.server.application import open_application
        from strongroom.server.auditing import WorkerAudit
        from strongroom.server.certificates.ca import open_authority
        from strongroom.server.clients.provisioning import ClientProvisioning
        from strongroom.server.listening.endpoints import ClientEndpoints
        from strongroom.server.listening.tls import client_authorities
        from strongroom.server.neighbours import WorkerSockets

        neighbours = WorkerSockets(
            row,
            directory.worker_socket,
            listen=address.listen,
            connect=address.connect,
            largest=settings.limits.message_size,
        )
        where = _parse(settings.store, directory)
        backend = _worker_backend(where, directory)

        def provisioning(clients: ClientStore) -> ClientProvisioning:
            return ClientProvisioning(
                clients,
                lambda: open_authority(directory, root_key),
                lambda: client_authorities(settings.tls, directory),
            )

        shared = not isinstance(where, SqliteUrl)
        with _for_the_operator():
            return await open_application(
                backend,
                settings,
                root_key,
                neighbours,
                ClientEndpoints(settings, directory),
                provisioning,
                lambda: self.take_snapshot(settings, directory),
                WorkerAudit(settings.audit, directory, root_key, row),
                first=first,
                tally=SharedTally(guesses, row),
                directory=directory,
                wrapped=places(StoredStoreKeys(backend), directory),
                shared=shared,
            )

    @asynccontextmanager
    async def open_chain(self, settings: Settings, directory: DataDirectory) -> AsyncIterator[AuditChain]:
        from strongroom.store.stored_audit import StoredAudit

        backend = _lone_backend(_parse(settings.store, directory))
        with _for_the_operator():
            await backend.start()
        try:
            yield StoredAudit(backend)
        finally:
            await backend.close()

    def take_snapshot(
        self, settings: Settings, directory: DataDirectory
    ) -> AbstractAsyncContextManager[Snapshot]:
        from strongroom.store.snapshot import take_snapshot

        return take_snapshot(_parse(settings.store, directory))

    async def reindex(self, settings: Settings, directory: DataDirectory, root_key: RootKey) -> Opened:
        from strongroom.store.reindexing import reindex

        return await reindex(_parse(settings.store, directory), root_key)

    def fill_store(self, url: str, directory: DataDirectory) -> AbstractAsyncContextManager[Filling]:
        from strongroom.store.filling import fill

        return fill(_parse(url, directory))

    def throw_away_root_key(self) -> RootKey:
        from strongroom.rootkey.memory import MemoryRootKey

        return MemoryRootKey()

    async def open_administration(
        self, settings: Settings, directory: DataDirectory, root_key: RootKeys
    ) -> Administration:
        from strongroom.store.repository import Repository
        from strongroom.store.sealing import StoreKeys

        backend = _lone_backend(_parse(settings.store, directory))
        with _for_the_operator():
            await backend.start()
            keys = StoreKeys(root_key)
            keys.load(await backend.store_keys())
            store = Repository(backend, keys, cache_size=0)
            await seal_older_records(store, directory.clients_sealed)
        return StoreAdministration(backend, store, places(StoredStoreKeys(backend), directory))

    async def recover(
        self, settings: Settings, directory: DataDirectory, files: Sequence[SecretBytes], choice: RootChoice
    ) -> Message:
        """See `server/root/recovering.py`; the caller holds the lock."""
        from strongroom.server.root.recovering import recover

        backend = _lone_backend(_parse(settings.store, directory))
        with _for_the_operator():
            await backend.start()
            try:
                return await recover(backend, self._root_keys(directory), directory, files, choice, self)
            finally:
                await backend.close()


class StoreAdministration:
    """A store for a command that works alone."""

    def __init__(self, backend: Backend, store: ObjectStore, wrapped: Sequence[WrappedKeys]) -> None:
        self._backend = backend
        self.clients: ClientStore = StoredClients(store)
        self.wrapped = wrapped
        self.store = store

    async def close(self) -> None:
        await self._backend.close()


def _parse(url: str, directory: DataDirectory) -> StoreUrl:
    try:
        return parse(url, directory.path)
    except StoreUrlError as error:
        raise OperatorError(str(error)) from error


def _name(where: StoreUrl, settings: Settings) -> str:
    return str(where.path) if isinstance(where, SqliteUrl) else settings.store


def _worker_backend(where: StoreUrl, directory: DataDirectory) -> Backend:
    if isinstance(where, SqliteUrl):
        from strongroom.store.sqlite import SqliteBackend

        return SqliteBackend(where.path, _writer_socket(directory))
    from strongroom.store.postgres import PostgresBackend

    return PostgresBackend(where)


def _lone_backend(where: StoreUrl) -> Backend:
    if isinstance(where, SqliteUrl):
        from strongroom.store.sqlite import InlineSqliteBackend

        return InlineSqliteBackend(where.path)
    from strongroom.store.postgres import PostgresBackend

    return PostgresBackend(where)


def _key_manager(parameters: Mapping[str, Any]) -> Way:
    # The client library takes a while to load, and few need it.
    from strongroom.server.root.kmip import KeyManagerKey

    return KeyManagerKey(parameters)


def _apart(job: Callable[[], SecretBytes]) -> SecretBytes:
    """Return what is opened in a child process; raises RootKeyUnavailable."""

    def told() -> bytes:
        try:
            return b"+" + job().reveal()
        except RootKeyError as error:
            return b"-" + str(error).encode()

    try:
        result = result_apart(told)
    except OperatorError as error:
        raise RootKeyUnavailable(str(error)) from error
    if result is None:
        raise RootKeyUnavailable("the root key that is elsewhere could not be used; the log says why")
    if not result.startswith(b"+"):
        raise RootKeyUnavailable(result[1:].decode())
    return SecretBytes(result[1:])


def _writer_socket(directory: DataDirectory) -> Path:
    return directory.path / "writer.sock"


@contextmanager
def _for_the_operator() -> Iterator[None]:
    """Turn what adapters raise for the operator into the error that commands print."""
    try:
        yield
    except (RootKeySealed, RootKeyUnavailable) as error:
        raise Sealed(str(error)) from error
    except (RootKeyError, StoreUnavailable) as error:
        raise OperatorError(str(error)) from error
