"""`root` and `recovery`: which root key the data is under.

Rule: a new root key is made by whoever calls; these commands let it take over.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.people import Role
from strongroom.domain.ports import RootKeyError, RootKeySealed, RootKeyUnavailable
from strongroom.model.secret import SecretBytes
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import Denied, NothingBegun, OperatorError
from strongroom.server.messages import BrokenMessage, Message, nested, optional_text, text
from strongroom.server.root.announcing import CAME_FIRST, announce_to_nodes, check_nothing_missed
from strongroom.server.root.change import HEARD_WITHIN, finish, settled, stale_keys
from strongroom.server.root.kits import give_to_nodes
from strongroom.server.root.waiting import wait_for_others


@command("server.reload", roles={Role.ADMINISTRATOR})
@command("server.seal", roles={Role.ADMINISTRATOR})
@command("server.unseal", roles={Role.ADMINISTRATOR})
async def recorded(admin: Administrator, request: Message) -> object:
    """Have it recorded that the server is sealed, open again, or has read its files again.

    `number` attempts to open it were refused before.

    The supervisor does it, since it is there when no worker is.
    """
    if admin.caller is not None:
        raise Denied("this is done on the machine of the server: strongroom server --help")
    return None


@command("root.status", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def status(admin: Administrator, request: Message) -> object:
    """Say which root keys there are, and how much is not wrapped by the newest yet."""
    root_key = admin.root_key
    root_key.follow()
    stale = await stale_keys(root_key, admin.wrapped)
    return {
        "generation": root_key.generation,
        "provider": root_key.provider,
        "changing": root_key.changing,
        "recovery": root_key.recovery,
        "root_keys": root_key.described(),
        "left": {name: len(keys) for name, keys in stale if keys},
    }


def _provider(request: Message) -> Message:
    """Return what people approve: not the key, which is a fresh one each time."""
    return {"provider": nested(request, "record").get("provider")}


_SAID: Final = {
    "file": (),
    "passphrase": (),
    "shares": ("threshold", "count"),
    "pkcs11": ("module", "token", "pin_file"),
    "kmip": ("profile",),
}
"""What says where a root key is, of the parameters in its record; by its provider."""


async def _where(admin: Administrator, request: Message) -> Message:
    """Return where the new root key will be."""
    record = nested(request, "record")
    provider, parameters = record.get("provider"), record.get("parameters")
    if not isinstance(parameters, dict) or not isinstance(provider, str) or provider not in _SAID:
        raise BrokenMessage("the record of the new root key cannot be read")
    where: Message = {name: parameters.get(name) for name in _SAID[provider]}
    if provider == "file":
        where["file"] = str(admin.directory.root_key)
    elif provider == "passphrase":
        where["file"] = str(admin.directory.root_keys)
    elif provider == "kmip":
        where |= _key_manager(Path(text(where, "profile")))
    return {"root_key": where}


def _key_manager(file: Path) -> Message:
    """Return which server a profile leads to; the profile may be another one when people have decided."""
    from strongroom.client.errors import InvalidSettings
    from strongroom.client.profile import load_profile

    try:
        profile = load_profile(file)
        authority = hashlib.sha256(profile.ca.read_bytes()).hexdigest()
    except InvalidSettings as error:
        raise OperatorError(str(error)) from error
    except OSError as error:
        raise OperatorError(f"cannot read {error.filename}: {error.strerror}") from error
    return {"servers": list(profile.servers), "ca_sha256": authority}


@command(
    "root.rotate",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=Act.ROOT,
    essence=_provider,
    facts=_where,
    local=True,
)
async def rotate(admin: Administrator, request: Message) -> object:
    """Let a new root key take over: `record` is what is written down of it, `secret` the key, in base64,
    unless it stays elsewhere."""
    try:
        encoded = optional_text(request, "secret")
        secret = None if encoded is None else SecretBytes(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        raise BrokenMessage("secret must be base64") from None
    record = nested(request, "record")
    try:
        await wait_for_others(admin.root_key)
        if admin.shared:
            await check_nothing_missed(admin.root_key, admin.wrapped)
            # First the others: before it wraps anything, they are to have it.
            wraps_from = int(admin.now.timestamp()) + HEARD_WITHIN
            prepared = admin.root_key.prepare(record, secret, wraps_from=wraps_from)
            await announce_to_nodes(prepared, admin.store, admin.now)
        else:
            prepared = admin.root_key.prepare(record, secret)
    except (RootKeySealed, RootKeyUnavailable):
        raise
    except RootKeyError as error:
        raise NothingBegun(str(error)) from error
    admin.root_key.adopt(prepared)
    if all(one["id"] != prepared["id"] for one in admin.root_key.described()):
        # Of a server among others this one was announced, and may take over all the same.
        raise OperatorError(CAME_FIRST) if admin.shared else NothingBegun(CAME_FIRST)
    return {"generation": admin.root_key.generation}


@command("root.finish", roles={Role.ADMINISTRATOR}, spreads=True, local=True)
async def finish_(admin: Administrator, request: Message) -> object:
    """Wrap again what is left. Every process of this server has heard of the newest root key by now, since
    the command before this one has told them; other nodes need a moment."""
    admin.root_key.follow()
    known = not admin.shared or settled(admin.root_key, admin.now)
    left = await finish(admin.root_key, admin.wrapped, everybody_knows=known)
    return {"generation": admin.root_key.generation, "finished": left == 0, "left": max(left, 0)}


@command(
    "recovery.create",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=Act.ROOT,
    essence=lambda _: {},
    local=True,
)
async def create(admin: Administrator, request: Message) -> object:
    """Wrap everything for a recovery kit too, from now on: `recipient` is who has it."""
    if admin.root_key.changing:
        raise NothingBegun("a root key is being replaced; make the kit when that is finished")
    recipient, number = text(request, "recipient"), 0
    try:
        await wait_for_others(admin.root_key)
        if admin.shared:
            # First the others: what they wrap meanwhile, this one would have to find.
            number = await give_to_nodes(recipient, admin.root_key, admin.store)
    except RootKeyError as error:
        raise NothingBegun(str(error)) from error
    admin.root_key.set_recovery(recipient, number)
    if admin.root_key.recovery_number > number:
        raise NothingBegun("another server has made a recovery kit after this one; keep that one")
    if admin.root_key.recovery != recipient:
        raise OperatorError(f"it cannot be told whether everything is wrapped for {recipient}; keep its kit")
    return {"recovery": admin.root_key.recovery}
