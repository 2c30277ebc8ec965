"""The outside of DER encodings, read and written by the library's ASN.1.

Rule: only what the library's own key loading does not offer: the group of a DH key before it is loaded, and
the point of an elliptic curve public key in another form.
"""

from typing import Any, Final

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from strongroom.crypto.keys.finite_field import DHParameterNumbers

_PKCS_3: Final = ObjectIdentifier("1.2.840.113549.1.3.1")
_X9_42: Final = ObjectIdentifier("1.2.840.10046.2.1")


@asn1.sequence
class _AlgorithmIdentifier:
    algorithm: ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class _SubjectPublicKeyInfo:
    algorithm: _AlgorithmIdentifier
    subject_public_key: asn1.BitString


@asn1.sequence
class _PrivateKeyInfo:
    version: int
    algorithm: _AlgorithmIdentifier
    private_key: bytes


@asn1.sequence
class _DHParameter:  # PKCS#3
    prime: int
    base: int
    private_value_length: int | None


@asn1.sequence
class _ValidationParameters:
    seed: asn1.BitString
    counter: int


@asn1.sequence
class _DomainParameters:  # RFC 3279
    p: int
    g: int
    q: int
    j: int | None
    validation: _ValidationParameters | None


_BEGINNING: Final = 64
"""Bytes of an encoding in which the object identifier of the algorithm begins."""

_NAMES: Final = (bytes.fromhex("2a864886f70d010301"), bytes.fromhex("2a8648ce3e0201"))
"""The two object identifiers as they stand in an encoding."""


def dh_group(der: bytes) -> DHParameterNumbers | None:
    """Return the group of a DH key; None for any other key.

    Raises ValueError for malformed parameters and for DH keys with more around them than a group and a
    number: what is not seen here must not get to the library.
    """
    if not any(name in der[:_BEGINNING] for name in _NAMES):
        return None
    outers: tuple[type[Any], ...] = (_SubjectPublicKeyInfo, _PrivateKeyInfo)
    for outer in outers:
        try:
            read: _SubjectPublicKeyInfo | _PrivateKeyInfo = asn1.decode_der(outer, der)
        except ValueError:
            continue
        algorithm = read.algorithm
        if algorithm.algorithm == _PKCS_3:
            short = algorithm.parameters.parse(_DHParameter)
            return DHParameterNumbers(short.prime, short.base)
        if algorithm.algorithm == _X9_42:
            full = algorithm.parameters.parse(_DomainParameters)
            return DHParameterNumbers(full.p, full.g, full.q)
    raise ValueError("not the encoding of a DH key")


def with_point(spki: bytes, point: bytes) -> bytes:
    """Return a SubjectPublicKeyInfo with another form of its point."""
    before = asn1.decode_der(_SubjectPublicKeyInfo, spki)
    return asn1.encode_der(
        _SubjectPublicKeyInfo(algorithm=before.algorithm, subject_public_key=asn1.BitString(point, 0))
    )
