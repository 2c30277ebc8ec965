"""Making a root key, for any provider.

Rule: it is made in the process of whoever asks for it, since what belongs to a person (shares) has to be in
their hands before anything depends on it.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import passphrase, pkcs11, shares
from strongroom.rootkey.place import PROVIDERS
from strongroom.rootkey.record import RootRecord
from strongroom.rootkey.roots import key_id, new_secret


class ImpossibleSplit(RootKeyError):
    """So many shares cannot be made, or cannot be needed."""


class NewRoot(NamedTuple):
    """A root key that was made. `secret` is None for one that stays elsewhere.

    `shares` are lines to be given out.
    """

    record: RootRecord
    secret: SecretBytes | None
    shares: tuple[SecretBytes, ...] = ()

    @property
    def described(self) -> dict[str, object]:
        """Return the record as JSON has it."""
        return self.record.to_json()


def make(
    provider: str,
    generation: int,
    options: Mapping[str, Any],
    *,
    kmip: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> NewRoot:
    """Make a root key. Raises RootKeyError, of shares ImpossibleSplit.

    `options`: passphrase (SecretBytes); shares (`M/N`); module, token and pin_file of a token; profile of
    another key manager, in which `kmip` makes the key.
    """
    now = int(time.time())

    def record(root_id: bytes, parameters: Mapping[str, Any]) -> RootRecord:
        return RootRecord(
            generation=generation, id=root_id, provider=provider, created_at=now, parameters=parameters
        )

    secret = new_secret()
    match provider:
        case "file":
            return NewRoot(record(key_id(secret), {}), secret)
        case "passphrase":
            given = _needed(options, "passphrase", provider)
            passphrase.check_new(given)
            return NewRoot(record(key_id(secret), passphrase.seal(secret, given)), secret)
        case "shares":
            try:
                split = shares.Split.parse(str(_needed(options, "shares", provider)))
            except ValueError as error:
                raise ImpossibleSplit(str(error)) from error
            root_id = key_id(secret)
            parts = shares.split_up(secret, split, kind=shares.ROOT, set_id=root_id.hex())
            made = record(root_id, shares.parameters(parts))
            return NewRoot(made, secret, tuple(part.text for part in parts))
        case "pkcs11":
            wanted = {name: str(_needed(options, name, provider)) for name in ("module", "token", "pin_file")}
            wanted["pin_file"] = os.path.abspath(wanted["pin_file"])
            return NewRoot(record(os.urandom(8), pkcs11.create(wanted)), None)
        case "kmip":
            wanted = {"profile": os.path.abspath(str(_needed(options, "profile", provider)))}
            return NewRoot(record(os.urandom(8), kmip(wanted)), None)
        case other:
            raise RootKeyError(
                f"there is no root key provider {other!r}; choose one of: {', '.join(PROVIDERS)}"
            )


def _needed(options: Mapping[str, Any], name: str, provider: str) -> Any:
    value = options.get(name)
    if value is None:
        raise RootKeyError(f"the root key provider {provider} needs {name}")
    return value
