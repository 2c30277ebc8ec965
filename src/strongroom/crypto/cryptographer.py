"""The adapter: what the domain calls `Cryptography`.

Rule: it decides only where work is done, inline or on the pool; what is done stands in the modules beside it.
"""

from functools import partial
from typing import Final

from strongroom.crypto import ciphers, digests, pairs, symmetric
from strongroom.crypto.certificates import examine_certificate, examine_request
from strongroom.crypto.conversion import convert_key
from strongroom.crypto.declared import Declared
from strongroom.crypto.examination import examine_key, symmetric_bytes
from strongroom.crypto.leniency import Leniencies
from strongroom.crypto.material import clear_material
from strongroom.crypto.pool import Pool
from strongroom.crypto.tables import spec_name
from strongroom.domain.crypto import Encrypted, ObjectFacts
from strongroom.domain.errors import (
    BadCryptographicParameters,
    InvalidField,
    KeyFormatTypeNotSupported,
    KeyValueNotPresent,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import (
    Certificate,
    CertificateRequest,
    ManagedObjectStruct,
    OpaqueObject,
    PGPKey,
    PrivateKey,
    PublicKey,
    SecretData,
    SplitKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Digest, RNGParameters
from strongroom.registry import (
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    RecommendedCurve,
    RNGAlgorithm,
)

INLINE: Final = 16 * 1024
"""Bytes up to which data is worked on where it is: the pool would take longer."""

_AES: Final = CryptographicAlgorithm.AES
_AES_SIZES: Final = frozenset(bits // 8 for bits in symmetric.LENGTHS[_AES].legal)


class Cryptographer:
    """Everything that needs the cryptographic library; see `strongroom.domain.crypto.Cryptography`."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = Pool() if pool is None else pool
        self._leniencies = Leniencies()

    @property
    def random_number_generator(self) -> RNGParameters:
        """The operating system's generator: what it is made of is not ours to say."""
        return RNGParameters(rng_algorithm=RNGAlgorithm.UNSPECIFIED)

    def close(self) -> None:
        """Stop the threads; see `Pool.close`."""
        self._pool.close()

    async def create_symmetric_key(self, algorithm: CryptographicAlgorithm, length: int | None) -> KeyBlock:
        """Return a fresh key in format Raw."""
        return symmetric.create(algorithm, length)

    async def create_key_pair(
        self,
        algorithm: CryptographicAlgorithm,
        length: int | None,
        curve: RecommendedCurve | None,
        qlength: int | None = None,
    ) -> tuple[KeyBlock, KeyBlock]:
        """Return a fresh (private, public) pair."""
        return await self._pool.run(pairs.create, algorithm, pairs.Wanted(length, curve, qlength))

    async def examine(
        self,
        value: ManagedObjectStruct,
        *,
        algorithm: CryptographicAlgorithm | None = None,
        length: int | None = None,
    ) -> ObjectFacts:
        """Return what an object tells about itself."""
        match value:
            case PrivateKey() | PublicKey():
                return await self._pool.run(examine_key, value, Declared(algorithm, length))
            case SymmetricKey() | SplitKey() | SecretData() | PGPKey():
                return examine_key(value, Declared(algorithm, length))
            case Certificate():
                return await self._pool.run(examine_certificate, value)
            case CertificateRequest():
                return await self._pool.run(examine_request, value)
            case _:
                return ObjectFacts()

    async def convert(
        self,
        value: ManagedObjectStruct,
        key_format_type: KeyFormatType,
        *,
        compression: KeyCompressionType | None = None,
    ) -> ManagedObjectStruct:
        """Return the object in another format, untouched when it is in that format already."""
        match value:
            case PrivateKey():
                return await self._pool.run(convert_key, value, key_format_type, compression)
            case SymmetricKey() | PublicKey() | SplitKey() | SecretData() | PGPKey():
                return convert_key(value, key_format_type, compression)
            case _:
                return _unchanged(value, key_format_type)

    def digest(self, value: ManagedObjectStruct) -> Digest | None:
        """Return the SHA-256 digest of the material as stored."""
        return digests.digest(value)

    async def encrypt(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        data: SecretBytes,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
    ) -> Encrypted:
        """Encrypt; `parameters` are complete."""
        work = partial(
            ciphers.encrypt,
            _aes_key(key, parameters),
            parameters,
            data.reveal(),
            iv=iv_counter_nonce,
            additional_data=additional_data,
            leniencies=self._leniencies,
        )
        return work() if len(data) <= INLINE else await self._pool.run(work)

    async def decrypt(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        data: bytes,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        authentication_tag: bytes | None,
    ) -> SecretBytes:
        """Decrypt; one CryptographicFailure whatever was wrong with the ciphertext."""
        work = partial(
            ciphers.decrypt,
            _aes_key(key, parameters),
            parameters,
            data,
            iv=iv_counter_nonce,
            additional_data=additional_data,
            tag=authentication_tag,
            leniencies=self._leniencies,
        )
        return SecretBytes(work() if len(data) <= INLINE else await self._pool.run(work))


def _aes_key(block: KeyBlock, parameters: CryptographicParameters) -> bytes:
    """Return the bytes of an AES key; raises KmipError for a key that is none."""
    algorithm, asked = block.cryptographic_algorithm, parameters.cryptographic_algorithm
    if algorithm is None:
        algorithm = asked
    elif asked is not None and asked != algorithm:
        raise BadCryptographicParameters(
            f"the parameters are for {spec_name(asked)}, the key is for {spec_name(algorithm)}"
        )
    if algorithm is None:
        raise BadCryptographicParameters("it is not known which Cryptographic Algorithm the key is for")
    if algorithm is not _AES:
        raise UnsupportedCryptographicParameters(f"{spec_name(algorithm)} keys are kept here, but not used")
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    key = symmetric_bytes(block.key_format_type, material)
    if key is None:
        raise InvalidField(f"a key in format {spec_name(block.key_format_type)} cannot be used")
    if len(key) not in _AES_SIZES:
        raise InvalidField(f"AES has no keys of {len(key)} bytes")
    return key.reveal()


def _unchanged(value: ManagedObjectStruct, wanted: KeyFormatType) -> ManagedObjectStruct:
    """Return an object without a key block, which has but one format (KMIP 2.1 §4.26)."""
    match value:
        case Certificate(certificate_type=CertificateType.X_509):
            only = KeyFormatType.X_509
        case CertificateRequest(certificate_request_type=CertificateRequestType.PKCS_10):
            only = KeyFormatType.PKCS_10
        case OpaqueObject():
            only = KeyFormatType.OPAQUE
        case _:
            raise KeyFormatTypeNotSupported("an object of this type has no Key Format Type")
    if wanted is not only:
        raise KeyFormatTypeNotSupported(f"an object of this type is given out as {spec_name(only)} only")
    return value
