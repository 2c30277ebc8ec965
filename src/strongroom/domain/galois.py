"""Arithmetic of the fields in which secrets are shared (KMIP 1.4 §2.2.5, 2.1 §13.1).

Rule: a secret is a vector of field elements, and whatever is done to a vector takes the same steps for every
content: no table is looked up and no branch taken by it. Scalars are Key Part Identifiers and what follows
from them; everybody may know those. The prime field is the exception: Python's division of big integers takes
time that depends a little on the numbers.
"""

from typing import Final, Protocol, TypeAlias, TypeVar

V = TypeVar("V")
Pairs: TypeAlias = tuple[int, int]
"""A vector of pairs of bytes (u, v): the u of every pair, and the v."""

_M: Final = 0x3A
"""m = x^5 + x^4 + x^3 + x, of y^2 + y + m."""


class Field(Protocol[V]):
    """A field, with vectors `V` of its elements; scalars are elements as integers."""

    def add(self, one: V, other: V) -> V:
        """Return the sum of two vectors."""

    def scale(self, vector: V, scalar: int) -> V:
        """Return the vector, each element multiplied by `scalar`."""

    def product(self, one: int, other: int) -> int:
        """Return the product of two scalars."""

    def difference(self, one: int, other: int) -> int:
        """Return the difference of two scalars."""

    def inverse(self, scalar: int) -> int:
        """Return the inverse of a scalar that is not 0."""


class Bytes:
    """GF(2^8); a vector of `size` elements is an integer, one byte an element."""

    def __init__(self, size: int, polynomial: int) -> None:
        self._reduction: Final = polynomial & 0xFF
        self._ones: Final = int.from_bytes(b"\x01" * size, "big")
        self._sevens: Final = 0x7F * self._ones

    def add(self, one: int, other: int) -> int:
        return one ^ other

    def scale(self, vector: int, scalar: int) -> int:
        result = 0
        while scalar:
            if scalar & 1:
                result ^= vector
            scalar >>= 1
            # x times every byte: what a byte loses at its top comes back reduced.
            lost = vector >> 7 & self._ones
            vector = (vector & self._sevens) << 1 ^ lost * self._reduction
        return result

    def product(self, one: int, other: int) -> int:
        result = 0
        while other:
            if other & 1:
                result ^= one
            other >>= 1
            one = (one & 0x7F) << 1 ^ (one >> 7) * self._reduction
        return result

    def difference(self, one: int, other: int) -> int:
        return one ^ other

    def inverse(self, scalar: int) -> int:
        power = scalar
        for _ in range(6):  # 254 = 2 * (2 * (...) + 1): six times up to 127
            power = self.product(self.product(power, power), scalar)
        return self.product(power, power)


class BytePairs:
    """GF(2^16) over GF(2^8): an element uy + v is the pair of bytes (u, v), as a scalar 256 * u + v."""

    def __init__(self, size: int, polynomial: int) -> None:
        self._bytes: Final = Bytes(size, polynomial)

    def add(self, one: Pairs, other: Pairs) -> Pairs:
        return one[0] ^ other[0], one[1] ^ other[1]

    def scale(self, vector: Pairs, scalar: int) -> Pairs:
        # DEVIATION(KMIP 2.1 §13.1): the product is printed as ((r + s)(u + v) + sv)y + (ru + svm), by which
        # 1 would not be neutral. In the field of y^2 + y + m, as its formula of the inverse has it too, m
        # belongs to ru.
        (u, v), (r, s), scale = vector, divmod(scalar, 256), self._bytes.scale
        sv = scale(v, s)
        return scale(u ^ v, r ^ s) ^ sv, scale(scale(u, r), _M) ^ sv

    def product(self, one: int, other: int) -> int:
        (u, v), (r, s), times = divmod(one, 256), divmod(other, 256), self._bytes.product
        sv = times(v, s)
        return (times(u ^ v, r ^ s) ^ sv) << 8 | times(times(u, r), _M) ^ sv

    def difference(self, one: int, other: int) -> int:
        return one ^ other

    def inverse(self, scalar: int) -> int:
        """SPEC: the inverse of uy + v is u/d y + (u + v)/d, where d = (u + v)v + mu^2."""
        (u, v), times = divmod(scalar, 256), self._bytes.product
        inverted = self._bytes.inverse(times(u ^ v, v) ^ times(_M, times(u, u)))
        return times(u, inverted) << 8 | times(u ^ v, inverted)


class PrimeField:
    """The integers modulo a prime; a vector is one element, the whole secret."""

    def __init__(self, prime: int) -> None:
        self._prime: Final = prime

    def add(self, one: int, other: int) -> int:
        return (one + other) % self._prime

    def scale(self, vector: int, scalar: int) -> int:
        return vector * scalar % self._prime

    def product(self, one: int, other: int) -> int:
        return one * other % self._prime

    def difference(self, one: int, other: int) -> int:
        return (one - other) % self._prime

    def inverse(self, scalar: int) -> int:
        return pow(scalar, -1, self._prime)
