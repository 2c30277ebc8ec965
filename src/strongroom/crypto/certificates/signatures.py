"""With which algorithm a certificate is signed.

Rule: what the request asks for, else what the parameters of the issuing key say, else what suits the key. MD5
and SHA-1 are kept and shown, but not made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import InvalidField
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import DigitalSignatureAlgorithm as Algorithm
from strongroom.registry import HashingAlgorithm, PaddingMethod

SignatureHash = (
    hashes.SHA224
    | hashes.SHA256
    | hashes.SHA384
    | hashes.SHA512
    | hashes.SHA3_256
    | hashes.SHA3_384
    | hashes.SHA3_512
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What the library is told; an Ed25519 key and its like take neither."""

    algorithm: SignatureHash | None = None
    pss: bool = False

    @property
    def padding(self) -> padding.PSS | padding.PKCS1v15 | None:
        """Return the padding of an RSA signature; None for the library's own choice, PKCS #1 v1.5."""
        if not self.pss or self.algorithm is None:
            return None
        return padding.PSS(padding.MGF1(self.algorithm), padding.PSS.DIGEST_LENGTH)


_RSA: Final = rsa.RSAPrivateKey
_ECDSA: Final = ec.EllipticCurvePrivateKey
_DSA: Final = dsa.DSAPrivateKey

_ALGORITHMS: Final[Mapping[Algorithm, tuple[type, type[SignatureHash] | None]]] = {
    Algorithm.SHA_224_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA224),
    Algorithm.SHA_256_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA256),
    Algorithm.SHA_384_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA384),
    Algorithm.SHA_512_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA512),
    Algorithm.SHA3_256_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA3_256),
    Algorithm.SHA3_384_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA3_384),
    Algorithm.SHA3_512_WITH_RSA_ENCRYPTION: (_RSA, hashes.SHA3_512),
    Algorithm.RSASSA_PSS: (_RSA, None),
    Algorithm.DSA_WITH_SHA224: (_DSA, hashes.SHA224),
    Algorithm.DSA_WITH_SHA256: (_DSA, hashes.SHA256),
    Algorithm.ECDSA_WITH_SHA224: (_ECDSA, hashes.SHA224),
    Algorithm.ECDSA_WITH_SHA256: (_ECDSA, hashes.SHA256),
    Algorithm.ECDSA_WITH_SHA384: (_ECDSA, hashes.SHA384),
    Algorithm.ECDSA_WITH_SHA512: (_ECDSA, hashes.SHA512),
}
"""The key that an algorithm takes, and its hash; PSS takes any."""

check_total(
    _ALGORITHMS,
    Algorithm,
    {
        Algorithm.MD2_WITH_RSA_ENCRYPTION,
        Algorithm.MD5_WITH_RSA_ENCRYPTION,
        Algorithm.SHA_1_WITH_RSA_ENCRYPTION,
        Algorithm.DSA_WITH_SHA_1,
        Algorithm.ECDSA_WITH_SHA_1,
    },
)

_HASHES: Final[Mapping[HashingAlgorithm, type[SignatureHash]]] = {
    HashingAlgorithm.SHA_224: hashes.SHA224,
    HashingAlgorithm.SHA_256: hashes.SHA256,
    HashingAlgorithm.SHA_384: hashes.SHA384,
    HashingAlgorithm.SHA_512: hashes.SHA512,
    HashingAlgorithm.SHA3_256: hashes.SHA3_256,
    HashingAlgorithm.SHA3_384: hashes.SHA3_384,
    HashingAlgorithm.SHA3_512: hashes.SHA3_512,
}


def choose(
    key: CertificateIssuerPrivateKeyTypes, asked: Algorithm | None, own: CryptographicParameters | None
) -> Signing:
    """Return how to sign; raises InvalidField for an algorithm that is not made or not of the key."""
    hashing = None if own is None or own.hashing_algorithm is None else own.hashing_algorithm
    if asked is None and own is not None:
        asked = own.digital_signature_algorithm
        if asked is None and own.padding_method is PaddingMethod.PSS:
            asked = Algorithm.RSASSA_PSS
    if asked is None:
        return Signing(algorithm=_usual(key, hashing))
    if asked not in _ALGORITHMS:
        raise InvalidField(f"certificates are not signed with {spec_name(asked)}; choose SHA-256 or better")
    kind, algorithm = _ALGORITHMS[asked]
    if not isinstance(key, kind):
        raise InvalidField(f"the issuing key cannot sign with {spec_name(asked)}")
    if algorithm is None:
        return Signing(
            algorithm=_HASHES.get(hashing, hashes.SHA256)() if hashing else hashes.SHA256(), pss=True
        )
    return Signing(algorithm=algorithm())


def _usual(key: CertificateIssuerPrivateKeyTypes, hashing: HashingAlgorithm | None) -> SignatureHash | None:
    match key:
        case rsa.RSAPrivateKey() | dsa.DSAPrivateKey():
            usual: type[SignatureHash] = hashes.SHA256
        case ec.EllipticCurvePrivateKey():
            size = key.curve.key_size
            usual = hashes.SHA256 if size <= 256 else hashes.SHA384 if size <= 384 else hashes.SHA512
        case _:
            return None
    return usual() if hashing is None else _HASHES.get(hashing, usual)()
