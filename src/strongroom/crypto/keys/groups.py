"""The groups of Diffie-Hellman over finite fields that everybody uses (RFC 7919 appendix A, RFC 3526).

Rule: a fresh prime takes minutes to find and nobody could check where it came from, so keys are made in known
groups. In any other group the library first asks whether P is a safe prime, and keeps the interpreter for a
second at 3072 bits and for many at 8192; so of other groups only short ones are worked with. Each group is
defined by a formula over the digits of e or pi, which is worked out here once it is needed.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from strongroom.crypto.keys.finite_field import DHParameterNumbers

OFFSETS: Final[Mapping[int, int]] = {
    2048: 560316,
    3072: 2625351,
    4096: 5736041,
    6144: 15705020,
    8192: 10965728,
}
"""ffdhe2048 to ffdhe8192, which keys are made in: bits of P, and the number that makes both P and (P - 1) / 2
prime in the formula of the RFC."""

_MODP: Final[Mapping[int, int]] = {
    1536: 741804,
    2048: 124476,
    3072: 1690314,
    4096: 240904,
    6144: 929484,
    8192: 4743158,
}
"""The same for the groups of IKE."""

SHORT: Final = 1024
"""Bits of P up to which the library may look at a group that it does not know: a fiftieth of a second."""

_GENERATOR: Final = 2
_GUARD: Final = 64  # bits that rounding may spoil; no series has 2**15 terms


@cache
def group(bits: int) -> DHParameterNumbers:
    """Return the group that keys of this size are made in; `bits` is a key of OFFSETS."""
    p = _prime(bits, _e, OFFSETS)
    return DHParameterNumbers(p, _GENERATOR, (p - 1) // 2)


def may_be_loaded(p: int, g: int, q: int | None) -> bool:
    """Tell whether the library takes a key of this group in bounded time."""
    if p.bit_length() <= SHORT:
        return True
    return g == _GENERATOR and q in (None, (p - 1) // 2) and p in _known(p.bit_length())


@cache
def _known(bits: int) -> frozenset[int]:
    tables: tuple[tuple[Callable[[int], int], Mapping[int, int]], ...] = ((_e, OFFSETS), (_pi, _MODP))
    return frozenset(_prime(bits, digits, table) for digits, table in tables if bits in table)


def _prime(bits: int, digits: Callable[[int], int], table: Mapping[int, int]) -> int:
    return int(2**bits - 2 ** (bits - 64) + (digits(bits - 130) + table[bits]) * 2**64 - 1)


def _e(bits: int) -> int:
    """Return floor(2**bits * e), from the sum of 1/n!."""
    term = total = 1 << (bits + _GUARD)
    n = 1
    while term:
        term //= n
        total += term
        n += 1
    return total >> _GUARD


def _pi(bits: int) -> int:
    """Return floor(2**bits * pi), by Machin's formula."""
    one = 1 << (bits + _GUARD)
    return 4 * (4 * _arctangent(5, one) - _arctangent(239, one)) >> _GUARD


def _arctangent(x: int, one: int) -> int:
    """Return arctan(1/x), scaled by `one`."""
    power = total = one // x
    n, sign = 3, -1
    while power:
        power //= x * x
        total += sign * (power // n)
        n, sign = n + 2, -sign
    return total
