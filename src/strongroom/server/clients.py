"""Enrolling, listing and revoking clients.

Rule: what an administrator may do to client records is decided here, for a live server and for a data
directory without one alike. Names are compared as they are written; one that could be mistaken is refused.
"""

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from strongroom.domain.clients import ClientChanged, ClientExists, ClientRecord, ClientStore
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, TenantId
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.messages import Message

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
_ATTEMPTS: Final = 8


def check_name(name: str, what: str = "client name") -> str:
    """Return `name` if it can be one: ASCII letters, digits and `._@+-`, at most 64; raises OperatorError."""
    if not _NAME.fullmatch(name):
        raise OperatorError(
            f"{name!r} cannot be a {what}; use 1 to 64 letters, digits and ._@+- that begin and end with a "
            "letter or digit"
        )
    return name


async def enrol(
    store: ClientStore,
    *,
    name: str,
    fingerprint: str,
    groups: Sequence[str],
    username: str | None,
    password_hash: str | None,
    now: datetime,
    tenant: TenantId = DEFAULT_TENANT,
) -> ClientRecord:
    """Store a new client and return its record; raises OperatorError when the name or key is taken.

    A name means one client on the whole server, whatever the tenant.
    """
    check_name(name)
    for group in groups:
        check_name(group, "group")
    for _ in range(_ATTEMPTS):
        records = await store.clients()
        if any(record.name == name and record.revoked_at is None for record in records):
            raise OperatorError(
                f"client {name} is enrolled already; revoke it first (strongroom client revoke {name}), "
                "or use another name"
            )
        if any(record.fingerprint == fingerprint for record in records):
            raise OperatorError("this key was enrolled before; use a new one")
        record = ClientRecord(
            client=ClientId(max((record.client for record in records), default=0) + 1),
            tenant=tenant,
            name=name,
            fingerprint=fingerprint,
            groups=tuple(sorted(set(groups))),
            username=username,
            password_hash=password_hash,
            enrolled_at=now,
        )
        try:
            await store.put(record)
        except (ClientExists, ClientChanged):
            # Another node enrolled somebody at the same moment: the number, or the name, is taken now.
            continue
        return record
    raise OperatorError(f"client {name} could not be enrolled: the store keeps changing; try again")


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
        "fingerprint": record.fingerprint,
        "groups": list(record.groups),
        "username": record.username,
        "enrolled_at": record.enrolled_at.isoformat(),
        "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
        "ends_at": None if record.ends_at is None else record.ends_at.isoformat(),
        "seal": record.seal.value,
    }
