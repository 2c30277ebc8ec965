"""A message of a test case as an Item whose leaves may hold variables.

Rule: a listing is decoded by the same XML decoder as any message. What that cannot know (the variables,
and names that are misprints) is taken out while it reads and put back at the same leaf after.
"""

from collections.abc import Iterator
from itertools import count
from typing import Final

from strongroom.conformance.variables import UnknownName, Variable, parse_variable
from strongroom.wire import xml
from strongroom.wire.item import STRUCTURE, Item

# Enumeration names of listings that no version of KMIP defines (2.0 TC-DLOGIN-2).
_MISPRINTS: Final = frozenset({"NotAuthorized"})
_NUMBER: Final = "0x00000000"  # stands in for a time or an enumeration value
_EMPTY: Final = ""  # stands in for text and bytes


def parse_message(data: bytes) -> Item:
    """Return the template of one RequestMessage or ResponseMessage; raises DecodeError."""
    numbers = count()
    taken: dict[int, Variable | UnknownName] = {}

    def substitute(text: str) -> str:
        number = next(numbers)
        variable = parse_variable(text)
        if variable is not None:
            taken[number] = variable
            return _NUMBER if variable.name == "NOW" else _EMPTY
        if text in _MISPRINTS:
            taken[number] = UnknownName(text)
            return _NUMBER
        return text

    item = xml.decode(data, substitute=substitute)
    return _put_back(item, taken, count()) if taken else item


def _put_back(item: Item, taken: dict[int, Variable | UnknownName], numbers: Iterator[int]) -> Item:
    tag, kind, value = item
    if kind == STRUCTURE:
        return (tag, kind, [_put_back(inner, taken, numbers) for inner in value])
    return (tag, kind, taken.get(next(numbers), value))
