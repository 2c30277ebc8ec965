"""Port: splitting a secret into parts, and joining them.

Rule: what a split is and which parts fit together is decided here, in KMIP's terms (1.4 §2.2.5, 2.1 §13.1);
the arithmetic of the fields and the random numbers are the adapter's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from strongroom.domain.errors import (
    CryptographicFailure,
    InvalidField,
    ServerLimitExceeded,
    UnsupportedCryptographicParameters,
)
from strongroom.model.objects import SplitKey, SplitOrigin
from strongroom.model.secret import SecretBytes
from strongroom.registry import SplitKeyMethod, SplitKeyPolynomial

MAXIMUM_PARTS: Final = 255
"""Parts of one split; no field of the four methods is smaller."""

MAXIMUM_SECRET: Final = 16 * 1024
"""Bytes; the largest keys that are known, McEliece aside, have less."""

_POLYNOMIAL: Final = frozenset(
    {SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8, SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_16}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a secret is split.

    `polynomial` is what GF(2^8) is reduced by, None in the methods that have no such field.
    `prime_field_size` belongs to Prime Field alone; None lets the server choose a prime for a new split.
    """

    method: SplitKeyMethod
    parts: int
    threshold: int
    polynomial: SplitKeyPolynomial | None = None
    prime_field_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What a split made: `material` of part 1, 2, ...; the prime; what tells altered and mixed parts."""

    material: tuple[SecretBytes, ...]
    prime_field_size: int | None
    salt: bytes
    digest_value: SecretBytes


class SecretSharing(Protocol):
    """The arithmetic of the four methods."""

    async def split(self, secret: SecretBytes, scheme: Scheme) -> Shares:
        """Return fresh shares. Raises BadCryptographicParameters for a Prime Field Size that is not prime or
        too small, ServerLimitExceeded for more work than one request may ask."""

    async def join(
        self, shares: Mapping[int, SecretBytes], scheme: Scheme, *, length: int | None
    ) -> SecretBytes:
        """Return the secret; `shares` are by Key Part Identifier, at least as many as the threshold.

        `length` is that of the secret in bytes, None when it is not known; it counts where the shares leave
        it open and the secret fits. Raises CryptographicFailure when the shares do not fit together,
        BadCryptographicParameters for a Prime Field Size that is not prime, and ServerLimitExceeded.
        """

    def require_origin(self, secret: SecretBytes, origin: SplitOrigin) -> None:
        """Return if the secret is the one that was split; raises CryptographicFailure."""


def checked_scheme(
    method: SplitKeyMethod,
    *,
    parts: int,
    threshold: int,
    polynomial: SplitKeyPolynomial | None,
    prime_field_size: int | None,
) -> Scheme:
    """Return a checked scheme for a new split; raises the KmipError that says what is wrong with it.

    A threshold of one is none: each part would be the key (KMIP 2.1 §1.2, Split Key).
    """
    if not isinstance(method, SplitKeyMethod):
        raise UnsupportedCryptographicParameters("the server knows no such Split Key Method")
    if parts > MAXIMUM_PARTS:
        raise ServerLimitExceeded(f"a key is split into at most {MAXIMUM_PARTS} parts")
    if not 2 <= threshold <= parts:
        raise InvalidField("the Split Key Threshold must be at least 2 and at most the Split Key Parts")
    if method is SplitKeyMethod.XOR and threshold != parts:
        raise InvalidField("XOR needs every part: Split Key Threshold and Split Key Parts must be the same")
    if prime_field_size is not None and method is not SplitKeyMethod.POLYNOMIAL_SHARING_PRIME_FIELD:
        raise InvalidField("Prime Field Size belongs to Polynomial Sharing Prime Field alone; leave it out")
    return Scheme(
        method=method,
        parts=parts,
        threshold=threshold,
        polynomial=polynomial if method in _POLYNOMIAL else None,
        prime_field_size=prime_field_size,
    )


def polynomial_of(
    method: SplitKeyMethod, declared: SplitKeyPolynomial | None, *, as_fips_197: bool
) -> SplitKeyPolynomial | None:
    """Return what GF(2^8) is reduced by; `declared` decides.

    SPEC(KMIP 1.4 §2.2.5, 2.1 §13.1): the texts give the field for GF(2^16) only, x^8+x^4+x^3+x+1 (283) until
    1.4 and x^8+x^4+x^3+x^2+1 (285) since. For GF(2^8) the shares printed in the test cases of every version
    are made with 285.
    """
    if method not in _POLYNOMIAL:
        return None
    if declared is not None:
        return declared
    if method is SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_16 and as_fips_197:
        return SplitKeyPolynomial.POLYNOMIAL_283
    return SplitKeyPolynomial.POLYNOMIAL_285


def common_scheme(parts: Sequence[SplitKey], polynomial: SplitKeyPolynomial | None) -> Scheme:
    """Return the scheme that the parts agree on; raises CryptographicFailure unless they fit together."""
    first = parts[0]
    if not isinstance(first.split_key_method, SplitKeyMethod):
        raise UnsupportedCryptographicParameters("the server does not know the Split Key Method of the parts")
    if any(_terms(part) != _terms(first) for part in parts):
        raise CryptographicFailure("the parts are of different splits: method, threshold or number differ")
    identifiers = {part.key_part_identifier for part in parts}
    if len(identifiers) < len(parts):
        raise InvalidField("two of the parts have the same Key Part Identifier; name each part once")
    if len(parts) < first.split_key_threshold:
        raise CryptographicFailure(
            f"{first.split_key_threshold} parts are needed, the request names {len(parts)}"
        )
    if first.split_key_method is SplitKeyMethod.XOR and len(parts) < first.split_key_parts:
        raise CryptographicFailure(f"XOR needs all {first.split_key_parts} parts")
    if len({o.salt for part in parts if (o := part.split_origin) is not None}) > 1:
        raise CryptographicFailure("the parts are of different splits")
    return Scheme(
        method=first.split_key_method,
        parts=first.split_key_parts,
        threshold=first.split_key_threshold,
        polynomial=polynomial,
        prime_field_size=first.prime_field_size,
    )


def _terms(part: SplitKey) -> tuple[object, ...]:
    """Return what all parts of one split have in common."""
    return (
        part.split_key_method,
        part.split_key_parts,
        part.split_key_threshold,
        part.prime_field_size,
    )


def common_origin(parts: Sequence[SplitKey]) -> SplitOrigin | None:
    """Return what is remembered of the whole; None when no part was made here."""
    return next((o for part in parts if (o := part.split_origin) is not None), None)
