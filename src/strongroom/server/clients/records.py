"""Enrolling, listing and revoking clients.

Rule: what an administrator may do to client records is decided here, for a live server and for a data
directory without one alike. Names are compared as they are written; one that could be mistaken is refused.
"""

import dataclasses
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509

from strongroom.domain.clients import (
    MAX_CERTIFICATES,
    ClientCertificate,
    ClientChanged,
    ClientExists,
    ClientRecord,
    ClientStore,
    Seal,
)
from strongroom.domain.entries import EntryChange
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, TenantId
from strongroom.server.certificates.ca import fingerprint as spki_fingerprint
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.messages import Message
from strongroom.server.shared import COUNTED, GUESTS

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
_ATTEMPTS: Final = 8

LARGEST_NUMBER: Final = 1 << 53
"""What every reader of JSON can hold."""


def check_name(name: str, what: str = "client name") -> str:
    """Return `name` if it can be one: ASCII letters, digits and `._@+-`, at most 64; raises InvalidOption."""
    if not _NAME.fullmatch(name):
        raise InvalidOption(
            f"{name!r} cannot be a {what}; use 1 to 64 letters, digits and ._@+- that begin and end with a "
            "letter or digit"
        )
    return name


async def nothing_else() -> Sequence[EntryChange]:
    """Return no entries that change together with a record."""
    return ()


async def enrol(
    store: ClientStore,
    *,
    name: str,
    fingerprint: str,
    groups: Sequence[str],
    username: str | None,
    password_hash: str | None,
    now: datetime,
    certificate: ClientCertificate | None = None,
    tenant: TenantId = DEFAULT_TENANT,
    together_with: Callable[[], Awaitable[Sequence[EntryChange]]] = nothing_else,
) -> ClientRecord:
    """Store a new client and return its record; raises OperatorError when the name or key is taken.

    A name means one client on the whole server, whatever the tenant. `together_with` says, each time that it
    is tried, what else is committed with it; it raises what stops it.
    """
    check_name(name)
    for group in groups:
        check_name(group, "group")
    for _ in range(_ATTEMPTS):
        claim = await store.claim(name)
        records = await store.clients()
        if any(record.name == name and record.revoked_at is None for record in records):
            raise OperatorError(
                f"client {name} is enrolled already; revoke it first (strongroom client revoke {name}), "
                "or use another name"
            )
        if is_known(records, fingerprint):
            raise OperatorError("this key was enrolled before; use a new one")
        record = ClientRecord(
            client=new_number(records),
            tenant=tenant,
            name=name,
            fingerprint=fingerprint,
            groups=tuple(sorted(set(groups))),
            username=username,
            password_hash=password_hash,
            enrolled_at=now,
            certificates=() if certificate is None else (certificate,),
        )
        try:
            await store.put(record, entries=(claim, *await together_with()))
        except (ClientExists, ClientChanged):
            # Another node enrolled somebody at the same moment: the number, or the name, is taken now.
            continue
        return record
    raise OperatorError(f"client {name} could not be enrolled: the store keeps changing; try again")


async def enrolled_already(
    store: ClientStore,
    *,
    name: str,
    fingerprint: str,
    groups: Sequence[str],
    username: str | None,
    tenant: TenantId,
) -> ClientRecord | None:
    """Return the client in force that was enrolled like this with this key, None when there is none."""
    for record in await store.clients():
        if (
            record.revoked_at is None
            and record.seal is Seal.WHOLE
            and len(record.certificates) < MAX_CERTIFICATES
            and (record.name, record.fingerprint, record.username) == (name, fingerprint, username)
            and (record.groups, record.tenant) == (tuple(sorted(set(groups))), tenant)
        ):
            return record
    return None


async def certify_again(
    store: ClientStore, record: ClientRecord, certificate: ClientCertificate
) -> ClientRecord:
    """Remember another certificate for the key of a client, and return its record; raises OperatorError."""
    changed = dataclasses.replace(record, certificates=(*record.certificates, certificate))
    try:
        await store.put(changed)
    except ClientChanged:
        raise OperatorError(f"client {record.name} was changed meanwhile; try again") from None
    return changed


def new_number(records: Sequence[ClientRecord]) -> ClientId:
    """Return a number that no client has, nor ever had.

    It is drawn at random: objects and rules name clients by their number, so the next number in a row would
    belong to whoever is enrolled next, once somebody had taken the last record out of the database. In the
    shared counts (`server/shared.py`) it has a cell of its own as long as there are some.
    """
    taken = {record.client % COUNTED for record in records} | set(range(COUNTED - GUESTS, COUNTED))
    while True:
        number = secrets.randbelow(LARGEST_NUMBER - COUNTED) + COUNTED
        if number % COUNTED not in taken or len(taken) > COUNTED // 2:
            return ClientId(number)


def is_known(records: Sequence[ClientRecord], fingerprint: str) -> bool:
    """Tell whether a key is, or ever was, that of a client."""
    return any(fingerprint in record.keys for record in records)


def known_certificate(certificate: x509.Certificate, authority: x509.Certificate | None) -> ClientCertificate:
    """Return what a record remembers of a certificate; `authority` has issued it, None if that is unknown."""
    return ClientCertificate(
        fingerprint=spki_fingerprint(certificate.public_key()),
        authority="" if authority is None else spki_fingerprint(authority.public_key()),
        serial=certificate.serial_number,
        ends_at=certificate.not_valid_after_utc,
    )


async def in_force(store: ClientStore, name: str) -> ClientRecord:
    """Return the client in force that has this name; raises NotFound."""
    for record in await store.clients():
        if record.name == name and record.revoked_at is None:
            return record
    raise NotFound(f"there is no client {name} in force; list them: strongroom client list")


async def renew(
    store: ClientStore,
    name: str,
    certificate: ClientCertificate,
    *,
    old_until: datetime | None,
    together_with: Callable[[], Awaitable[Sequence[EntryChange]]] = nothing_else,
) -> ClientRecord:
    """Give a client a new key; the old one is good until `old_until`, None ends it now.

    `together_with` as for `enrol`. Raises NotFound and OperatorError.
    """
    for _ in range(_ATTEMPTS):
        record = await in_force(store, name)
        if record.seal is not Seal.WHOLE:
            raise OperatorError(
                f"the record of {name} was changed in the database; find out by whom, then revoke the client"
            )
        if is_known(await store.clients(), certificate.fingerprint):
            raise OperatorError("this key was enrolled before; use a new one")
        changed = record.with_key(certificate, old_until=old_until)
        entries = await together_with()
        try:
            await (store.put(changed, entries=entries) if entries else store.put(changed))
        except (ClientExists, ClientChanged):
            continue
        return changed
    raise OperatorError(f"client {name} could not be renewed: the store keeps changing; try again")


async def revoke(store: ClientStore, name: str, now: datetime) -> ClientRecord:
    """Revoke the client in force that has this name and return its record; raises NotFound."""
    for _ in range(_ATTEMPTS):
        found = [record for record in await store.clients() if record.name == name]
        in_force = [record for record in found if record.revoked_at is None]
        if not found:
            raise NotFound(f"there is no client {name}; list them: strongroom client list")
        if not in_force:
            raise NotFound(f"client {name} is revoked already")
        record = dataclasses.replace(in_force[0], revoked_at=now)
        try:
            await store.put(record)
        except ClientChanged:
            continue
        return record
    raise OperatorError(f"client {name} could not be revoked: the store keeps changing; try again")


def to_message(record: ClientRecord) -> Message:
    """Return what an administrator may see of a record: not the password hash."""
    return {
        "name": record.name,
        "number": int(record.client),
        "fingerprint": record.fingerprint,
        "groups": list(record.groups),
        "username": record.username,
        "enrolled_at": record.enrolled_at.isoformat(),
        "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
        "ends_at": None if record.ends_at is None else record.ends_at.isoformat(),
        "seal": record.seal.value,
        "authority": next(
            (one.authority for one in record.certificates if one.fingerprint == record.fingerprint), None
        ),
    }
