"""What a commit means for the clients that want to be told (KMIP 1.x §5.1-5.2, 2.x §6.2.2-6.2.3).

Rule: decided here, for every operation alike, and written in the same commit as the change. The owner of an
object is told: of an object that was made, with Put; of attributes that changed, whoever changed them, with
Notify. What the server counts by the way (uses, leases, freshness) is no event.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from strongroom.domain.entries import Entry, EntryChange, EntryStore, Kept
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.outgoing import DateWatch, Outgoing, Subscription
from strongroom.domain.store import Changes
from strongroom.model.attribute_list import AttributeKey
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import LinkType, Operation, State, Tag, Version

GIVE_UP: Final = timedelta(days=1)
"""How long a message waits for its client."""

_BY_THE_WAY: Final = frozenset({Tag.LAST_CHANGE_DATE, Tag.FRESH, Tag.USAGE_LIMITS, Tag.LEASE_TIME})


class Outbox:
    """Writes the messages that a commit makes due; `subscriptions` are by the name of the client."""

    def __init__(
        self,
        store: EntryStore,
        clients: Callable[[ClientId], ClientIdentity | None],
        subscriptions: Mapping[str, Subscription],
    ) -> None:
        self._store = store
        self._clients = clients
        self._subscriptions = subscriptions

    async def add(
        self, changes: Changes, sources: Iterable[ManagedObject], now: datetime, version: Version | None
    ) -> frozenset[int]:
        """Add messages to a commit and return the clients that they are for.

        `sources` are the changed objects as they were; `version` is that of the request.
        """
        if not self._subscriptions:
            return frozenset()
        before = {stored.unique_identifier: stored for stored in sources}
        told: set[int] = set()
        added: list[EntryChange] = []
        for obj in changes.objects:
            wanted = self.subscription(obj.owner)
            if wanted is None or obj.removed:
                continue
            message = _message(obj, before.get(obj.unique_identifier), wanted, now)
            if message is not None:
                said = message.replace(protocol_version=protocol_of(version))
                added.append(queued(said, obj.tenant, obj.owner, now))
                told.add(obj.owner)
            if wanted.notify:
                added += await self._watch(obj, now)
        changes.entries = [*changes.entries, *added]
        return frozenset(told)

    def subscription(self, client: int) -> Subscription | None:
        """Return what a client is to be told, None when nothing."""
        identity = self._clients(ClientId(client))
        return None if identity is None else self._subscriptions.get(identity.name)

    async def _watch(self, obj: ManagedObject, now: datetime) -> list[EntryChange]:
        """Return what makes the next date of an object known, or forgotten."""
        kept = await self._store.load_entry(DateWatch, obj.tenant, obj.unique_identifier)
        return watch(obj, kept, now)


def watch(obj: ManagedObject, kept: Kept[DateWatch] | None, now: datetime) -> list[EntryChange]:
    """Return what sets, moves or removes the watch `kept` over the dates of an object."""
    due = _next_date(obj, now)
    generation = 0 if kept is None else kept.generation
    after: Kept[Entry] | None = None
    if due is not None:
        after = Kept(
            tenant=obj.tenant, key=obj.unique_identifier, owner=obj.owner, value=DateWatch(), due=due
        )
    if after is None and kept is None:
        return []
    if after is not None and kept is not None and (kept.due, kept.owner) == (due, obj.owner):
        return []
    return [EntryChange(DateWatch, obj.tenant, obj.unique_identifier, generation, after)]


def queued(message: Outgoing, tenant: int, owner: int, now: datetime) -> EntryChange:
    """Return the change that lets a message wait, behind those that wait already."""
    key = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    kept = Kept(tenant=tenant, key=key, owner=owner, value=message, due=now + GIVE_UP)
    return EntryChange(Outgoing, tenant, key, 0, kept)


def protocol_of(version: Version | None) -> ProtocolVersion | None:
    """Return a version as messages have it."""
    if version is None:
        return None
    return ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor)


def _message(
    obj: ManagedObject, before: ManagedObject | None, wanted: Subscription, now: datetime
) -> Outgoing | None:
    """Return what the client is told of an object: Put when it is new or another in the same place."""
    if before is None:
        if not wanted.put or obj.material is None:
            return None
        replaced = obj.unique_identifier if obj.generation else _replaced(obj)
        return Outgoing(operation=Operation.PUT, unique_identifier=obj.unique_identifier, replaced=replaced)
    if not wanted.notify or not obj.essential:
        return None
    changed = _changed(before, obj, now)
    if not changed:
        return None
    return Outgoing(
        operation=Operation.NOTIFY,
        unique_identifier=obj.unique_identifier,
        changed=(*changed, Tag.LAST_CHANGE_DATE),
    )


def _replaced(obj: ManagedObject) -> UniqueIdentifier | None:
    """Return what an object was made to replace (Re-key and the like)."""
    return next(
        (
            UniqueIdentifier(str(link.linked_object_identifier))
            for link in obj.values(Tag.LINK)
            if link.link_type is LinkType.REPLACED_OBJECT_LINK
        ),
        None,
    )


def _changed(before: ManagedObject, obj: ManagedObject, now: datetime) -> list[AttributeKey]:
    """Return the attributes that are not what they were."""
    old = before.copy()
    old.settle(now)
    keys = dict.fromkeys([*old.attributes, *obj.attributes])
    found: list[AttributeKey] = [
        key for key in keys if key not in _BY_THE_WAY and old.attributes.get(key) != obj.attributes.get(key)
    ]
    if old.state is not obj.state:
        found.append(Tag.STATE)
    return found


def _next_date(obj: ManagedObject, now: datetime) -> datetime | None:
    """Return when a date changes the State of an object next."""
    dates = {State.PRE_ACTIVE: Tag.ACTIVATION_DATE, State.ACTIVE: Tag.DEACTIVATION_DATE}
    tag = None if obj.state is None else dates.get(obj.state)
    date: datetime | None = None if tag is None else obj.value(tag)
    return date if date is not None and date > now else None
