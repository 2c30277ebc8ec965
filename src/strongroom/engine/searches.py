"""Searches of one unit of work.

Rule: what the caller may not see is left out here, in the query itself where the store knows of it. What the
unit of work has changed is found as it is now, not as it is stored.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from strongroom.attributes.rules import matches
from strongroom.domain.access import in_sight, may, reaches, restricted
from strongroom.domain.identity import ClientIdentity, Grant
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.sight import own
from strongroom.domain.store import Found, ObjectQuery, ObjectStore
from strongroom.domain.turn import Pace
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Tag


class Wanted(NamedTuple):
    """What to find. `storage` is a Storage Status Mask, `maximum` None for all; `mine`: the caller's own."""

    filters: Sequence[AttributeInstance]
    storage: int
    permission: Permission
    maximum: int | None
    offset: int = 0
    oldest_first: bool = False
    mine: bool = False

    def of(self, identifiers: list[UniqueIdentifier]) -> Found:
        """Return the part of all that fits."""
        end = None if self.maximum is None else self.offset + self.maximum
        return Found(identifiers[self.offset : end], len(identifiers))


class Searches:
    """Finds objects, and knows what the answers depend on beside the objects found.

    `version` is that of the store before the first search, None when there was none or the store does not
    tell. `lasting`: searched again in an unchanged store, at any time, they would find the same.
    """

    __slots__ = ("_caller", "_now", "_store", "lasting", "version")

    def __init__(self, store: ObjectStore, caller: ClientIdentity, now: datetime) -> None:
        self._store = store
        self._caller = caller
        self._now = now
        self.version: int | None = None
        self.lasting = True

    async def find(
        self, wanted: Wanted, loaded: Mapping[str, ManagedObject], grants: tuple[Grant, ...] | None
    ) -> Found:
        """Find what the caller may see; `grants` are those of its ticket, None without one."""
        if grants is None and not restricted(self._caller):
            return await self._in_sight(wanted, loaded)
        if restricted(self._caller):
            self.lasting = False  # what is restricted by its State changes with time
        found = await self._in_sight(wanted._replace(maximum=None, offset=0), loaded)
        return wanted.of(await self._covered(found.unique_identifiers, wanted.permission, loaded, grants))

    async def _in_sight(self, wanted: Wanted, loaded: Mapping[str, ManagedObject]) -> Found:
        if self.version is None and self.lasting:
            self.version = await self._store.version()
        if self.version is None or any(f.key is Tag.STATE for f in wanted.filters):
            self.lasting = False
        caller = self._caller
        pending = [o for o in loaded.values() if o.changed]
        query = ObjectQuery(
            tenant=caller.tenant,
            sight=own(caller.client) if wanted.mine else in_sight(caller, wanted.permission),
            now=self._now,
            filters=wanted.filters,
            storage=wanted.storage,
            excluded=tuple(o.unique_identifier for o in pending),
            maximum=None if pending else wanted.maximum,
            offset=0 if pending else wanted.offset,
            oldest_first=wanted.oldest_first,
        )
        found = await self._store.locate(query)
        if not pending:
            return found
        fitting = [
            o
            for o in pending
            if o.storage & wanted.storage
            and not o.removed
            and may(caller, wanted.permission, o, self._now)
            and (o.owner == caller.client or not wanted.mine)
            and matches(o, wanted.filters, self._now)
        ]
        fitting.sort(key=lambda o: o.sequence, reverse=not wanted.oldest_first)
        # What this batch changed is among the newest in practice, so it is taken to be newer than the rest.
        changed, stored = [o.unique_identifier for o in fitting], found.unique_identifiers
        return wanted.of(stored + changed if wanted.oldest_first else changed + stored)

    async def _covered(
        self,
        identifiers: list[UniqueIdentifier],
        permission: Permission,
        loaded: Mapping[str, ManagedObject],
        grants: tuple[Grant, ...] | None,
    ) -> list[UniqueIdentifier]:
        """Return what the caller's ticket and restrictions leave over, which the store knows nothing of."""
        opened = restricted(self._caller) or any(grant.groups is not None for grant in grants or ())
        covered = []
        pace = Pace()
        for identifier in identifiers:
            await pace()
            reached = grants is None or reaches(grants, identifier, None)
            if opened:
                obj = loaded.get(identifier) or await self._store.load(self._caller.tenant, identifier)
                reached = (
                    obj is not None
                    and may(self._caller, permission, obj, self._now)
                    and (reached or reaches(grants or (), identifier, obj))
                )
            if reached:
                covered.append(identifier)
        return covered
