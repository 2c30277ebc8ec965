"""Encryption and decryption under way, which take their data in parts.

Rule: what a part gives is settled, no later part changes it. Decryption never gives out what a tag has yet to
prove: it holds the data back until the end.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext, CipherContext
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7

from strongroom.domain.errors import BadCryptographicParameters, CryptographicFailure
from strongroom.wire.place import Place

MUCH: Final = 16 * 1024
"""Bytes of data with which copying them takes longer than making a cipher, or a place for them."""

_ROOM: Final = 31
"""Bytes that the library may want beside those of the data: less than a block of any cipher, and its own."""

FAILED: Final = "the data cannot be decrypted"

Padding: TypeAlias = type[PKCS7] | type[ANSIX923]
Data: TypeAlias = bytes | memoryview
"""Much data may be a view of the message that it came in."""

Sealed: TypeAlias = tuple[bytes, bytes | None]
"""Ciphertext, and the tag of a scheme that has one."""


def update(context: CipherContext, data: Data) -> bytes:
    """Return what `context.update` would, without its copies where there is much data."""
    if len(data) <= MUCH:
        return context.update(data)
    place = Place(len(data) + _ROOM)
    return place.take(context.update_into(data, place.view))


def pad(context: CipherContext, padding: Padding, block: int, data: Data) -> bytes:
    """Return the ciphertext of all of the data, padded. Much data is not copied for its last block."""
    padder = padding(block * 8).padder()
    if len(data) <= MUCH:
        return context.update(b"".join((padder.update(data), padder.finalize()))) + context.finalize()
    whole = len(data) - len(data) % block
    with memoryview(data) as view, view[:whole] as blocks:
        end = padder.update(bytes(view[whole:])) + padder.finalize()
        place = Place(whole + len(end) + _ROOM)
        size = context.update_into(blocks, place.view)
        with place.view[size:] as room:
            size += context.update_into(end, room)
    context.finalize()
    return place.take(size)


def unpad(context: CipherContext, padding: Padding, block: int, data: Data) -> bytes:
    """Return the data of all of the ciphertext, without its padding; raises ValueError where it is wrong."""
    unpadder = padding(block * 8).unpadder()
    if len(data) <= MUCH:
        return unpadder.update(context.update(data) + context.finalize()) + unpadder.finalize()
    place = Place(len(data) + _ROOM)
    size = context.update_into(data, place.view) - block
    context.finalize()
    with place.view[size : size + block] as last:
        rest = unpadder.update(bytes(last)) + unpadder.finalize()
        last[: len(rest)] = rest
    return place.take(size + len(rest))


class Encryptor(Protocol):
    """An encryption in parts."""

    @property
    def held(self) -> int: ...

    def update(self, data: bytes) -> bytes: ...

    def finish(self, data: bytes) -> Sealed: ...


class Decryptor(Protocol):
    """A decryption in parts; anything wrong with the ciphertext is a CryptographicFailure."""

    @property
    def held(self) -> int: ...

    def update(self, data: bytes) -> bytes: ...

    def finish(self, data: bytes, tag: bytes | None) -> bytes: ...


class BlockEncryption:
    """Encryption in parts by a `BlockScheme`."""

    held = 0

    def __init__(self, context: CipherContext, padding: Padding | None, block: int) -> None:
        self._context = context
        self._padder = None if padding is None else padding(block * 8).padder()
        self._block = block

    def update(self, data: bytes) -> bytes:
        return update(self._context, data if self._padder is None else self._padder.update(data))

    def finish(self, data: bytes) -> Sealed:
        sealed = self.update(data)
        if self._padder is not None:
            sealed += self._context.update(self._padder.finalize())
        try:
            return sealed + self._context.finalize(), None
        except ValueError as error:
            raise not_whole(self._block) from error


class BlockDecryption:
    """Decryption in parts by a `BlockScheme`."""

    held = 0

    def __init__(self, context: CipherContext, padding: Padding | None, block: int) -> None:
        self._context = context
        self._unpadder = None if padding is None else padding(block * 8).unpadder()

    def update(self, data: bytes) -> bytes:
        plain = update(self._context, data)
        return plain if self._unpadder is None else self._unpadder.update(plain)

    def finish(self, data: bytes, tag: bytes | None) -> bytes:
        try:
            plain = update(self._context, data) + self._context.finalize()
            if self._unpadder is None:
                return plain
            return self._unpadder.update(plain) + self._unpadder.finalize()
        except ValueError as error:
            raise CryptographicFailure(FAILED) from error


class _KeyStream:
    held = 0

    def __init__(self, context: CipherContext, most: int | None) -> None:
        self._context = context
        self._most = most
        self._taken = 0

    def update(self, data: bytes) -> bytes:
        self._taken += len(data)
        check_counter(self._taken, self._most)
        return update(self._context, data)


class KeyStreamEncryption(_KeyStream):
    """Encryption in parts by a `KeyStreamScheme`."""

    def finish(self, data: bytes) -> Sealed:
        return self.update(data) + self._context.finalize(), None


class KeyStreamDecryption(_KeyStream):
    """Decryption in parts by a `KeyStreamScheme`."""

    def finish(self, data: bytes, tag: bytes | None) -> bytes:
        return self.update(data) + self._context.finalize()


class GcmEncryption:
    """Encryption in parts by a `GcmScheme`."""

    held = 0

    def __init__(self, context: AEADEncryptionContext, tag_length: int) -> None:
        self._context = context
        self._tag_length = tag_length

    def update(self, data: Data) -> bytes:
        return update(self._context, data)

    def finish(self, data: Data) -> Sealed:
        sealed = update(self._context, data) + self._context.finalize()
        return sealed, self._context.tag[: self._tag_length]


class _Whole:
    """Holds the data until all of it is there."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def held(self) -> int:
        return len(self._data)

    def update(self, data: bytes) -> bytes:
        self._data += data
        return b""


class WholeEncryption(_Whole):
    """Encryption of everything at the end."""

    def __init__(self, encrypt: Callable[[bytes], Sealed]) -> None:
        super().__init__()
        self._encrypt = encrypt

    def finish(self, data: bytes) -> Sealed:
        return self._encrypt(bytes(self._data) + data)


class WholeDecryption(_Whole):
    """Decryption of everything at the end."""

    def __init__(self, decrypt: Callable[[bytes, bytes | None], bytes]) -> None:
        super().__init__()
        self._decrypt = decrypt

    def finish(self, data: bytes, tag: bytes | None) -> bytes:
        return self._decrypt(bytes(self._data) + data, tag)


def not_whole(block: int) -> BadCryptographicParameters:
    """Return the error for data that a padded mode cannot take without padding."""
    return BadCryptographicParameters(
        f"the data are not whole blocks of {block} bytes; name a Padding Method"
    )


def check_counter(size: int, most: int | None) -> None:
    """Raise BadCryptographicParameters when the key stream would come again; `most` None: it never does."""
    if most is not None and size > most:
        raise BadCryptographicParameters(f"the counter serves {most} bytes of data at most")
