"""PKCS#11 applications that nobody ends.

Rule: what an application remembers is forgotten when its time is over. Objects of its sessions stay: only
their owner destroys objects.
"""

from datetime import datetime
from functools import partial
from typing import Final

from strongroom.domain.store import ObjectStore
from strongroom.engine.due import each_due
from strongroom.engine.entries import forget
from strongroom.operations.pkcs11.state import Application

_PAGE: Final = 1000


class Applications:
    """The applications of every client."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def tidy(self, now: datetime) -> None:
        """Forget applications that have expired. Raises StoreFailure."""
        await each_due(self._store, Application, now, _PAGE, partial(forget, self._store))
