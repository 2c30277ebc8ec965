"""What every table of this package shares.

Rule: a table says of each member of its enumeration what is done with it, or names it among the refusals; one
that forgets a member fails at import.
"""

from collections.abc import Collection, Mapping, Set
from enum import IntEnum
from typing import TypeVar

from strongroom.registry.names import VALUES, enumeration_title

E = TypeVar("E", bound=IntEnum)


def check_total(table: Collection[E] | Mapping[E, object], every: type[E], refused: Set[E]) -> None:
    """Raise TypeError unless each member of `every` is in exactly one of `table` and `refused`."""
    handled = set(table)
    if handled | refused != set(every) or handled & refused:
        raise TypeError(f"{every.__name__}: table and refusals do not split the enumeration")


def spec_name(value: int) -> str:
    """Return what the specification calls an enumeration value; vendor extensions have only a number."""
    if isinstance(value, IntEnum):
        return VALUES[enumeration_title(type(value))][value].spec_name
    return f"0x{value:08X}"
