"""Client records in a back end.

Rule: errors of the store are translated here, and nothing else; `store/clients.py` has the rows.
"""

from collections.abc import Sequence

from strongroom.domain.audit import Recording, encode_all
from strongroom.domain.clients import ClientChanged, ClientExists, ClientRecord
from strongroom.domain.store import StoreFailure
from strongroom.store import records
from strongroom.store.changes import changed
from strongroom.store.clients import to_record, to_row


class StoredClients:
    """See `domain.clients.ClientStore`."""

    def __init__(self, backend: records.Backend, recording: Recording | None = None) -> None:
        self._backend = backend
        self._recording = recording

    def recording(self, recording: Recording) -> "StoredClients":
        return StoredClients(self._backend, recording)

    async def clients(self) -> Sequence[ClientRecord]:
        try:
            return [to_record(row) for row in await self._backend.clients()]
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error

    async def put(self, record: ClientRecord) -> None:
        changes = records.ChangeSet(clients=[to_row(record)])
        if self._recording is not None:
            changes.events = encode_all([self._recording.event], changed(changes))
        try:
            await self._backend.commit(changes)
        except records.ClientExists as error:
            raise ClientExists from error
        except records.Conflict as error:
            raise ClientChanged from error
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error
        if self._recording is not None:
            self._recording.used = True
