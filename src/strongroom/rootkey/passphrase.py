"""A root key that a passphrase opens.

Rule: the root key is random; the passphrase, stretched by Argon2id, only seals it, so that the record can lie
beside the data. The parameters are stored with it, and older ones keep working when the defaults grow.
"""

import base64
import binascii
import os
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.roots import KEY_SIZE, NONCE_SIZE

# The second choice of RFC 9106 §4, with twice its memory: about a third of a second on one core.
TIME_COST: Final = 3
MEMORY_KIB: Final = 128 * 1024
LANES: Final = 4
SALT_SIZE: Final = 16

# What a damaged record may ask for at most; without, it could take all memory of the machine.
_MOST_TIME: Final = 64
_MOST_MEMORY_KIB: Final = 4 << 20
_MOST_LANES: Final = 64

SHORTEST: Final = 12
"""Characters of a new passphrase at least. Stretching slows guessing down; it does not make up for a word."""

_BOUND: Final = b"strongroom root key under a passphrase"


class WrongPassphrase(RootKeyError):
    """The passphrase does not open this root key."""


def check_new(passphrase: SecretBytes) -> None:
    """Return if a passphrase may protect a root key. Raises RootKeyError."""
    if len(passphrase.reveal().decode(errors="replace")) < SHORTEST:
        raise RootKeyError(
            f"the passphrase is too short; take {SHORTEST} characters or more, several words say"
        )


def seal(secret: SecretBytes, passphrase: SecretBytes) -> dict[str, Any]:
    """Return the parameters of a record: the root key sealed, and how to open it."""
    salt = os.urandom(SALT_SIZE)
    key = _stretch(passphrase, salt, TIME_COST, MEMORY_KIB, LANES)
    nonce = os.urandom(NONCE_SIZE)
    sealed = nonce + AESGCM(key.reveal()).encrypt(nonce, secret.reveal(), _BOUND)
    return {
        "kdf": "argon2id",
        "time_cost": TIME_COST,
        "memory_kib": MEMORY_KIB,
        "lanes": LANES,
        "salt": base64.b64encode(salt).decode(),
        "sealed": base64.b64encode(sealed).decode(),
    }


def open_(parameters: Mapping[str, Any], passphrase: SecretBytes) -> SecretBytes:
    """Return the root key. Raises WrongPassphrase; RootKeyError for a damaged record."""
    try:
        time, memory, lanes = (int(parameters[name]) for name in ("time_cost", "memory_kib", "lanes"))
        salt = base64.b64decode(parameters["salt"], validate=True)
        sealed = base64.b64decode(parameters["sealed"], validate=True)
        if parameters["kdf"] != "argon2id":
            raise ValueError("unknown key derivation")
        if not (0 < time <= _MOST_TIME and 0 < memory <= _MOST_MEMORY_KIB and 0 < lanes <= _MOST_LANES):
            raise ValueError("costs out of range")
        key = _stretch(passphrase, salt, time, memory, lanes)
    except (KeyError, ValueError, TypeError, binascii.Error, HashingError) as error:
        raise RootKeyError(
            "the record of the root key is damaged; restore root.json from its backup"
        ) from error
    try:
        return SecretBytes(AESGCM(key.reveal()).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], _BOUND))
    except (InvalidTag, ValueError) as error:
        raise WrongPassphrase("this passphrase does not open the root key") from error


def _stretch(passphrase: SecretBytes, salt: bytes, time: int, memory: int, lanes: int) -> SecretBytes:
    # The same characters typed on another system may come as other bytes.
    typed = unicodedata.normalize("NFC", passphrase.reveal().decode(errors="surrogateescape"))
    secret = typed.encode(errors="surrogateescape")
    return SecretBytes(
        hash_secret_raw(
            secret,
            salt,
            time_cost=time,
            memory_cost=memory,
            parallelism=lanes,
            hash_len=KEY_SIZE,
            type=Type.ID,
        )
    )
