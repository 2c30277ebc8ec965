"""What is secret in a backup, as one piece of bytes that is encrypted a second time.

Rule: whoever reads the stream of a backup (a verifier, a restore that fails) sees no key before this is
opened on purpose.
"""

from collections.abc import Mapping
from typing import NamedTuple

from strongroom.domain.backups import Row
from strongroom.model.secret import SecretBytes
from strongroom.server.backup.archive import ArchiveError, decode_rows, encode_row

_STORE_KEY = "store key"
_FILE = "file"


class Secrets(NamedTuple):
    """Store keys by number, and what the root key protected, by file."""

    store_keys: dict[int, SecretBytes]
    files: dict[str, SecretBytes]

    def __repr__(self) -> str:
        return f"Secrets({len(self.store_keys)} store keys, {sorted(self.files)})"


def pack(store_keys: Mapping[int, SecretBytes], files: Mapping[str, SecretBytes]) -> bytes:
    """Return secrets as bytes: in clear, so encrypt them."""
    rows: list[Row] = [(_STORE_KEY, number, key.reveal()) for number, key in store_keys.items()]
    rows += [(_FILE, name, secret.reveal()) for name, secret in files.items()]
    return b"".join(map(encode_row, rows))


def unpack(content: bytes) -> Secrets:
    """Return what `pack` was given. Raises ArchiveError."""
    found = Secrets({}, {})
    for row in decode_rows(content, 3):
        match row:
            case (str(kind), int(number), bytes(key)) if kind == _STORE_KEY:
                found.store_keys[number] = SecretBytes(key)
            case (str(kind), str(name), bytes(secret)) if kind == _FILE:
                found.files[name] = SecretBytes(secret)
            case _:
                raise ArchiveError("the keys in the backup have a form that is not known here")
    return found
