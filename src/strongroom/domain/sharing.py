"""Sharing a secret, in any field (KMIP 1.4 §2.2.5, 2.1 §13.1; Shamir 1979).

Rule: the polynomials alone: the secret is the value at 0, the share of part n the value at n. The random
coefficients are handed in; how bytes become vectors is for those who call it to say
(`crypto/sharing` for the objects of clients, `rootkey/shares.py` for root keys).
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Generic, TypeVar

from strongroom.domain.errors import CryptographicFailure
from strongroom.domain.galois import Field

V = TypeVar("V")


def share(field: Field[V], coefficients: Sequence[V], at: int) -> V:
    """Return the value of a polynomial; the first coefficient is the secret."""
    return reduce(lambda value, c: field.add(field.scale(value, at), c), reversed(coefficients))


class Interpolation(Generic[V]):
    """The one polynomial of least degree through some points (Lagrange)."""

    def __init__(self, field: Field[V], points: Mapping[int, V]) -> None:
        self._field = field
        self._points = points
        self._below = {x: field.inverse(self._product(x, leave_out=x)) for x in points}

    def at(self, place: int) -> V:
        """Return the value at a place that is not one of the points."""
        field = self._field
        whole = self._product(place)
        return reduce(
            field.add,
            (
                field.scale(
                    value,
                    field.product(
                        field.product(whole, field.inverse(field.difference(place, x))), self._below[x]
                    ),
                )
                for x, value in self._points.items()
            ),
        )

    def _product(self, place: int, *, leave_out: int | None = None) -> int:
        """Return the product of the distances from a place to the points."""
        distances = (self._field.difference(place, x) for x in self._points if x != leave_out)
        return reduce(self._field.product, distances, 1)


def reconstruct(field: Field[V], points: Mapping[int, V], threshold: int) -> V:
    """Return the secret; raises CryptographicFailure when a share beyond the threshold is on another
    polynomial."""
    shares = list(points.items())
    polynomial = Interpolation(field, dict(shares[:threshold]))
    if any(polynomial.at(x) != value for x, value in shares[threshold:]):
        raise CryptographicFailure("the parts do not fit together: one of them was altered")
    return polynomial.at(0)
