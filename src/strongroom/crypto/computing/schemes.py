"""Signature schemes: from Cryptographic Parameters to what the library is asked (KMIP 2.1 §4.16 and §11.16).

Rule: either the Digital Signature Algorithm says all, or key, Hashing Algorithm and Padding Method do. Where
both speak they must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.crypto.computing.hashing import REFUSED as REFUSED_HASHES
from strongroom.crypto.keys.families import (
    DH,
    DSA,
    EC,
    ED448,
    ED25519,
    FAMILIES,
    FIXED,
    ML_DSA_44,
    ML_DSA_65,
    ML_DSA_87,
    ML_KEM_768,
    ML_KEM_1024,
    RSA,
    X448,
    X25519,
    Family,
)
from strongroom.crypto.post_quantum.adapter import ENCAPSULATING, SIGNING
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import BadCryptographicParameters, UnsupportedCryptographicParameters
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import DigitalSignatureAlgorithm as Signature
from strongroom.registry import HashingAlgorithm as Hashing
from strongroom.registry import PaddingMethod as Padding


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How to sign. `hashing` is None for a scheme that hashes by itself, and for unnamed digests."""

    family: Family
    hashing: Hashing | None = None
    padding: Padding | None = None


def _rsa(hashing: Hashing) -> Scheme:
    return Scheme(family=RSA, hashing=hashing, padding=Padding.PKCS1_V1_5)


def _dsa(hashing: Hashing) -> Scheme:
    return Scheme(family=DSA, hashing=hashing)


def _ecdsa(hashing: Hashing) -> Scheme:
    return Scheme(family=EC, hashing=hashing)


SIGNATURES: Final[Mapping[Signature, Scheme]] = {
    Signature.MD2_WITH_RSA_ENCRYPTION: _rsa(Hashing.MD2),
    Signature.MD5_WITH_RSA_ENCRYPTION: _rsa(Hashing.MD5),
    Signature.SHA_1_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA_1),
    Signature.SHA_224_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA_224),
    Signature.SHA_256_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA_256),
    Signature.SHA_384_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA_384),
    Signature.SHA_512_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA_512),
    Signature.SHA3_256_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA3_256),
    Signature.SHA3_384_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA3_384),
    Signature.SHA3_512_WITH_RSA_ENCRYPTION: _rsa(Hashing.SHA3_512),
    Signature.RSASSA_PSS: Scheme(family=RSA, padding=Padding.PSS),
    Signature.DSA_WITH_SHA_1: _dsa(Hashing.SHA_1),
    Signature.DSA_WITH_SHA224: _dsa(Hashing.SHA_224),
    Signature.DSA_WITH_SHA256: _dsa(Hashing.SHA_256),
    Signature.ECDSA_WITH_SHA_1: _ecdsa(Hashing.SHA_1),
    Signature.ECDSA_WITH_SHA224: _ecdsa(Hashing.SHA_224),
    Signature.ECDSA_WITH_SHA256: _ecdsa(Hashing.SHA_256),
    Signature.ECDSA_WITH_SHA384: _ecdsa(Hashing.SHA_384),
    Signature.ECDSA_WITH_SHA512: _ecdsa(Hashing.SHA_512),
}

check_total(SIGNATURES, Signature, frozenset())

_PADDINGS_OF_RSA: Final = frozenset({Padding.PKCS1_V1_5, Padding.PSS})
_OF_ENCRYPTION: Final = frozenset(
    {Padding.OAEP, Padding.PKCS5, Padding.ANSI_X9_23, Padding.ISO_10126, Padding.ZEROS}
)
"""Paddings that fill up what is encrypted."""
_UNKNOWN_TO_THE_LIBRARY: Final = frozenset({Padding.NONE, Padding.SSL3, Padding.X9_31})

check_total(_PADDINGS_OF_RSA | _OF_ENCRYPTION, Padding, _UNKNOWN_TO_THE_LIBRARY)

_WITH_A_DIGEST: Final = (RSA, DSA, EC)
"""Families that sign the digest of a message, made with a hash function of the signer's choice."""
_OF_A_MESSAGE: Final = (
    *(ED25519, ED448, ML_DSA_44, ML_DSA_65, ML_DSA_87),
    *(FIXED[algorithm].family for algorithm in SIGNING),
)
_SIGN_NOTHING: Final = (
    *(DH, X25519, X448, ML_KEM_768, ML_KEM_1024),
    *(FIXED[algorithm].family for algorithm in ENCAPSULATING),
)

if {id(f) for f in (*_WITH_A_DIGEST, *_OF_A_MESSAGE, *_SIGN_NOTHING)} != {id(f) for f in FAMILIES}:
    raise TypeError("the kinds of keys are not all handled")


class OfAnotherKind(BadCryptographicParameters):
    """The parameters are for another kind of key."""


def scheme_of(family: Family, parameters: Parameters, *, digested: bool) -> Scheme:
    """Return how a key of `family` signs under `parameters`; raises OfAnotherKind and what it derives from.

    `digested`: the data is a digest already, so that nobody need know what made it.
    """
    if family in _SIGN_NOTHING:
        raise UnsupportedCryptographicParameters(f"{spec_name(family.usual)} keys sign nothing")
    named = parameters.digital_signature_algorithm
    if named is not None and named not in SIGNATURES:  # a vendor's
        raise UnsupportedCryptographicParameters("the server knows no such Digital Signature Algorithm")
    scheme = _composed(family, parameters) if named is None else _merged(SIGNATURES[named], parameters)
    asked = parameters.cryptographic_algorithm
    if scheme.family is not family or (asked is not None and asked not in family.algorithms):
        raise OfAnotherKind("the parameters are for another kind of key")
    if family not in _WITH_A_DIGEST:
        return _bare(scheme, parameters, digested=digested)
    if scheme.hashing is None and (not digested or scheme.padding is Padding.PSS):
        raise BadCryptographicParameters("name a Hashing Algorithm or a Digital Signature Algorithm")
    if scheme.hashing in REFUSED_HASHES:
        raise UnsupportedCryptographicParameters(f"{spec_name(scheme.hashing)} is not computed here")
    return scheme


def _composed(family: Family, parameters: Parameters) -> Scheme:
    padding = parameters.padding_method
    asked = parameters.cryptographic_algorithm
    if asked is not None and asked not in family.algorithms:
        raise OfAnotherKind("the parameters are for another kind of key")
    if family is not RSA:
        if padding not in (None, Padding.NONE):
            raise BadCryptographicParameters(f"{spec_name(family.usual)} signatures have no padding")
        return Scheme(family=family, hashing=parameters.hashing_algorithm)
    if padding in _OF_ENCRYPTION:
        raise BadCryptographicParameters(
            f"padding {spec_name(padding)} is for encryption, not for signatures"
        )
    if padding in _UNKNOWN_TO_THE_LIBRARY:
        raise UnsupportedCryptographicParameters(f"RSA does not sign with padding {spec_name(padding)} here")
    # SPEC(KMIP 2.1 §4.16): no default is given; PKCS#1 v1.5 is what an RSA signature without a word means.
    return Scheme(
        family=RSA,
        hashing=parameters.hashing_algorithm,
        padding=Padding.PKCS1_V1_5 if padding is None else padding,
    )


def _merged(scheme: Scheme, parameters: Parameters) -> Scheme:
    """Return the scheme of a Digital Signature Algorithm, after a look at what else is said."""
    hashing, padding = parameters.hashing_algorithm, parameters.padding_method
    if padding is not None and padding is not scheme.padding:
        raise BadCryptographicParameters("Padding Method and Digital Signature Algorithm disagree")
    if hashing is None or hashing is scheme.hashing:
        return scheme
    if scheme.hashing is not None:
        raise BadCryptographicParameters("Hashing Algorithm and Digital Signature Algorithm disagree")
    return Scheme(family=scheme.family, hashing=hashing, padding=scheme.padding)


def _bare(scheme: Scheme, parameters: Parameters, *, digested: bool) -> Scheme:
    """Return a scheme that takes the message as it is."""
    name = spec_name(scheme.family.usual)
    if scheme.hashing is not None:
        raise BadCryptographicParameters(
            f"{name} has a hash function of its own; leave the Hashing Algorithm out"
        )
    if digested:
        raise BadCryptographicParameters(f"{name} signs the message itself; send Data, not Digested Data")
    return scheme
