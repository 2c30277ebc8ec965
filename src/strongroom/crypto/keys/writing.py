"""From the library's key to the material of a key block.

Rule: a table says which kind of key is written in which Key Format Type. DER is written by the library alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.crypto.keys import transparent
from strongroom.crypto.keys.encodings import with_point
from strongroom.crypto.keys.families import (
    DH,
    DSA,
    EC,
    FAMILIES,
    FIXED,
    RSA,
    X448,
    X25519,
    Family,
    LibraryKey,
)
from strongroom.crypto.post_quantum.adapter import KINDS
from strongroom.crypto.tables import check_total
from strongroom.model.keys import KeyMaterial, TransparentKey, spell_out
from strongroom.model.secret import SecretBytes
from strongroom.registry import KeyCompressionType as Compression
from strongroom.registry import KeyFormatType as Format

Writer: TypeAlias = Callable[[Any], KeyMaterial]


def _private_der(form: PrivateFormat) -> Writer:
    return lambda key: SecretBytes(key.private_bytes(Encoding.DER, form, NoEncryption()))


def _public_der(form: PublicFormat) -> Writer:
    return lambda key: SecretBytes(key.public_bytes(Encoding.DER, form))


def _numbers(spell: Callable[[Any], TransparentKey]) -> Writer:
    return lambda key: spell_out(spell(key))


def _raw_private(key: Any) -> KeyMaterial:
    """Return the bytes that an EdDSA key is; of an ML-KEM or ML-DSA key, the seed."""
    return SecretBytes(key.private_bytes_raw())


def _raw_public(key: Any) -> KeyMaterial:
    return SecretBytes(key.public_bytes_raw())


RAW: Final[tuple[Family, ...]] = tuple(fixed.family for fixed in FIXED.values())
"""Kinds of keys that are plain bytes: the Cryptographic Algorithm alone says what the bytes mean."""

_PKCS_8: Final = _private_der(PrivateFormat.PKCS8)
_X_509: Final = _public_der(PublicFormat.SubjectPublicKeyInfo)

_WRITERS: Final[Mapping[type, Mapping[Format, Writer]]] = {
    RSA.private: {
        Format.PKCS_1: _private_der(PrivateFormat.TraditionalOpenSSL),
        Format.PKCS_8: _PKCS_8,
        Format.TRANSPARENT_RSA_PRIVATE_KEY: _numbers(transparent.rsa_private),
    },
    RSA.public: {
        Format.PKCS_1: _public_der(PublicFormat.PKCS1),
        Format.X_509: _X_509,
        Format.TRANSPARENT_RSA_PUBLIC_KEY: _numbers(transparent.rsa_public),
    },
    EC.private: {
        Format.ECPRIVATEKEY: _private_der(PrivateFormat.TraditionalOpenSSL),
        Format.PKCS_8: _PKCS_8,
        Format.TRANSPARENT_EC_PRIVATE_KEY: _numbers(transparent.ec_private),
        Format.TRANSPARENT_ECDSA_PRIVATE_KEY: _numbers(transparent.ec_private),
        Format.TRANSPARENT_ECDH_PRIVATE_KEY: _numbers(transparent.ec_private),
        Format.TRANSPARENT_ECMQV_PRIVATE_KEY: _numbers(transparent.ec_private),
    },
    EC.public: {
        Format.X_509: _X_509,
        Format.TRANSPARENT_EC_PUBLIC_KEY: _numbers(transparent.ec_public),
        Format.TRANSPARENT_ECDSA_PUBLIC_KEY: _numbers(transparent.ec_public),
        Format.TRANSPARENT_ECDH_PUBLIC_KEY: _numbers(transparent.ec_public),
        Format.TRANSPARENT_ECMQV_PUBLIC_KEY: _numbers(transparent.ec_public),
    },
    DSA.private: {
        Format.PKCS_8: _PKCS_8,
        Format.TRANSPARENT_DSA_PRIVATE_KEY: _numbers(transparent.dsa_private),
    },
    DSA.public: {
        Format.X_509: _X_509,
        Format.TRANSPARENT_DSA_PUBLIC_KEY: _numbers(transparent.dsa_public),
    },
    DH.private: {
        Format.PKCS_8: _PKCS_8,
        Format.TRANSPARENT_DH_PRIVATE_KEY: _numbers(transparent.dh_private),
    },
    DH.public: {
        Format.X_509: _X_509,
        Format.TRANSPARENT_DH_PUBLIC_KEY: _numbers(transparent.dh_public),
    },
    **{
        family.private: {
            Format.PKCS_8: _PKCS_8,
            Format.TRANSPARENT_EC_PRIVATE_KEY: _numbers(transparent.montgomery_private),
            Format.TRANSPARENT_ECDH_PRIVATE_KEY: _numbers(transparent.montgomery_private),
        }
        for family in (X25519, X448)
    },
    **{
        family.public: {
            Format.X_509: _X_509,
            Format.TRANSPARENT_EC_PUBLIC_KEY: _numbers(transparent.montgomery_public),
            Format.TRANSPARENT_ECDH_PUBLIC_KEY: _numbers(transparent.montgomery_public),
        }
        for family in (X25519, X448)
    },
    **{family.private: {Format.PKCS_8: _PKCS_8, Format.RAW: _raw_private} for family in RAW},
    **{family.public: {Format.X_509: _X_509, Format.RAW: _raw_public} for family in RAW},
    # The library writes no DER of these.
    **{kind.private: {Format.RAW: _raw_private} for kind in KINDS.values()},
    **{kind.public: {Format.RAW: _raw_public} for kind in KINDS.values()},
}

if set(_WRITERS) != {side for family in FAMILIES for side in (family.private, family.public)}:
    raise TypeError("every family of keys needs writers for both sides")

_POINTS: Final[Mapping[Compression, Callable[[ec.EllipticCurvePublicKey], bytes]]] = {
    Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED: lambda key: key.public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    ),
    Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME: lambda key: key.public_bytes(
        Encoding.X962, PublicFormat.CompressedPoint
    ),
    Compression.EC_PUBLIC_KEY_TYPE_X9_62_HYBRID: transparent.hybrid_point,
}
"""The forms of a point; those over fields of characteristic two are for curves that the library lacks."""

check_total(_POINTS, Compression, {Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_CHAR2})


def writers(key: LibraryKey) -> Mapping[Format, Writer]:
    """Return the formats that a key is written in; none for a kind without a family."""
    return next((table for side, table in _WRITERS.items() if isinstance(key, side)), {})


def write_point(key: LibraryKey, key_format: Format, compression: Compression) -> KeyMaterial | None:
    """Return an EC public key with its point in the form asked for; None where that cannot be written."""
    point = _POINTS.get(compression)
    if point is None or not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    if key_format is Format.X_509:
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return SecretBytes(with_point(spki, point(key)))
    return spell_out(transparent.ec_public(key, point(key)))
