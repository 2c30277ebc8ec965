"""`backup`: what a backup cannot take from the files, and the signature of the server.

Rule: store keys leave this process encrypted to those who are to open the backup, and never otherwise. Giving
them is recorded before they are given. Whom a tenant wants asked before material is exported is asked, too,
unless it is the recovery kit that will open the backup.
"""

import re
import secrets
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.backups import KeysGiven
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import Administrator, command
from strongroom.server.audit_key import open_audit_key
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, optional_text, text, texts

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOMENT: Final = timedelta(minutes=1)


async def _act(admin: Administrator, request: Message) -> Act | None:
    """Tell whether people have to agree: not for the recovery kit, which they have agreed to keep."""
    given = set(texts(request, "recipients"))
    if not given or given == {admin.root_key.prove_recovery()}:
        return None
    return Act.EXPORT if await _begun_at(admin, request) is None else None


async def _begun_at(admin: Administrator, request: Message) -> datetime | None:
    """Return when these recipients were first given the keys for a backup that is begun `again`, since files
    have changed before it had them; None for any other one. It is a moment ago, and people agreed then."""
    name = optional_text(request, "again")
    kept = None if name is None else await admin.store.load_entry(KeysGiven, SYSTEM_TENANT, name)
    if kept is None or set(kept.value.recipients) != set(texts(request, "recipients")):
        return None
    return kept.value.given_at if admin.now - kept.value.given_at <= _MOMENT else None


def _recipients(request: Message) -> Message:
    """Return what people approve: who gets the keys."""
    return {"recipients": sorted(texts(request, "recipients"))}


@command("backup.keys", roles={Role.ADMINISTRATOR}, approval=_act, essence=_recipients, local=True)
async def keys(admin: Administrator, request: Message) -> object:
    """Return the store keys and every other secret, encrypted; for whom, the numbers of the keys, and a new
    name. `recipients` may be empty: then it is the recovery kit that opens them."""
    # No other command needs them.
    from strongroom.server.backup.encryption import check_recipients, encrypt
    from strongroom.server.backup.parts import open_sealed
    from strongroom.server.backup.secrets import pack

    kit, given = admin.root_key.prove_recovery(), texts(request, "recipients")
    if not given and kit is None:
        raise OperatorError(
            f"a backup needs somebody who can open it: {admin.directory.recovery} is missing, so name an age"
            " recipient with --recipient age1..."
        )
    recipients = check_recipients(given or [str(kit)])
    store_keys = {
        number: admin.root_key.unwrap(wrapped)
        for number, wrapped in (await admin.store.wrapped_keys()).items()
    }
    files = dict(open_sealed(admin.directory, admin.root_key))
    name = f"{admin.now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    record = Kept(
        tenant=SYSTEM_TENANT,
        key=name,
        owner=0,
        value=KeysGiven(given_at=await _begun_at(admin, request) or admin.now, recipients=recipients),
    )
    try:
        await admin.store.commit(Changes(entries=[EntryChange(KeysGiven, SYSTEM_TENANT, name, 0, record)]))
    except LostRace:
        raise OperatorError("another backup is being made; try again") from None
    return {
        "backup": name,
        "recipients": list(recipients),
        "secrets": b64encode(encrypt(pack(store_keys, files), recipients)).decode("ascii"),
        "store_keys": sorted(store_keys),
    }


@command("backup.sign", roles={Role.ADMINISTRATOR}, local=True)
async def sign(admin: Administrator, request: Message) -> object:
    """Return the signature of a backup that was given keys before, and the name of the key; `digest` is the
    SHA-256 of its content, in hex."""
    from strongroom.server.backup.signature import statement

    name, digest = text(request, "backup"), text(request, "digest")
    if await admin.store.load_entry(KeysGiven, SYSTEM_TENANT, name) is None:
        raise OperatorError(f"no backup called {name!r} was given keys here; make it again")
    if not _SHA256.fullmatch(digest):
        raise OperatorError("the digest of a backup is a SHA-256 in hex")
    key = open_audit_key(admin.directory, admin.root_key)
    return {"key": key.public.id, "signature": key.sign(statement(bytes.fromhex(digest))).hex()}
