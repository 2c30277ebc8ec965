"""Symmetric ciphers: what each kind of mode does with key, IV, data and tag.

Rule: the library does the work. A scheme knows its rules and no request; which algorithm has which schemes is
the table in `ciphers.py`. Decryption has one failure, whatever was wrong: who can tell a bad padding from a
bad tag can decrypt without the key.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers import CipherAlgorithm as LibraryCipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR, GCM, XTS
from cryptography.hazmat.primitives.ciphers.modes import Mode as LibraryMode
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap,
    aes_key_wrap_with_padding,
)

from strongroom.crypto.encryption.initialization import IvRule, chacha_block, counter_block
from strongroom.crypto.encryption.parts import (
    FAILED,
    MUCH,
    BlockDecryption,
    BlockEncryption,
    Data,
    Decryptor,
    Encryptor,
    GcmEncryption,
    KeyStreamDecryption,
    KeyStreamEncryption,
    Padding,
    Sealed,
    WholeDecryption,
    WholeEncryption,
    check_counter,
    not_whole,
    pad,
    unpad,
    update,
)
from strongroom.domain.errors import BadCryptographicParameters, CryptographicFailure
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters

TAG: Final = 16  # bytes; the longest tag there is, and the usual one
SHORTEST_TAG: Final = 12  # bytes; NIST SP 800-38D allows less only under conditions no server can check

XTS_UNIT: Final = 1 << 24  # bytes; 2^20 blocks, the most that SP 800-38E allows under one tweak


class Job(NamedTuple):
    """What one encryption or decryption works with; everything in it was checked against the scheme."""

    key: SecretBytes
    iv: bytes
    parameters: Parameters
    additional_data: bytes | None = None
    padding: Padding | None = None
    tag_length: int = TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme(ABC):
    """One mode of one algorithm. `name` is for messages, `key_sizes` and `tags` are lengths in bytes; a
    scheme without tags authenticates nothing. `legacy`: nobody should use it any more. `quick`: processors
    have instructions for it.

    This class takes all of the data at once: so do the schemes for which anything else would be unsafe, or
    is not in the library.
    """

    name: str
    key_sizes: Collection[int]
    iv: IvRule | None = None
    tags: Collection[int] = ()
    padded: bool = False
    legacy: bool = False
    quick: bool = False

    @abstractmethod
    def encrypt(self, job: Job, data: Data) -> Sealed: ...

    @abstractmethod
    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes: ...

    def encryptor(self, job: Job) -> Encryptor:
        return WholeEncryption(partial(self.encrypt, job))

    def decryptor(self, job: Job) -> Decryptor:
        return WholeDecryption(partial(self.decrypt, job))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockScheme(Scheme):
    """A mode without authentication; a padded one works on whole blocks of `block` bytes."""

    cipher: Callable[[bytes], LibraryCipher]
    mode: Callable[[bytes], LibraryMode]
    block: int

    def start(self, job: Job) -> Cipher[Any]:
        """Return the cipher."""
        return Cipher(self.cipher(job.key.reveal()), self.mode(job.iv))

    def encrypt(self, job: Job, data: Data) -> Sealed:
        encryptor = self.start(job).encryptor()
        if job.padding is not None:
            return pad(encryptor, job.padding, self.block, data), None
        if self.padded and len(data) % self.block:
            raise not_whole(self.block)
        return update(encryptor, data) + encryptor.finalize(), None

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        try:
            decryptor = self.start(job).decryptor()
            if job.padding is not None:
                return unpad(decryptor, job.padding, self.block, data)
            return update(decryptor, data) + decryptor.finalize()
        except ValueError as error:
            raise CryptographicFailure(FAILED) from error

    def encryptor(self, job: Job) -> Encryptor:
        return BlockEncryption(self.start(job).encryptor(), job.padding, self.block)

    def decryptor(self, job: Job) -> Decryptor:
        return BlockDecryption(self.start(job).decryptor(), job.padding, self.block)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStreamScheme(Scheme):
    """A cipher that adds a key stream to the data, to encrypt and to decrypt."""

    @abstractmethod
    def start(self, job: Job) -> tuple[Cipher[Any], int | None]:
        """Return the cipher, and how many bytes its counter serves; None: it has no counter."""

    def encrypt(self, job: Job, data: Data) -> Sealed:
        return self._add(job, data), None

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        return self._add(job, data)

    def encryptor(self, job: Job) -> Encryptor:
        cipher, most = self.start(job)
        return KeyStreamEncryption(cipher.encryptor(), most)

    def decryptor(self, job: Job) -> Decryptor:
        cipher, most = self.start(job)
        return KeyStreamDecryption(cipher.decryptor(), most)

    def _add(self, job: Job, data: Data) -> bytes:
        cipher, most = self.start(job)
        check_counter(len(data), most)
        context = cipher.encryptor()
        return update(context, data) + context.finalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class CtrScheme(KeyStreamScheme):
    """Counter mode (NIST SP 800-38A §6.5)."""

    cipher: Callable[[bytes], LibraryCipher]
    block: int

    def start(self, job: Job) -> tuple[Cipher[Any], int | None]:
        first, most = counter_block(job.iv, job.parameters, self.block)
        return Cipher(self.cipher(job.key.reveal()), CTR(first)), most


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaChaScheme(KeyStreamScheme):
    """ChaCha20 without authentication."""

    def start(self, job: Job) -> tuple[Cipher[Any], int | None]:
        nonce, most = chacha_block(job.iv, job.parameters)
        return Cipher(ChaCha20(job.key.reveal(), nonce), None), most


@dataclass(frozen=True, slots=True, kw_only=True)
class Rc4Scheme(KeyStreamScheme):
    """RC4, which has neither IV nor counter."""

    cipher: Callable[[bytes], LibraryCipher]

    def start(self, job: Job) -> tuple[Cipher[Any], int | None]:
        return Cipher(self.cipher(job.key.reveal()), None), None


@dataclass(frozen=True, slots=True, kw_only=True)
class GcmScheme(Scheme):
    """Galois/Counter mode. What is decrypted in parts is held back until the tag has proved it."""

    cipher: type[AES] | type[SM4]

    def encrypt(self, job: Job, data: Data) -> Sealed:
        if self.cipher is AES and len(data) <= MUCH:
            sealed = job.key.once(AESGCM).encrypt(job.iv, data, job.additional_data)
            return sealed[: len(data)], sealed[len(data) : len(data) + job.tag_length]
        return self.encryptor(job).finish(data)

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        tag = tag or b""
        try:
            if self.cipher is AES and len(tag) == TAG and len(data) <= MUCH:
                return job.key.once(AESGCM).decrypt(job.iv, b"".join((data, tag)), job.additional_data)
            mode = GCM(job.iv, tag, min_tag_length=SHORTEST_TAG)
            decryptor = Cipher(self.cipher(job.key.reveal()), mode).decryptor()
            decryptor.authenticate_additional_data(job.additional_data or b"")
            return update(decryptor, data) + decryptor.finalize()
        except InvalidTag as error:
            raise CryptographicFailure(FAILED) from error

    def encryptor(self, job: Job) -> GcmEncryption:
        encryptor = Cipher(self.cipher(job.key.reveal()), GCM(job.iv)).encryptor()
        encryptor.authenticate_additional_data(job.additional_data or b"")
        return GcmEncryption(encryptor, job.tag_length)


@dataclass(frozen=True, slots=True, kw_only=True)
class CcmScheme(Scheme):
    """AES in Counter with CBC-MAC mode (NIST SP 800-38C)."""

    def encrypt(self, job: Job, data: Data) -> Sealed:
        try:
            sealed = AESCCM(job.key.reveal(), job.tag_length).encrypt(job.iv, data, job.additional_data)
        except (OverflowError, ValueError) as error:
            # The nonce leaves the rest of a block for the length of the data (SP 800-38C A.1).
            raise BadCryptographicParameters(
                f"{len(data)} bytes of data are too many for an IV/Counter/Nonce of {len(job.iv)} bytes"
            ) from error
        return sealed[: len(data)], sealed[len(data) :]

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        tag = tag or b""
        try:
            return AESCCM(job.key.reveal(), len(tag)).decrypt(
                job.iv, b"".join((data, tag)), job.additional_data
            )
        except (InvalidTag, OverflowError, ValueError) as error:
            raise CryptographicFailure(FAILED) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaChaPolyScheme(Scheme):
    """ChaCha20-Poly1305 (RFC 8439 §2.8). A tag may be cut: OASIS CS-BC-M-CHACHA20POLY1305-1 (2.0, 2.1) has
    one of 12 bytes."""

    def encrypt(self, job: Job, data: Data) -> Sealed:
        sealed = job.key.once(ChaCha20Poly1305).encrypt(job.iv, data, job.additional_data)
        return sealed[: len(data)], sealed[len(data) : len(data) + job.tag_length]

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        tag = tag or b""
        try:
            if len(tag) == TAG:
                return job.key.once(ChaCha20Poly1305).decrypt(
                    job.iv, b"".join((data, tag)), job.additional_data
                )
        except InvalidTag as error:
            raise CryptographicFailure(FAILED) from error
        # The library compares whole tags only. The key stream for the data starts at block 1 (RFC 8439 §2.8);
        # what comes of it has the right tag, or is given to nobody.
        decryptor = Cipher(ChaCha20(job.key.reveal(), (1).to_bytes(4, "little") + job.iv), None).decryptor()
        plain = update(decryptor, data) + decryptor.finalize()
        _, right = self.encrypt(job._replace(tag_length=len(tag)), plain)
        if not compare_digest(right or b"", tag):
            raise CryptographicFailure(FAILED)
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class XtsScheme(Scheme):
    """XTS-AES; the data is one data unit (NIST SP 800-38E), the IV its tweak."""

    def encrypt(self, job: Job, data: Data) -> Sealed:
        if not 16 <= len(data) <= XTS_UNIT:
            raise BadCryptographicParameters(f"mode XTS encrypts 16 to {XTS_UNIT} bytes of data at once")
        try:
            encryptor = Cipher(AES(job.key.reveal()), XTS(job.iv)).encryptor()
            return update(encryptor, data) + encryptor.finalize(), None
        except ValueError as error:  # both halves are the same, which SP 800-38E as OpenSSL reads it forbids
            raise BadCryptographicParameters("the two halves of an XTS key must differ") from error

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        if not 16 <= len(data) <= XTS_UNIT:
            raise CryptographicFailure(FAILED)
        try:
            decryptor = Cipher(AES(job.key.reveal()), XTS(job.iv)).decryptor()
            return update(decryptor, data) + decryptor.finalize()
        except ValueError as error:
            raise CryptographicFailure(FAILED) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWrapScheme(Scheme):
    """AES key wrap (RFC 3394), or with padding (RFC 5649); the data proves itself when it is opened."""

    with_padding: bool

    def encrypt(self, job: Job, data: Data) -> Sealed:
        wrap = aes_key_wrap_with_padding if self.with_padding else aes_key_wrap
        try:
            return wrap(job.key.reveal(), bytes(data)), None
        except ValueError as error:
            many = "at least 1 byte" if self.with_padding else "at least 16 bytes, a multiple of 8"
            raise BadCryptographicParameters(f"{self.name} takes {many} of data") from error

    def decrypt(self, job: Job, data: Data, tag: bytes | None) -> bytes:
        unwrap = aes_key_unwrap_with_padding if self.with_padding else aes_key_unwrap
        try:
            return unwrap(job.key.reveal(), bytes(data))
        except (InvalidUnwrap, ValueError) as error:
            raise CryptographicFailure(FAILED) from error
