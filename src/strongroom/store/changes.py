"""Change sets as the rows that are written, table by table.

Rule: both back ends write what `flatten` returns and nothing else, so that they cannot differ in meaning.
"""

import hashlib
import json
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.domain.audit import GONE, Changed, ChangedEntry, named
from strongroom.domain.generation import Generation, as_read
from strongroom.store.records import MAX_TERM, ChangeSet, ClientRow, NameRow

Row: TypeAlias = tuple[Any, ...]

MAX_NAME: Final = 255
"""Bytes of a name that are kept as they are; a longer one is kept as its beginning and its digest."""


UNREADABLE: Final = ("",)
"""The groups of a client whose row was spoilt; a group that exists has a name."""


class Writes(NamedTuple):
    """Rows by table, in the order in which they are written. Plain tuples, lists, strings, bytes and
    integers.

    Each row of `updated`, `removed` and `inserted`, of objects and of entries, finds the write that it
    expects or the change set is a Conflict; each of `names_added` is free or it is NameTaken. What usually
    fails comes first; entries before names, since a request that was done already has taken its names, too.
    """

    updated: list[Row]
    """owner, generation, state, storage, usage_mask, activation_date, deactivation_date, store_key,
    attributes, sealed; tenant, unique_identifier, expected generation, its nonce"""
    removed: list[Row]
    """tenant, unique_identifier, expected generation, its nonce"""
    entries_updated: list[Row]
    """owner, generation, due, store_key, sealed; tenant, kind, key, expected generation, its nonce"""
    entries_removed: list[Row]
    """tenant, kind, key, expected generation, its nonce"""
    entries_inserted: list[Row]
    """the columns of EntryRow"""
    names_removed: list[Row]
    """tenant, owner, name key"""
    names_added: list[Row]
    """tenant, owner, name key"""
    inserted: list[Row]
    """the columns of ObjectRow"""
    clients_updated: list[Row]
    """tenant, name, fingerprint, groups, username, password_hash, enrolled_at, revoked_at, new revision,
    store_key, sealed; client, expected revision, its nonce"""
    clients_inserted: list[Row]
    """the columns of ClientRow; groups are JSON, the revision is the new one"""
    store_keys: list[Row]
    """store_key, wrapped, created_at"""
    store_keys_rewrapped: list[Row]
    """wrapped; store_key, wrapped before"""
    terms_removed: list[Row]
    """tenant, term, sequence"""
    terms_added: list[Row]
    """tenant, term, sequence"""
    events: list[Row]
    """event"""


def flatten(changes: ChangeSet) -> Writes:
    """Return the rows of a change set. Raises ValueError for a term that is too long to be indexed."""
    updated: list[Row] = []
    removed: list[Row] = []
    inserted: list[Row] = []
    names_removed: list[Row] = []
    names_added: list[Row] = []
    terms_removed: list[Row] = []
    terms_added: list[Row] = []
    for change in changes.objects:
        row = change.row
        sequence = row.sequence
        tenant = row.tenant
        if change.expected_generation is None:
            inserted.append(tuple(row))
        else:
            updated.append(
                (
                    row.owner,
                    row.generation,
                    *row[6:],
                    tenant,
                    row.unique_identifier,
                    *_plain(change.expected_generation),
                )
            )
        if change.terms_removed:
            terms_removed += [(tenant, term, sequence) for term in change.terms_removed]
        if change.terms_added:
            if max(map(len, change.terms_added)) > MAX_TERM:
                raise ValueError(f"an index term of more than {MAX_TERM} bytes")
            terms_added += [(tenant, term, sequence) for term in change.terms_added]
        if change.names_removed:
            names_removed += map(_name, change.names_removed)
        if change.names_added:
            names_added += map(_name, change.names_added)
    for removal in changes.removals:
        removed.append((removal.tenant, removal.unique_identifier, *_plain(removal.expected_generation)))
        terms_removed += [(removal.tenant, term, removal.sequence) for term in removal.terms]
        names_removed += map(_name, removal.names)
    if names_removed and names_added:
        # A name that moves from one object to another stays taken.
        names_removed, names_added = _without_common(names_removed, names_added)
    if terms_removed and terms_added:
        terms_removed, terms_added = _without_common(terms_removed, terms_added)
    return Writes(
        updated,
        removed,
        [(*row[3:], *row[:3], *_plain(expected)) for row, expected in changes.entry_updates],
        [(*removal[:3], *_plain(removal.expected_generation)) for removal in changes.entry_removals],
        [tuple(row) for row in changes.entries],
        names_removed,
        names_added,
        inserted,
        [
            (*_client(row)[1:], row.client, *_plain(as_read(row.revision)))
            for row in changes.clients
            if row.revision
        ],
        [_client(row) for row in changes.clients if not row.revision],
        [tuple(row) for row in changes.store_keys],
        [(row.wrapped, row.store_key, row.before) for row in changes.store_keys_rewrapped],
        terms_removed,
        terms_added,
        [(event,) for event in changes.events],
    )


def sealed_under(changes: ChangeSet) -> set[int]:
    """Return the store keys that have sealed the rows of a change set, or witness its events.

    None is above zero: those are of older releases, and seal nothing more (`store/sealing.py`).
    """
    used = {change.row.store_key for change in changes.objects}
    used.update(row.store_key for row in changes.entries)
    used.update(update.row.store_key for update in changes.entry_updates)
    used.update(row.store_key for row in changes.clients if row.store_key is not None)
    if changes.witnessed_under is not None:
        used.add(changes.witnessed_under)
    return {store_key for store_key in used if store_key < 0}


def changed(changes: ChangeSet) -> Changed:
    """Return what an audit event says of a change set: what there is after it."""
    return Changed(
        (
            *(
                (named(change.row.unique_identifier), change.row.generation, change.row.tenant)
                for change in changes.objects
            ),
            *((named(removal.unique_identifier), GONE, removal.tenant) for removal in changes.removals),
        ),
        (
            *(
                ChangedEntry(row.tenant, row.kind, named(row.key), row.generation)
                for row in (*changes.entries, *(update.row for update in changes.entry_updates))
            ),
            *(ChangedEntry(*removal[:2], named(removal.key), GONE) for removal in changes.entry_removals),
        ),
        tuple((row.client, row.revision + 1) for row in changes.clients),
    )


def name_key(name: str) -> bytes:
    """Return what stands for a name in the table of names; short enough for an index of either database."""
    encoded = name.encode()
    if len(encoded) <= MAX_NAME:
        return encoded
    return encoded[:MAX_NAME] + hashlib.sha256(encoded).digest()


def name_taken(changes: ChangeSet, key: bytes) -> str:
    """Return the name of the change set that has this key."""
    return next(
        row.name for change in changes.objects for row in change.names_added if name_key(row.name) == key
    )


def client_exists(name: str) -> str:
    """Return what a ClientExists says."""
    return f"the client {name} is enrolled already, or its key was enrolled before"


def _plain(expected: Generation) -> Row:
    """Return what a row is compared with. The writer process is sent no subclasses."""
    return int(expected), expected.nonce


def _name(row: NameRow) -> Row:
    return row.tenant, row.owner, name_key(row.name)


def _client(row: ClientRow) -> Row:
    """Return the row as it is stored, its revision counted up."""
    groups = json.dumps(list(row.groups), ensure_ascii=False)
    return (*row[:4], groups, *row[5:9], row.revision + 1, row.store_key, row.sealed)


def client_row(stored: Row) -> ClientRow:
    """Return the client of a stored row.

    One that somebody has spoilt must not keep the others out: groups that cannot be read become `UNREADABLE`,
    which no seal fits.
    """
    client, tenant, name, fingerprint, groups, *rest = stored
    try:
        read = tuple(map(str, json.loads(groups)))
    except (ValueError, TypeError):
        read = UNREADABLE
    return ClientRow(client, tenant, name, fingerprint, read, *rest)


def _without_common(removed: list[Row], added: list[Row]) -> tuple[list[Row], list[Row]]:
    common = set(removed) & set(added)
    if not common:
        return removed, added
    return [row for row in removed if row not in common], [row for row in added if row not in common]
