"""What a client says of a key beside the material, and whether that is true.

Rule: a declared algorithm or length that contradicts the material, or another declaration, is refused. What
the material does not tell is taken from the declaration.
"""

from typing import NamedTuple

from strongroom.crypto.keys.families import EC_ALGORITHMS, Description
from strongroom.crypto.keys.symmetric import length_of, material_size
from strongroom.crypto.tables import spec_name
from strongroom.domain.errors import InvalidField
from strongroom.registry import CryptographicAlgorithm as Algorithm


class Declared(NamedTuple):
    """Cryptographic Algorithm and Length (bits) as declared; None where they are not."""

    algorithm: Algorithm | None = None
    length: int | None = None

    def merged(self, other: "Declared") -> "Declared":
        """Return both declarations in one, this one first; raises InvalidField when they contradict."""
        if self.algorithm is not None and other.algorithm is not None:
            same = self.algorithm == other.algorithm
            if not same and not {self.algorithm, other.algorithm} <= EC_ALGORITHMS:
                raise InvalidField(
                    "the Cryptographic Algorithm in the Key Block is not the one in the attributes"
                )
        if self.length is not None and other.length is not None and self.length != other.length:
            raise InvalidField("the Cryptographic Length in the Key Block is not the one in the attributes")
        return Declared(
            other.algorithm if self.algorithm is None else self.algorithm,
            other.length if self.length is None else self.length,
        )


def agreed_asymmetric(declared: Declared, found: Description, usual: Algorithm | None) -> Declared:
    """Return algorithm and length of an asymmetric key; raises InvalidField for a false declaration.

    `usual` is the algorithm that the format names, where it names one.
    """
    algorithm = declared.algorithm
    if algorithm is None:
        algorithm = usual if usual in found.family.algorithms else found.family.usual
    elif algorithm not in found.family.algorithms:
        raise InvalidField(
            f"the Cryptographic Algorithm says {spec_name(algorithm)}, "
            f"the Key Material is {spec_name(found.family.usual)}"
        )
    check_length(declared.length, found.length)
    return Declared(algorithm, found.length)


def agreed_symmetric(declared: Declared, size: int) -> Declared:
    """Return algorithm and length of a symmetric key of `size` bytes; raises InvalidField as above."""
    algorithm = declared.algorithm
    if not isinstance(algorithm, Algorithm):  # nothing declared, or a vendor's own algorithm
        check_length(declared.length, size * 8)
        return Declared(algorithm, size * 8)
    if declared.length is None:
        length = length_of(algorithm, size)
        if length is None:
            raise InvalidField(f"{spec_name(algorithm)} has no keys of {size} bytes")
        return Declared(algorithm, length)
    if material_size(algorithm, declared.length) != size:
        raise InvalidField(
            f"the Cryptographic Length says {declared.length} bits, the Key Material has {size} bytes"
        )
    return declared


def check_length(declared: int | None, found: int) -> None:
    """Raise InvalidField unless the declared length, if any, is that of the material; both in bits."""
    if declared is not None and declared != found:
        raise InvalidField(
            f"the Cryptographic Length says {declared} bits, the Key Material has {found} bits"
        )
