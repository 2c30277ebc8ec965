"""How the root key of a record is opened, with what nobody has to be asked for.

Rule: one case for each provider. Who has to bring something, a passphrase or shares, is not asked here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from strongroom.domain.ports import RootKeyError, WrongRootKey
from strongroom.rootkey import file, passphrase, pkcs11
from strongroom.rootkey.elsewhere import ElsewhereRoot, Way
from strongroom.rootkey.place import Place
from strongroom.rootkey.record import RootRecord
from strongroom.rootkey.roots import Root, SoftwareRoot


def open_root(record: RootRecord, place: Place) -> Root | None:
    """Return the root key of a record, None when somebody has to bring what opens it; raises RootKeyError."""
    match record.provider:
        case "file":
            return _from_file(record, place)
        case "passphrase":
            given = place.passphrase()
            if given is None:
                return None
            return SoftwareRoot(passphrase.open_(record.parameters, given), record.generation)
        case "pkcs11":
            where = f"token {record.parameters.get('token')}"
            return _elsewhere(record, where, pkcs11.TokenKey)
        case "kmip":
            where = f"the key manager of {record.parameters.get('profile')}"
            return _elsewhere(record, where, place.kmip)
        case "shares":
            return None
        case other:
            raise RootKeyError(f"{place.book} names a provider {other!r} that this release has not")


def _from_file(record: RootRecord, place: Place) -> Root:
    # Renamed when its predecessor was not needed any more; a crash may have come right after that.
    for path in (place.next_key_file(record.generation), place.key_file):
        if path.exists():
            root = SoftwareRoot(file.read(path), record.generation)
            if root.id == record.id:
                return root
    secret = file.read(place.key_file)
    raise WrongRootKey(
        f"{place.key_file} holds root key {SoftwareRoot(secret, 1).id.hex()}, the data needs "
        f"{record.id.hex()} (generation {record.generation}); restore that one from its backup"
    )


def _elsewhere(record: RootRecord, where: str, find: Callable[[Mapping[str, Any]], Way]) -> Root:
    return ElsewhereRoot(record.generation, record.id, where, lambda: find(record.parameters))
