"""Rows for the tests of the store: plain values, each object unlike any other."""

import itertools
import os
import random
from collections.abc import Iterable
from typing import Any

from strongroom.store.records import Backend, ChangeSet, ClientRow, EntryRow, NameRow, ObjectChange, ObjectRow

_sequences = itertools.count(random.SystemRandom().getrandbits(61))


def row(tenant: int, **changes: Any) -> ObjectRow:
    """Return a fresh object of generation 1, on-line and Active."""
    sequence = next(_sequences)
    fresh = ObjectRow(
        sequence=sequence,
        unique_identifier=f"object-{sequence}",
        tenant=tenant,
        owner=1,
        generation=1,
        object_type=2,
        state=2,
        storage=1,
        usage_mask=12,
        activation_date=None,
        deactivation_date=None,
        store_key=1,
        attributes=b"attributes",
        sealed=os.urandom(48),
    )
    return fresh._replace(**changes)


def creation(
    new: ObjectRow, *, terms: Iterable[bytes] = (), names: Iterable[str] = (), events: Iterable[bytes] = ()
) -> ChangeSet:
    """Return the change set that creates the object."""
    change = ObjectChange(
        row=new,
        expected_generation=None,
        terms_added=list(terms),
        names_added=[NameRow(new.tenant, new.owner, name) for name in names],
    )
    return ChangeSet(objects=[change], events=list(events))


def update(old: ObjectRow, **changes: Any) -> ObjectChange:
    """Return the change to the next generation; keywords are columns, or fields of ObjectChange."""
    fields = {name: changes.pop(name) for name in list(changes) if name not in ObjectRow._fields}
    new = old._replace(generation=old.generation + 1, sealed=os.urandom(48), **changes)
    return ObjectChange(row=new, expected_generation=old.written, **fields)


async def generation_of(backend: Backend, tenant: int, unique_identifier: str) -> int | None:
    """Return the number of the current generation, None when there is no such object."""
    written = await backend.written(tenant, unique_identifier)
    return None if written is None else written[0]


def client(tenant: int, **changes: Any) -> ClientRow:
    """Return a client that is not enrolled yet."""
    number = next(_sequences)
    fresh = ClientRow(
        client=number,
        tenant=tenant,
        name=f"client-{number}",
        fingerprint=os.urandom(32).hex(),
        groups=("admins", "büro"),
        username=None,
        password_hash=None,
        enrolled_at=1_700_000_000,
        revoked_at=None,
    )
    return fresh._replace(**changes)


def entry(tenant: int, key: str, **changes: Any) -> EntryRow:
    """Return a new entry that is never due."""
    fresh = EntryRow(
        tenant=tenant,
        kind=1,
        key=key,
        owner=1,
        generation=1,
        due=None,
        store_key=1,
        sealed=os.urandom(48),
    )
    return fresh._replace(**changes)
