"""The adapter: what the domain calls `EllipticEncoding`.

Rule: DER is read and written by the library.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import ObjectIdentifier

from strongroom.crypto.keys.curves import CURVES
from strongroom.crypto.tables import check_total
from strongroom.domain.errors import InvalidField
from strongroom.registry import RecommendedCurve

_IDENTIFIERS: Final[Mapping[RecommendedCurve, ObjectIdentifier]] = {
    RecommendedCurve.P_192: ec.EllipticCurveOID.SECP192R1,
    RecommendedCurve.P_224: ec.EllipticCurveOID.SECP224R1,
    RecommendedCurve.P_256: ec.EllipticCurveOID.SECP256R1,
    RecommendedCurve.P_384: ec.EllipticCurveOID.SECP384R1,
    RecommendedCurve.P_521: ec.EllipticCurveOID.SECP521R1,
    RecommendedCurve.SECP256K1: ec.EllipticCurveOID.SECP256K1,
    RecommendedCurve.BRAINPOOLP256R1: ec.EllipticCurveOID.BRAINPOOLP256R1,
    RecommendedCurve.BRAINPOOLP384R1: ec.EllipticCurveOID.BRAINPOOLP384R1,
    RecommendedCurve.BRAINPOOLP512R1: ec.EllipticCurveOID.BRAINPOOLP512R1,
}
check_total(
    _IDENTIFIERS,
    RecommendedCurve,
    frozenset(curve for curve in RecommendedCurve if CURVES[curve].library is None),
)
_NAMES: Final = {curve: asn1.encode_der(identifier) for curve, identifier in _IDENTIFIERS.items()}
_CURVES: Final = {name: curve for curve, name in _NAMES.items()}


class EllipticEncoder:
    """See `strongroom.domain.elliptic.EllipticEncoding`."""

    def curve_parameters(self, curve: RecommendedCurve) -> bytes | None:
        """Return the name of a curve."""
        return _NAMES.get(curve)

    def curve_named(self, parameters: bytes) -> RecommendedCurve:
        """Return the curve that a name means."""
        found = _CURVES.get(parameters)
        if found is None:
            raise InvalidField("the curve is not named, or not one that is used here")
        return found

    def octet_string(self, value: bytes) -> bytes:
        """Return bytes as an OCTET STRING."""
        return asn1.encode_der(value)

    def signature_numbers(self, signature: bytes, size: int) -> bytes:
        """Return r and s of a DER signature."""
        try:
            r, s = decode_dss_signature(signature)
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        except (ValueError, OverflowError) as exc:
            raise InvalidField("the signature is not one of this curve") from exc

    def signature_structure(self, numbers: bytes) -> bytes:
        """Return the DER signature of r and s."""
        half = len(numbers) // 2
        if not half or len(numbers) != 2 * half:
            raise InvalidField("an ECDSA signature is two numbers of equal length")
        return encode_dss_signature(
            int.from_bytes(numbers[:half], "big"), int.from_bytes(numbers[half:], "big")
        )
