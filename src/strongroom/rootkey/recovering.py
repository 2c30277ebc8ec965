"""A data directory whose root key is lost, and what the recovery kit can do about it.

Rule: everything is opened with the kit before anything is changed. A recovery that is killed is done again
from its beginning: whatever was wrapped meanwhile is wrapped for the kit too.
"""

from collections.abc import Iterable

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import file
from strongroom.rootkey.envelope import parse
from strongroom.rootkey.place import FILE, Place
from strongroom.rootkey.record import RootRecord, from_file, to_file
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring


def check(identity: Identity, wrapped: Iterable[bytes]) -> None:
    """Return if the kit opens all of this. Raises RootKeyError."""
    for blob in wrapped:
        identity.open(parse(blob).recovery)


def next_generation(place: Place, wrapped: Iterable[bytes]) -> int:
    """Return a number that no root key had before. Raises RootKeyError."""
    used = [parse(blob).generation for blob in wrapped]
    if place.book.exists():
        used += [record.generation for record in from_file(place.book.read_bytes(), str(place.book))]
    return max(used, default=1) + 1


def knows(place: Place, record: RootRecord) -> bool:
    """Tell whether a root key may be one of the data directory."""
    try:
        return record.id in [known.id for known in from_file(place.book.read_bytes(), str(place.book))]
    except FileNotFoundError:
        return False
    except (OSError, RootKeyError):
        return True


class Recovering:
    """See `domain.ports.RootKey`: the kit opens, a new root key wraps."""

    def __init__(
        self, identity: Identity, place: Place, record: RootRecord, secret: SecretBytes | None
    ) -> None:
        """Let the new root key be the only one of the data directory. Raises RootKeyError."""
        self._identity = identity
        if record.provider == FILE:
            path = place.next_key_file(record.generation)
            path.unlink(missing_ok=True)
            file.create(path, secret)
        # Whoever that belongs to: the kit is here, and a lost root key can prove nothing.
        place.recovery.unlink(missing_ok=True)
        place.write(place.book, to_file([record]))
        self.new = StoredKeyring(place)
        if secret is not None:
            self.new.give_root(secret)
        self.new.set_recovery(identity.recipient.text)

    def wrap(self, key: SecretBytes) -> bytes:
        return self.new.wrap(key)

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        return self._identity.open(parse(wrapped).recovery)

    def is_current(self, wrapped: bytes) -> bool:
        return self.new.is_current(wrapped)

    def generation_of(self, wrapped: bytes) -> int:
        return self.new.generation_of(wrapped)
