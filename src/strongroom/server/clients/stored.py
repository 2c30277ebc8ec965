"""Client records in a store, and the seals of those that an older release has made.

Rule: an unsealed record is believed once in the life of a data directory: at the first start after the
upgrade, and only while no record has a seal. From then on it is an alarm like any other broken seal.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from strongroom.domain.audit import Recording
from strongroom.domain.clients import ClientChanged, ClientName, ClientRecord, Seal
from strongroom.domain.entries import EntryChange
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.server.data_directory import write_public
from strongroom.server.kept import counted
from strongroom.server.logs import get_logger

log = get_logger()

_NOTE = b"Client records in the store are sealed since this file exists. Do not remove it.\n"


class StoredClients:
    """See `domain.clients.ClientStore`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def recording(self, recording: Recording) -> "StoredClients":
        return StoredClients(self._store.recording(recording))

    async def clients(self) -> Sequence[ClientRecord]:
        return await self._store.clients()

    async def claim(self, name: str) -> EntryChange:
        return await counted(self._store, ClientName, name, ClientName())

    async def put(self, record: ClientRecord, *, entries: Sequence[EntryChange] = ()) -> None:
        whole = dataclasses.replace(record, seal=Seal.WHOLE)
        try:
            await self._store.commit(Changes(clients=[whole], entries=entries))
        except LostRace as error:
            raise ClientChanged from error


async def seal_older_records(store: ObjectStore, marker: Path) -> None:
    """Seal what an older release has written, all in one commit; `marker` says that this was done.

    Raises StoreFailure, and OperatorError when the marker cannot be written.
    """
    while not _exists(marker):
        records = await store.clients()
        if records and all(record.seal is Seal.MISSING for record in records):
            sealed = [dataclasses.replace(record, seal=Seal.WHOLE) for record in records]
            try:
                await store.commit(Changes(clients=sealed))
            except LostRace:
                continue  # another process was faster
            log.info("clients_sealed", count=len(sealed))
        mark_sealed(marker)


def _exists(marker: Path) -> bool:
    return marker.exists()


def mark_sealed(marker: Path) -> None:
    """Say that no record without a seal is to be believed from now on."""
    write_public(marker, _NOTE)
