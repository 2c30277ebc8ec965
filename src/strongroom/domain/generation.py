"""Which write made what was read.

Rule: whoever changes or removes something says which write it comes from, and whoever kept something asks
whether that write is still the newest. The number of a generation alone does not tell: what was removed and
made again begins at 1 again, and a database that lost its last commits gives the same numbers once more.
"""

from typing import Any


class Generation(int):
    """The number of a generation, with the `nonce` that the write was sealed with: no two writes share one.

    Two are equal only if both are. A plain int compares by the number, but no commit takes it for what was
    read.
    """

    nonce: bytes

    def __new__(cls, number: int, nonce: bytes) -> "Generation":
        made = super().__new__(cls, number)
        made.nonce = nonce
        return made

    def __eq__(self, other: object) -> bool:
        return int.__eq__(self, other) is True and (
            type(other) is not Generation or self.nonce == other.nonce
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return Generation, (int(self), self.nonce)


def as_read(generation: int) -> Generation:
    """Return the generation of something that the store gave. Raises ValueError for a number alone."""
    if isinstance(generation, Generation):
        return generation
    raise ValueError(f"generation {generation} was counted, not read: nobody can say what it is of")
