"""What a data directory holds of its root keys: `root.json`, key files, and whose the recovery kit is.

Rule: this file reads and writes, and decides nothing. What is read may be of any age unless the lock is
held.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import file
from strongroom.rootkey.elsewhere import Way
from strongroom.rootkey.record import RootRecord, from_file, to_file
from strongroom.rootkey.recovery import Claim, read_claim
from strongroom.rootkey.roots import SoftwareRoot

FILE: Final = "file"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a provider
SHARES: Final = "shares"
PKCS11: Final = "pkcs11"
KMIP: Final = "kmip"
PROVIDERS: Final = (FILE, PASSPHRASE, PKCS11, KMIP, SHARES)

MOMENT: Final = 3.0
"""Seconds to wait for another process that changes root keys: fewer than a worker may be silent for."""

PATIENCE: Final = 10.0
"""The same where nothing else waits meanwhile."""

_LOOK: Final = 0.02
"""Seconds between looks whether it has finished."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the root keys of one installation are.

    `write` replaces a file that only its owner reads, whole, on disk when it returns. `passphrase` gives one
    that needs no person (a credential file), or None; it may raise RootKeyError. `kmip` finds the way to a
    key in another server, from the parameters of its record; it raises Unreachable. `witnesses` gives other
    keys that the root key has wrapped: one that it has wrapped for a kit vouches for a `recovery.pub` of a
    release that sealed none. `apart` has another process open something with a root key that is elsewhere,
    for a process that forks others, and for none of those; None: each process does that itself.
    """

    book: Path
    key_file: Path
    recovery: Path
    write: Callable[[Path, bytes], None]
    passphrase: Callable[[], SecretBytes | None]
    kmip: Callable[[Mapping[str, Any]], Way]
    witnesses: Callable[[], Sequence[bytes]] = tuple
    apart: Callable[[Callable[[], SecretBytes]], SecretBytes] | None = None

    def next_key_file(self, generation: int) -> Path:
        """Return where a key file lies until the one before it is not needed any more."""
        return self.key_file.with_name(f"root-{generation}.key")

    def records(self) -> list[RootRecord]:
        """Return what is written down of the root keys, oldest first. Raises RootKeyError."""
        try:
            return from_file(self.book.read_bytes(), str(self.book))
        except FileNotFoundError:
            # The first root key, in a file, needs no record.
            first = SoftwareRoot(file.read(self.key_file), 1)
            created = int(self.key_file.stat().st_mtime)
            return [RootRecord(generation=1, id=first.id, provider=FILE, created_at=created, parameters={})]
        except OSError as error:
            raise RootKeyError(f"cannot read {self.book}: {error.strerror}") from error

    def claim(self) -> Claim | RootKeyError | None:
        """Return what `recovery.pub` says, or why that cannot be told: what is open is used without it."""
        try:
            return read_claim(self.recovery.read_bytes(), str(self.recovery))
        except FileNotFoundError:
            return None
        except RootKeyError as error:
            return error
        except OSError as error:
            return RootKeyError(f"cannot read {self.recovery}: {error.strerror}")

    def look(self) -> object:
        """Return what is another one when something else is written down."""

        def state(path: Path) -> object:
            try:
                found = path.stat()
            except OSError:
                return None
            return found.st_ino, found.st_size, found.st_mtime_ns

        return state(self.book), state(self.recovery)

    def write_records(self, records: Sequence[RootRecord]) -> None:
        """Write down which root keys there are. Raises OSError."""
        self.write(self.book, to_file(records))

    def write_first(self, record: RootRecord, secret: SecretBytes | None) -> None:
        """Write down the first root key of a new data directory. Raises RootKeyError."""
        if record.provider == FILE:
            file.create(self.key_file, secret)
        else:
            self.write_records([record])

    def clear_up(self, newest: RootRecord) -> None:
        """Remove the key files of root keys that the `newest` has taken over from."""
        paths = list(self.key_file.parent.glob("root-*.key"))
        if newest.provider != FILE:
            paths.append(self.key_file)
        with suppress(OSError):
            for path in paths:
                path.unlink(missing_ok=True)

    @contextmanager
    def locked(self, *, patience: float = MOMENT) -> Iterator[None]:
        """Keep every other process from writing; `patience` is how many seconds are waited for one that does.

        Raises RootKeyError, also for an OSError in the block.
        """
        path = self.book.with_name("root.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RootKeyError(f"cannot open {path}: {error.strerror}") from error
        try:
            _take(descriptor, path, patience)
            with suppress(OSError):  # a full disk keeps nobody from the lock
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        except OSError as error:
            raise RootKeyError(f"cannot change {error.filename or path}: {error.strerror}") from error
        finally:
            os.close(descriptor)


def _take(descriptor: int, path: Path, patience: float) -> None:
    """Take a lock within `patience` seconds. Raises RootKeyError when another process keeps it."""
    give_up = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                raise RootKeyError(
                    f"process {holder or '(unknown)'} changes root keys at this moment ({path}); try again,"
                    " and if it does not finish, end that process"
                ) from None
            time.sleep(_LOOK)
        else:
            return
