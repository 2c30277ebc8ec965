"""The encryption of backups: age (age-encryption.org/v1), through pyrage, as a stream.

Rule: no key and no cipher is ours. A backup is an ordinary age file, so that `age -d` opens it without
Strongroom. A block that is not what was written is found before anything in it is used, and named.

age seals blocks of 64 KiB, each bound to its place, and marks the last: what is cut, changed or exchanged
does not open.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import pyrage
from pyrage import x25519

from strongroom.server.errors import InvalidOption, NotFound, OperatorError

BEGINNING: Final = b"age-encryption.org/v1\n"
BLOCK: Final = 64 << 10
"""Bytes of content in one block; sealed, it has TAG more."""

TAG: Final = 16
_NONCE: Final = 16
_MAX_HEADER: Final = 64 << 10
_END_OF_HEADER: Final = b"\n--- "


class BackupDamaged(OperatorError):
    """The file is not what was written; the message names the place."""


class WrongIdentity(OperatorError):
    """None of the identities opens the backup."""


class ByteSink(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes, /) -> object: ...


def check_recipients(recipients: Sequence[str]) -> tuple[str, ...]:
    """Return age recipients in their usual form, each once. Raises InvalidOption."""
    if not recipients:
        raise InvalidOption("a backup needs a recipient; give --recipient age1... ")
    return tuple(dict.fromkeys(str(_recipient(text)) for text in recipients))


def encrypt(content: bytes, recipients: Sequence[str]) -> bytes:
    """Return a few bytes encrypted. Raises InvalidOption."""
    encrypted: bytes = pyrage.encrypt(content, [_recipient(text) for text in recipients])
    return encrypted


def decrypt(content: bytes, identities: Sequence[x25519.Identity]) -> bytes:
    """Return what `encrypt` was given. Raises WrongIdentity."""
    try:
        decrypted: bytes = pyrage.decrypt(content, list(identities))
    except (pyrage.DecryptError, OSError) as error:
        raise WrongIdentity(f"the keys in the backup cannot be opened: {error}") from None
    return decrypted


@contextmanager
def encrypting(target: ByteSink, recipients: Sequence[str]) -> Iterator[BinaryIO]:
    """Give a file whose content goes to `target`, encrypted, as it is written.

    When the block ends everything is written. Raises what writing to `target` raised.
    """
    guard = _Guard(target)
    receiving, sending = os.pipe()
    keys = [_recipient(text) for text in recipients]

    def work() -> None:
        # Closing it is how whoever writes learns that nobody reads any more.
        with open(receiving, "rb") as plain, suppress(BaseException):
            try:
                pyrage.encrypt_io(plain, guard, keys)
            except BaseException as error:
                guard.failure = guard.failure or error
                raise

    worker = threading.Thread(target=work, name="encryption", daemon=True)
    worker.start()
    plain = open(sending, "wb", buffering=BLOCK)  # noqa: SIM115 (closed below, in an order of its own)
    try:
        yield plain
        plain.flush()
    except BrokenPipeError:
        worker.join()
        if guard.failure is None:
            raise
    finally:
        with suppress(BrokenPipeError):
            plain.close()
        worker.join()
    if guard.failure is not None:
        raise guard.failure


class Decryption:
    """The content of an encrypted file, as a stream. Used by one thread; made by `decrypting`."""

    def __init__(self, file: BinaryIO, size: int, identities: Sequence[x25519.Identity], name: str) -> None:
        self._file = file
        self._size = size
        self._name = name
        self._header = _header_size(file, size, name)
        self._failure: Exception | None = None
        self._given = 0
        receiving, sending = os.pipe()
        self._plain = open(receiving, "rb", buffering=BLOCK)  # noqa: SIM115 (closed by `close`)
        self._worker = threading.Thread(
            target=self._work, args=(sending, list(identities)), name="decryption", daemon=True
        )
        self._worker.start()

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only where the content ends or cannot be opened."""
        return self._plain.read(size)

    def check(self, where: str) -> None:
        """Return unless the file ended early for a reason; `where` says what was being read.

        Raises WrongIdentity, BackupDamaged; to be called when `read` gave less than it should.
        """
        self._worker.join()
        failure = self._failure
        if failure is None:
            return
        if isinstance(failure, pyrage.DecryptError):
            if "No matching keys" in str(failure):
                raise WrongIdentity(
                    f"{self._name} is encrypted to others: no identity that was given opens it "
                    f"(or its first {self._header} bytes were changed)"
                ) from failure
            raise BackupDamaged(
                f"{self._name} is damaged in its first {self._header} bytes: {failure}"
            ) from failure
        if isinstance(failure, OSError) and failure.errno is not None:
            raise OperatorError(f"cannot read {self._name}: {failure.strerror}") from failure
        raise BackupDamaged(self._damage(where)) from failure

    def close(self) -> None:
        """Let go of the file."""
        self._plain.close()
        self._worker.join()

    def _damage(self, where: str) -> str:
        sealed = BLOCK + TAG
        start = self._header + _NONCE + self._given // BLOCK * sealed
        if start + sealed < self._size:
            return f"{self._name} was changed between byte {start} and byte {start + sealed}: {where}"
        behind = min(start, self._size)
        return f"{self._name} is cut off at byte {self._size}, or was changed behind byte {behind}: {where}"

    def _work(self, sending: int, identities: list[x25519.Identity]) -> None:
        try:
            pyrage.decrypt_io(self._file, self._sink(sending), identities)
        except BrokenPipeError:
            pass  # whoever reads has seen enough
        except Exception as error:  # noqa: BLE001 (told to the reader, whatever it is)
            self._failure = error
        finally:
            os.close(sending)

    def _sink(self, sending: int) -> "_PipeEnd":
        return _PipeEnd(sending, self)

    def count(self, size: int) -> None:
        """Note that so many bytes were opened."""
        self._given += size


class _PipeEnd:
    """What the library writes opened bytes to."""

    def __init__(self, descriptor: int, owner: Decryption) -> None:
        self._descriptor = descriptor
        self._owner = owner

    def write(self, data: bytes) -> int:
        self._owner.count(len(data))
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return len(data)

    def flush(self) -> None:
        pass


class _Guard:
    """What the library writes encrypted bytes to: remembers what went wrong, which the library would not."""

    def __init__(self, target: ByteSink) -> None:
        self._target = target
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            self._target.write(data)
        except BaseException as error:
            self.failure = error
            raise
        return len(data)

    def flush(self) -> None:
        pass


@contextmanager
def decrypting(path: Path, identities: Sequence[x25519.Identity]) -> Iterator[Decryption]:
    """Give the content of a backup file. Raises NotFound, BackupDamaged for what is no age file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no {path}") from None
    except OSError as error:
        raise OperatorError(f"cannot open {path}: {error.strerror}") from error
    with file:
        opened = Decryption(file, os.fstat(file.fileno()).st_size, identities, str(path))
        try:
            yield opened
        finally:
            opened.close()


def _header_size(file: BinaryIO, size: int, name: str) -> int:
    """Return where the header ends; the file is at its beginning afterwards."""
    start = file.read(_MAX_HEADER)
    file.seek(0)
    if not start.startswith(BEGINNING):
        if start and BEGINNING.startswith(start):
            raise BackupDamaged(f"{name} is cut off at byte {size}, in its header")
        raise BackupDamaged(f"{name} is no backup: it does not begin as an age file does")
    end = start.find(b"\n", start.find(_END_OF_HEADER) + 1)
    if _END_OF_HEADER not in start or end < 0:
        raise BackupDamaged(f"{name} is cut off at byte {size}, or was changed: its header has no end")
    return end + 1


def _recipient(text: str) -> x25519.Recipient:
    try:
        return x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise InvalidOption(
            f"{text[:80]!r} is no age recipient; one begins with age1, as `age-keygen -y` prints it"
        ) from None
