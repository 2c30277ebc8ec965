"""The adapter: what the domain calls `Cryptography`.

Rule: it decides only where work is done, inline or on the pool; what is done stands in the modules beside it.
"""

from typing import Final

from strongroom.crypto.certificates.contents import examine_certificate, examine_request
from strongroom.crypto.certificates.issuing import Certifier
from strongroom.crypto.computing.adapter import Computations
from strongroom.crypto.containers.adapter import ContainerAdapter
from strongroom.crypto.credentials import CredentialAdapter
from strongroom.crypto.derivation.adapter import DerivationAdapter
from strongroom.crypto.keys import digests, pairs, symmetric
from strongroom.crypto.keys.conversion import convert_key
from strongroom.crypto.keys.declared import Declared
from strongroom.crypto.keys.defaults import in_default_format
from strongroom.crypto.keys.elliptic import EllipticEncoder
from strongroom.crypto.keys.examination import examine_key, examine_pgp
from strongroom.crypto.leniency import Leniencies
from strongroom.crypto.pool import Pool
from strongroom.crypto.sharing.adapter import Splitting
from strongroom.crypto.tables import spec_name
from strongroom.crypto.wrapping import KeyWrapping
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
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
from strongroom.model.structures import Digest, RNGParameters
from strongroom.registry import (
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    RecommendedCurve,
    RNGAlgorithm,
)


class Cryptographer(
    DerivationAdapter,
    Computations,
    Splitting,
    KeyWrapping,
    ContainerAdapter,
    Certifier,
    CredentialAdapter,
    EllipticEncoder,
):
    """Everything that needs the cryptographic library; see `strongroom.domain.crypto.Cryptography`."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = Pool() if pool is None else pool
        self._leniencies = Leniencies()

    random_number_generator: Final = RNGParameters(rng_algorithm=RNGAlgorithm.UNSPECIFIED)
    """The operating system's generator: what it is made of is not ours to say."""

    def close(self) -> None:
        """Stop the threads; see `Pool.close`."""
        self._pool.close()

    async def create_symmetric_key(self, algorithm: CryptographicAlgorithm, length: int | None) -> KeyBlock:
        """Return a fresh key in format Raw."""
        return symmetric.create(algorithm, length)

    async def create_secret_data(self, length: int | None) -> tuple[int, KeyBlock]:
        """Return fresh secret bytes in format Raw, after their length."""
        return symmetric.create_secret(length)

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
            case PGPKey():
                return await self._pool.run(examine_pgp, value, Declared(algorithm, length))
            case SymmetricKey() | SplitKey() | SecretData():
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

    async def default_digest(self, value: ManagedObjectStruct) -> Digest | None:
        """Return the SHA-256 digest of the object in the default format of its kind."""
        match value:
            case PrivateKey() | PublicKey():
                made = await self._pool.run(in_default_format, value)
            case SymmetricKey() | SplitKey() | SecretData() | PGPKey():
                made = in_default_format(value)
            case _:
                return None
        return None if made is None else digests.digest(made)

    def digest(self, value: ManagedObjectStruct) -> Digest | None:
        """Return the SHA-256 digest of the material as stored."""
        return digests.digest(value)


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
