"""The adapter for `strongroom.domain.encryption`: which module encrypts, and where.

Rule: small data is worked on where it is, big data and RSA on the pool.
"""

from typing import Final

from strongroom.crypto.encryption import ciphers, rsa
from strongroom.crypto.encryption.keyed import KeyedCipher
from strongroom.crypto.encryption.parts import Decryptor, Encryptor, WholeDecryption, WholeEncryption
from strongroom.crypto.keys.examination import symmetric_bytes
from strongroom.crypto.keys.material import clear_material
from strongroom.crypto.leniency import Leniencies
from strongroom.crypto.pool import Pool
from strongroom.crypto.tables import spec_name
from strongroom.domain.encryption import (
    DecryptionInParts,
    DecryptionWithKey,
    Encrypted,
    EncryptionInParts,
    EncryptionWithKey,
)
from strongroom.domain.errors import BadCryptographicParameters, InvalidField, KeyValueNotPresent
from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import CryptographicAlgorithm

INLINE: Final = 16 * 1024
"""Bytes up to which data is worked on where it is: the pool would take longer."""

QUICK_INLINE: Final = 1024 * 1024
"""The same with a cipher that processors help with: less than a millisecond, as for carrying the data."""

_RSA: Final = CryptographicAlgorithm.RSA


class EncryptionAdapter:
    """Encrypt and Decrypt; see `strongroom.domain.encryption.Encryption`."""

    _pool: Pool
    _leniencies: Leniencies

    def encryption(
        self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool
    ) -> EncryptionWithKey:
        """Return what encrypts whole data with a key."""
        algorithm = _algorithm(key, parameters)
        if algorithm is _RSA:
            return self._rsa_encryption(key, parameters)
        cipher, most = self._cipher(algorithm, key, parameters, legacy=legacy)
        pool = self._pool

        async def encrypt(
            data: SecretBytes, *, iv_counter_nonce: bytes | None, additional_data: bytes | None
        ) -> Encrypted:
            plain = data.view()
            if len(plain) <= most:
                return cipher.encrypt(plain, iv_counter_nonce, additional_data)
            return await pool.run(cipher.encrypt, plain, iv_counter_nonce, additional_data)

        return encrypt

    def _rsa_encryption(self, key: KeyBlock, parameters: CryptographicParameters) -> EncryptionWithKey:
        async def encrypt(
            data: SecretBytes, *, iv_counter_nonce: bytes | None, additional_data: bytes | None
        ) -> Encrypted:
            _check_rsa(iv_counter_nonce, additional_data)
            return Encrypted(data=await self._pool.run(rsa.encrypt, key, parameters, data.reveal()))

        return encrypt

    def decryption(
        self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool
    ) -> DecryptionWithKey:
        """Return what decrypts whole data with a key."""
        algorithm = _algorithm(key, parameters)
        if algorithm is _RSA:
            return self._rsa_decryption(key, parameters)
        cipher, most = self._cipher(algorithm, key, parameters, legacy=legacy)
        pool = self._pool

        async def decrypt(
            data: bytes | memoryview,
            *,
            iv_counter_nonce: bytes | None,
            additional_data: bytes | None,
            authentication_tag: bytes | None,
        ) -> SecretBytes:
            asked = data, iv_counter_nonce, additional_data, authentication_tag
            if len(data) <= most:
                return SecretBytes(cipher.decrypt(*asked))
            return SecretBytes(await pool.run(cipher.decrypt, *asked))

        return decrypt

    def _rsa_decryption(self, key: KeyBlock, parameters: CryptographicParameters) -> DecryptionWithKey:
        async def decrypt(
            data: bytes | memoryview,
            *,
            iv_counter_nonce: bytes | None,
            additional_data: bytes | None,
            authentication_tag: bytes | None,
        ) -> SecretBytes:
            _check_rsa(iv_counter_nonce, additional_data)
            return SecretBytes(await self._pool.run(rsa.decrypt, key, parameters, bytes(data)))

        return decrypt

    async def begin_encryption(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        legacy: bool,
    ) -> EncryptionInParts:
        """Return an encryption that takes its data in parts."""
        algorithm = _algorithm(key, parameters)
        if algorithm is _RSA:
            _check_rsa(iv_counter_nonce, additional_data)
            whole = WholeEncryption(lambda data: (rsa.encrypt(key, parameters, data), None))
            return PooledEncryption(self._pool, whole, None, inline=0)
        cipher, most = self._cipher(algorithm, key, parameters, legacy=legacy)
        encryptor, fresh = cipher.encryptor(iv_counter_nonce, additional_data)
        return PooledEncryption(self._pool, encryptor, fresh, inline=most)

    async def begin_decryption(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        authentication_tag: bytes | None,
        legacy: bool,
    ) -> DecryptionInParts:
        """Return a decryption that takes its data in parts."""
        algorithm = _algorithm(key, parameters)
        if algorithm is _RSA:
            _check_rsa(iv_counter_nonce, additional_data)
            whole = WholeDecryption(lambda data, _: rsa.decrypt(key, parameters, data))
            return PooledDecryption(self._pool, whole, inline=0)
        cipher, most = self._cipher(algorithm, key, parameters, legacy=legacy)
        decryptor = cipher.decryptor(iv_counter_nonce, additional_data)
        return TaggedDecryption(self._pool, decryptor, cipher, authentication_tag, inline=most)

    def _cipher(
        self,
        algorithm: CryptographicAlgorithm,
        key: KeyBlock,
        parameters: CryptographicParameters,
        *,
        legacy: bool,
    ) -> tuple[KeyedCipher, int]:
        """Return the cipher, and up to how many bytes are worked on where they are."""
        scheme = ciphers.scheme_of(algorithm, parameters, legacy=legacy)
        cipher = KeyedCipher(scheme, _symmetric(key), parameters, self._leniencies)
        return cipher, QUICK_INLINE if scheme.quick else INLINE


class PooledEncryption:
    """An encryption in parts, of which those above `inline` bytes are done on the pool."""

    def __init__(self, pool: Pool, encryptor: Encryptor, fresh: bytes | None, *, inline: int) -> None:
        self._pool = pool
        self._encryptor = encryptor
        self._fresh = fresh
        self._inline = inline

    @property
    def held(self) -> int:
        return self._encryptor.held

    async def update(self, data: SecretBytes) -> Encrypted:
        if len(data) <= self._inline:
            sealed = self._encryptor.update(data.reveal())
        else:
            sealed = await self._pool.run(self._encryptor.update, data.reveal())
        return Encrypted(data=sealed, iv_counter_nonce=self._take_fresh())

    async def finish(self, data: SecretBytes) -> Encrypted:
        if self.held + len(data) < self._inline:
            sealed, tag = self._encryptor.finish(data.reveal())
        else:
            sealed, tag = await self._pool.run(self._encryptor.finish, data.reveal())
        return Encrypted(data=sealed, iv_counter_nonce=self._take_fresh(), authentication_tag=tag)

    def _take_fresh(self) -> bytes | None:
        fresh, self._fresh = self._fresh, None
        return fresh


class PooledDecryption:
    """A decryption in parts, of which those above `inline` bytes are done on the pool."""

    def __init__(self, pool: Pool, decryptor: Decryptor, *, inline: int) -> None:
        self._pool = pool
        self._decryptor = decryptor
        self._inline = inline

    @property
    def held(self) -> int:
        return self._decryptor.held

    async def update(self, data: bytes) -> SecretBytes:
        if len(data) <= self._inline:
            return SecretBytes(self._decryptor.update(data))
        return SecretBytes(await self._pool.run(self._decryptor.update, data))

    async def finish(self, data: bytes, *, authentication_tag: bytes | None) -> SecretBytes:
        if self.held + len(data) < self._inline:
            return SecretBytes(self._decryptor.finish(data, authentication_tag))
        return SecretBytes(await self._pool.run(self._decryptor.finish, data, authentication_tag))


class TaggedDecryption(PooledDecryption):
    """A decryption in parts by a scheme that may have a tag, which comes with the first part or the last."""

    def __init__(
        self,
        pool: Pool,
        decryptor: Decryptor,
        cipher: KeyedCipher,
        tag: bytes | None,
        *,
        inline: int,
    ) -> None:
        super().__init__(pool, decryptor, inline=inline)
        self._cipher = cipher
        self._tag = tag

    async def finish(self, data: bytes, *, authentication_tag: bytes | None) -> SecretBytes:
        tag = self._tag if authentication_tag is None else authentication_tag
        self._cipher.check_tag(tag)
        return await super().finish(data, authentication_tag=tag)


def _algorithm(block: KeyBlock, parameters: CryptographicParameters) -> CryptographicAlgorithm:
    """Return what the key is for; raises BadCryptographicParameters."""
    algorithm, asked = block.cryptographic_algorithm, parameters.cryptographic_algorithm
    if algorithm is None:
        algorithm = asked
    elif asked is not None and asked != algorithm:
        raise BadCryptographicParameters(
            f"the parameters are for {spec_name(asked)}, the key is for {spec_name(algorithm)}"
        )
    if algorithm is None:
        raise BadCryptographicParameters("it is not known which Cryptographic Algorithm the key is for")
    return algorithm


def _symmetric(block: KeyBlock) -> SecretBytes:
    """Return a symmetric key; raises KmipError for a key block that shows none."""
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    key = symmetric_bytes(block.key_format_type, material)
    if key is None:
        raise InvalidField(f"a key in format {spec_name(block.key_format_type)} cannot be used")
    return key


def _check_rsa(iv_counter_nonce: bytes | None, additional_data: bytes | None) -> None:
    if iv_counter_nonce or additional_data:
        raise BadCryptographicParameters("RSA takes neither IV/Counter/Nonce nor additional data")
