"""Elliptic curves: the specification's names, their sizes, and which of them the library computes with.

Rule: a key on any curve of the specification can be stored; only curves of the library are generated, checked
and converted.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.crypto.tables import check_total
from strongroom.registry import RecommendedCurve as Curve


class CurveEntry(NamedTuple):
    """`bits` is the Cryptographic Length of a key; `library` is None where the library lacks the curve."""

    bits: int
    library: type[ec.EllipticCurve] | None = None


CURVES: Final[Mapping[Curve, CurveEntry]] = {
    Curve.P_192: CurveEntry(192, ec.SECP192R1),
    Curve.P_224: CurveEntry(224, ec.SECP224R1),
    Curve.P_256: CurveEntry(256, ec.SECP256R1),
    Curve.P_384: CurveEntry(384, ec.SECP384R1),
    Curve.P_521: CurveEntry(521, ec.SECP521R1),
    Curve.SECP256K1: CurveEntry(256, ec.SECP256K1),
    Curve.BRAINPOOLP256R1: CurveEntry(256, ec.BrainpoolP256R1),
    Curve.BRAINPOOLP384R1: CurveEntry(384, ec.BrainpoolP384R1),
    Curve.BRAINPOOLP512R1: CurveEntry(512, ec.BrainpoolP512R1),
    Curve.K_163: CurveEntry(163),
    Curve.B_163: CurveEntry(163),
    Curve.K_233: CurveEntry(233),
    Curve.B_233: CurveEntry(233),
    Curve.K_283: CurveEntry(283),
    Curve.B_283: CurveEntry(283),
    Curve.K_409: CurveEntry(409),
    Curve.B_409: CurveEntry(409),
    Curve.K_571: CurveEntry(571),
    Curve.B_571: CurveEntry(571),
    Curve.SECP112R1: CurveEntry(112),
    Curve.SECP112R2: CurveEntry(112),
    Curve.SECP128R1: CurveEntry(128),
    Curve.SECP128R2: CurveEntry(128),
    Curve.SECP160K1: CurveEntry(160),
    Curve.SECP160R1: CurveEntry(160),
    Curve.SECP160R2: CurveEntry(160),
    Curve.SECP192K1: CurveEntry(192),
    Curve.SECP224K1: CurveEntry(224),
    Curve.SECT113R1: CurveEntry(113),
    Curve.SECT113R2: CurveEntry(113),
    Curve.SECT131R1: CurveEntry(131),
    Curve.SECT131R2: CurveEntry(131),
    Curve.SECT163R1: CurveEntry(163),
    Curve.SECT193R1: CurveEntry(193),
    Curve.SECT193R2: CurveEntry(193),
    Curve.SECT239K1: CurveEntry(239),
    Curve.ANSIX9P192V2: CurveEntry(192),
    Curve.ANSIX9P192V3: CurveEntry(192),
    Curve.ANSIX9P239V1: CurveEntry(239),
    Curve.ANSIX9P239V2: CurveEntry(239),
    Curve.ANSIX9P239V3: CurveEntry(239),
    Curve.ANSIX9C2PNB163V1: CurveEntry(163),
    Curve.ANSIX9C2PNB163V2: CurveEntry(163),
    Curve.ANSIX9C2PNB163V3: CurveEntry(163),
    Curve.ANSIX9C2PNB176V1: CurveEntry(176),
    Curve.ANSIX9C2TNB191V1: CurveEntry(191),
    Curve.ANSIX9C2TNB191V2: CurveEntry(191),
    Curve.ANSIX9C2TNB191V3: CurveEntry(191),
    Curve.ANSIX9C2PNB208W1: CurveEntry(208),
    Curve.ANSIX9C2TNB239V1: CurveEntry(239),
    Curve.ANSIX9C2TNB239V2: CurveEntry(239),
    Curve.ANSIX9C2TNB239V3: CurveEntry(239),
    Curve.ANSIX9C2PNB272W1: CurveEntry(272),
    Curve.ANSIX9C2PNB304W1: CurveEntry(304),
    Curve.ANSIX9C2TNB359V1: CurveEntry(359),
    Curve.ANSIX9C2PNB368W1: CurveEntry(368),
    Curve.ANSIX9C2TNB431R1: CurveEntry(431),
    Curve.BRAINPOOLP160R1: CurveEntry(160),
    Curve.BRAINPOOLP160T1: CurveEntry(160),
    Curve.BRAINPOOLP192R1: CurveEntry(192),
    Curve.BRAINPOOLP192T1: CurveEntry(192),
    Curve.BRAINPOOLP224R1: CurveEntry(224),
    Curve.BRAINPOOLP224T1: CurveEntry(224),
    Curve.BRAINPOOLP256T1: CurveEntry(256),
    Curve.BRAINPOOLP320R1: CurveEntry(320),
    Curve.BRAINPOOLP320T1: CurveEntry(320),
    Curve.BRAINPOOLP384T1: CurveEntry(384),
    Curve.BRAINPOOLP512T1: CurveEntry(512),
    # Not in Weierstrass form: their keys have formats and algorithms of their own.
    Curve.CURVE25519: CurveEntry(256),
    Curve.CURVE448: CurveEntry(448),
}

check_total(CURVES, Curve, frozenset())

BY_LIBRARY_NAME: Final[Mapping[str, Curve]] = {
    entry.library().name: curve for curve, entry in CURVES.items() if entry.library is not None
}

P_CURVES: Final[Mapping[int, Curve]] = {
    192: Curve.P_192,
    224: Curve.P_224,
    256: Curve.P_256,
    384: Curve.P_384,
    521: Curve.P_521,
}
"""The curve that a Cryptographic Length alone means."""


def library_curve(curve: Curve) -> ec.EllipticCurve | None:
    """Return the library's curve, None when it has none."""
    entry = CURVES.get(curve)
    return None if entry is None or entry.library is None else entry.library()
