"""The chain of audit events in a back end.

Rule: errors of the store are translated here, and nothing else.
"""

from collections.abc import Sequence

from strongroom.domain.audit import ChainedEvent
from strongroom.domain.chain import Head
from strongroom.domain.store_failures import StoreFailure
from strongroom.store.records import Backend, StoreUnavailable


class StoredAudit:
    """See `domain.audit.AuditChain`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def head(self) -> Head:
        try:
            return await self._backend.audit_head()
        except StoreUnavailable as error:
            raise StoreFailure(str(error)) from error

    async def after(self, position: int, maximum: int) -> Sequence[ChainedEvent]:
        try:
            return [ChainedEvent(*row) for row in await self._backend.audit_rows(position, maximum)]
        except StoreUnavailable as error:
            raise StoreFailure(str(error)) from error

    async def extend(self) -> int:
        try:
            return await self._backend.chain_events()
        except StoreUnavailable as error:
            raise StoreFailure(str(error)) from error
