"""Client records in a back end.

Rule: errors of the store are translated here, and nothing else; `store/clients.py` has the rows.
"""

from collections.abc import Sequence

from strongroom.domain.clients import ClientChanged, ClientExists, ClientRecord
from strongroom.domain.store import StoreFailure
from strongroom.store import records
from strongroom.store.clients import to_record, to_row


class StoredClients:
    """See `domain.clients.ClientStore`."""

    def __init__(self, backend: records.Backend) -> None:
        self._backend = backend

    async def clients(self) -> Sequence[ClientRecord]:
        try:
            return [to_record(row) for row in await self._backend.clients()]
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error

    async def put(self, record: ClientRecord) -> None:
        try:
            await self._backend.commit(records.ChangeSet(clients=[to_row(record)]))
        except records.ClientExists as error:
            raise ClientExists from error
        except records.Conflict as error:
            raise ClientChanged from error
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error
