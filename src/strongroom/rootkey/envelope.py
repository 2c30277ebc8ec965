"""How a wrapped key is written down.

Rule: what is wrapped says which generation of the root key has wrapped it, in clear and authenticated. The
encoding is part of what is stored: it may change only under a new version byte.

    2   version (1 byte), generation (4), id of the root key (8), bytes of what it sealed (2), that,
        then, where there is a recovery kit: tag of its recipient (8 bytes), the key for it (age)
    1   version (1 byte), id of the root key (8), what it sealed; read only, generation 1
"""

import hashlib
import struct
from typing import Final, NamedTuple

from strongroom.domain.ports import RootKeyError

ID_SIZE: Final = 8
TAG_SIZE: Final = 8

_HEAD: Final = struct.Struct(f">BI{ID_SIZE}sH")
_VERSION: Final = 2
_FIRST_VERSION: Final = 1
_FIRST_HEAD: Final = 1 + ID_SIZE
_FIRST_SIZE: Final = _FIRST_HEAD + 12 + 32 + 16


class ForRecovery(NamedTuple):
    """A key, once more, for the holder of a recovery kit. `tag` names the kit."""

    tag: bytes
    sealed: bytes


class Envelope(NamedTuple):
    """A wrapped key, taken apart. `associated` is what the root key has to authenticate beside it."""

    generation: int
    root_id: bytes
    sealed: bytes
    recovery: ForRecovery | None
    associated: bytes


def associated_data(generation: int, root_id: bytes, recovery: ForRecovery | None) -> bytes:
    """Return what binds the sealed key to its surroundings, so that none of it can be exchanged."""
    attached = b"" if recovery is None else recovery.tag + recovery.sealed
    return _HEAD.pack(_VERSION, generation, root_id, 0) + hashlib.sha256(attached).digest()


def pack(generation: int, root_id: bytes, sealed: bytes, recovery: ForRecovery | None) -> bytes:
    """Return a wrapped key as it is stored."""
    head = _HEAD.pack(_VERSION, generation, root_id, len(sealed))
    return head + sealed + (b"" if recovery is None else recovery.tag + recovery.sealed)


def parse(wrapped: bytes) -> Envelope:
    """Take a wrapped key apart. Raises RootKeyError."""
    match wrapped[:1]:
        case b"\x01" if len(wrapped) == _FIRST_SIZE:
            head = wrapped[:_FIRST_HEAD]
            return Envelope(1, head[1:], wrapped[_FIRST_HEAD:], None, head)
        case b"\x02" if len(wrapped) > _HEAD.size:
            _, generation, root_id, size = _HEAD.unpack_from(wrapped)
            sealed, attached = wrapped[_HEAD.size : _HEAD.size + size], wrapped[_HEAD.size + size :]
            if len(sealed) == size and (not attached or len(attached) > TAG_SIZE):
                recovery = ForRecovery(attached[:TAG_SIZE], attached[TAG_SIZE:]) if attached else None
                associated = associated_data(generation, root_id, recovery)
                return Envelope(generation, root_id, sealed, recovery, associated)
    raise damaged()


def damaged() -> RootKeyError:
    """Return the error for a wrapped key that is not what was stored."""
    return RootKeyError("a wrapped key is damaged; restore it from a backup")
