"""A root key in a file.

Rule: the file is readable by its owner alone, or it is not used.

    file     MAGIC, 32 random bytes, the key's id (8 bytes of a hash: finds a damaged file)
    wrapped  version (1 byte), the key's id (8 bytes), nonce (12 bytes), AES-256-GCM of the key, tag;
             version and id are authenticated too
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.domain.ports import RootKeyError, WrongRootKey
from strongroom.model.secret import SecretBytes

MAGIC: Final = b"STRONGROOM ROOT KEY 1\n"
KEY_SIZE: Final = 32
ID_SIZE: Final = 8
NONCE_SIZE: Final = 12
WRAP_VERSION: Final = b"\x01"
HEADER_SIZE: Final = len(WRAP_VERSION) + ID_SIZE
WRAPPED_SIZE: Final = HEADER_SIZE + NONCE_SIZE + KEY_SIZE + 16


def create(path: Path) -> None:
    """Write a fresh root key to `path`, on disk when this returns. Raises RootKeyError; never overwrites."""
    key = os.urandom(KEY_SIZE)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(MAGIC + key + _key_id(key))
            file.flush()
            os.fsync(descriptor)
        _sync_directory(path.parent)
    except FileExistsError:
        raise RootKeyError(f"{path} exists already; a root key is never overwritten") from None
    except OSError as error:
        raise RootKeyError(f"cannot write the root key to {path}: {error.strerror}") from error


class FileRootKey:
    """The root key in the file that `create` made. Reads it once, when made; raises RootKeyError."""

    def __init__(self, path: Path) -> None:
        key = _read(path)
        self._key_id = _key_id(key)
        self._cipher = AESGCM(key)

    def wrap(self, key: SecretBytes) -> bytes:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a store key has {KEY_SIZE} bytes, not {len(key)}")
        header = WRAP_VERSION + self._key_id
        nonce = os.urandom(NONCE_SIZE)
        return header + nonce + self._cipher.encrypt(nonce, key.reveal(), header)

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        if len(wrapped) != WRAPPED_SIZE or not wrapped.startswith(WRAP_VERSION):
            raise RootKeyError("a wrapped store key is damaged; restore the store from a backup")
        header, nonce = wrapped[:HEADER_SIZE], wrapped[HEADER_SIZE : HEADER_SIZE + NONCE_SIZE]
        if header[len(WRAP_VERSION) :] != self._key_id:
            raise WrongRootKey("a store key was wrapped by another root key; put that root key back in place")
        try:
            return SecretBytes(self._cipher.decrypt(nonce, wrapped[HEADER_SIZE + NONCE_SIZE :], header))
        except InvalidTag as error:
            raise RootKeyError("a wrapped store key is damaged; restore the store from a backup") from error

    def __repr__(self) -> str:
        return f"FileRootKey({self._key_id.hex()})"


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"strongroom root key id" + key).digest()[:ID_SIZE]


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RootKeyError(f"the root key {path} is not a regular file")
            if status.st_mode & 0o077:
                raise RootKeyError(f"others may use the root key {path}; run: chmod 600 {path}")
            content = file.read(len(MAGIC) + KEY_SIZE + ID_SIZE + 1)
    except OSError as error:
        raise RootKeyError(f"cannot read the root key {path}: {error.strerror}") from error
    key = content[len(MAGIC) : len(MAGIC) + KEY_SIZE]
    if content != MAGIC + key + _key_id(key):
        raise RootKeyError(f"{path} is not a root key, or is damaged; restore it from its backup")
    return key


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
