"""A root key in a file.

Rule: the file is readable by its owner alone, or it is not used.

    file     MAGIC, 32 random bytes, the key's id (8 bytes of a hash: finds a damaged file)
"""

import os
import stat
from pathlib import Path
from typing import Final

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.keyring import Keyring
from strongroom.rootkey.roots import KEY_SIZE, SoftwareRoot, key_id, new_secret

MAGIC: Final = b"STRONGROOM ROOT KEY 1\n"
ID_SIZE: Final = 8


def create(path: Path, secret: SecretBytes | None = None) -> None:
    """Write a fresh root key to `path`, or the one given, on disk when this returns.

    Raises RootKeyError; never overwrites.
    """
    secret = secret or new_secret()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(MAGIC + secret.reveal() + key_id(secret))
            file.flush()
            os.fsync(descriptor)
        _sync_directory(path.parent)
    except FileExistsError:
        raise RootKeyError(f"{path} exists already; a root key is never overwritten") from None
    except OSError as error:
        raise RootKeyError(f"cannot write the root key to {path}: {error.strerror}") from error


def read(path: Path) -> SecretBytes:
    """Return the root key in a file. Raises RootKeyError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RootKeyError(f"the root key {path} is not a regular file")
            if status.st_mode & 0o077:
                raise RootKeyError(f"others may use the root key {path}; run: chmod 600 {path}")
            content = file.read(len(MAGIC) + KEY_SIZE + ID_SIZE + 1)
    except FileNotFoundError as error:
        raise RootKeyError(
            f"the root key {path} is gone; put it back, or give the data a new one with the recovery kit:"
            " strongroom server root recover --data DIR --kit FILE"
        ) from error
    except OSError as error:
        raise RootKeyError(f"cannot read the root key {path}: {error.strerror}") from error
    key = SecretBytes(content[len(MAGIC) : len(MAGIC) + KEY_SIZE])
    if content != MAGIC + key.reveal() + key_id(key):
        raise RootKeyError(f"{path} is not a root key, or is damaged; restore it from its backup")
    return key


class FileRootKey(Keyring):
    """The one root key in the file that `create` made. Reads it once, when made; raises RootKeyError."""

    def __init__(self, path: Path) -> None:
        super().__init__([SoftwareRoot(read(path), generation=1)])


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
