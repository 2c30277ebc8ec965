"""Primes for sharing in a prime field.

Rule: a prime that a client gives is tested before it is computed with; those of the table are known to be.
"""

import secrets
from typing import Final

MAXIMUM_BITS: Final = 2056
"""The longest prime: a test of one takes a fraction of a second, and grows with the cube of the length."""

_ROUNDS: Final = 20
"""Of Miller and Rabin's test: a number that is not prime passes all with a chance below 2^-40."""

_SMALL: Final = tuple(n for n in range(2, 2000) if all(n % d for d in range(2, int(n**0.5) + 1)))

_ABOVE: Final = {64: 13, 128: 51, 192: 133, 256: 297, 384: 231, 512: 75, 1024: 643, 2048: 981}
"""Bits b and the least k that makes 2^b + k prime."""


def prime_above(bits: int) -> int | None:
    """Return a prime greater than every number of `bits` bits; None when the table ends before."""
    return next(((1 << size) + k for size, k in _ABOVE.items() if size >= bits), None)


def is_prime(number: int) -> bool:
    """Tell whether a number is prime (Miller and Rabin, random bases)."""
    if number < 2:
        return False
    for small in _SMALL:
        if number % small == 0:
            return number == small
    twos = (number - 1 & 1 - number).bit_length() - 1
    odd = number - 1 >> twos
    return all(_passes(number, odd, twos, 2 + secrets.randbelow(number - 3)) for _ in range(_ROUNDS))


def _passes(number: int, odd: int, twos: int, base: int) -> bool:
    """Tell whether the base fails to prove that number = odd * 2^twos + 1 is composite."""
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
