"""`backup`: what a backup cannot take from the files.

Rule: store keys leave this process encrypted to those who are to open the backup, and never otherwise. Giving
them is recorded before they are given.
"""

from base64 import b64encode

from strongroom.domain.acts import Act
from strongroom.domain.backups import KeysGiven
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, text, texts


def _recipients(request: Message) -> Message:
    """Return what people approve: who gets the keys, whatever this backup is called."""
    return {"recipients": sorted(texts(request, "recipients"))}


@command("backup.keys", roles={Role.ADMINISTRATOR}, approval=Act.EXPORT, essence=_recipients, local=True)
async def keys(admin: Administrator, request: Message) -> object:
    """Return the store keys and every other secret, encrypted; and the numbers of the keys."""
    # No other command needs them.
    from strongroom.server.backup.encryption import check_recipients, encrypt
    from strongroom.server.backup.parts import open_sealed
    from strongroom.server.backup.secrets import pack

    backup = text(request, "backup")
    recipients = check_recipients(texts(request, "recipients"))
    store_keys = {
        number: admin.root_key.unwrap(wrapped)
        for number, wrapped in (await admin.store.wrapped_keys()).items()
    }
    files = dict(open_sealed(admin.directory, admin.root_key))
    record = Kept(
        tenant=SYSTEM_TENANT,
        key=backup,
        owner=0,
        value=KeysGiven(given_at=admin.now, recipients=recipients),
    )
    try:
        await admin.store.commit(Changes(entries=[EntryChange(KeysGiven, SYSTEM_TENANT, backup, 0, record)]))
    except LostRace:
        raise OperatorError(f"there is a backup {backup} already") from None
    return {
        "secrets": b64encode(encrypt(pack(store_keys, files), recipients)).decode("ascii"),
        "store_keys": sorted(store_keys),
    }
