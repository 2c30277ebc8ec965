"""The groups that Diffie-Hellman keys are made in: ffdhe2048 to ffdhe8192 (RFC 7919 appendix A).

Rule: a fresh prime takes minutes to find and nobody could check where it came from, so keys are made in known
groups. Each is defined by a formula over the digits of e, which is worked out here once it is needed.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from strongroom.crypto.finite_field import DHParameterNumbers

OFFSETS: Final[Mapping[int, int]] = {
    2048: 560316,
    3072: 2625351,
    4096: 5736041,
    6144: 15705020,
    8192: 10965728,
}
"""Bits of P, and the number that makes both P and (P - 1) / 2 prime in the formula of the RFC."""

_GENERATOR: Final = 2
_GUARD: Final = 64  # bits that rounding may spoil; the series has fewer than 2**11 terms


@cache
def group(bits: int) -> DHParameterNumbers:
    """Return the group of this size; `bits` is a key of OFFSETS."""
    digits = _e(bits - 130) + OFFSETS[bits]
    return DHParameterNumbers(2**bits - 2 ** (bits - 64) + digits * 2**64 - 1, _GENERATOR)


def _e(bits: int) -> int:
    """Return floor(2**bits * e), from the sum of 1/n!."""
    term = total = 1 << (bits + _GUARD)
    n = 1
    while term:
        term //= n
        total += term
        n += 1
    return total >> _GUARD
