"""Port: elliptic curves as PKCS#11 writes them.

Rule: encodings only; no key crosses this port.
"""

from typing import Protocol

from strongroom.registry import RecommendedCurve


class EllipticEncoding(Protocol):
    """PKCS#11 names a curve by its object identifier in DER, puts a point into an OCTET STRING, and writes an
    ECDSA signature as two numbers of equal length, where KMIP has a DER structure."""

    def curve_parameters(self, curve: RecommendedCurve) -> bytes | None:
        """Return the name of a curve; None for one that the library does not know."""

    def curve_named(self, parameters: bytes) -> RecommendedCurve:
        """Return the curve that a name means; raises InvalidField for no name, or an unknown one."""

    def octet_string(self, value: bytes) -> bytes:
        """Return bytes as an OCTET STRING."""

    def signature_numbers(self, signature: bytes, size: int) -> bytes:
        """Return r and s of a DER signature, each in `size` bytes; raises InvalidField."""

    def signature_structure(self, numbers: bytes) -> bytes:
        """Return the DER signature of r and s; raises InvalidField when they are not of equal length."""
