"""What the specification calls a number, and which versions define it.

Rule: every question about names and versions of tags, enumeration values and mask bits is answered
here, from the generated tables. Unknown numbers have no name; that is for the caller to decide on.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import cache
from typing import Final, NamedTuple

from strongroom.registry import enumerations, masks
from strongroom.registry.enumerations import ItemType
from strongroom.registry.tables import ENUMERATION_ROWS, MASK_ROWS, RENAMED, TAG_ROWS
from strongroom.registry.versions import Version


class TagEntry(NamedTuple):
    """One row of the tag table; `item_types` is empty where any type may stand."""

    value: int
    name: str
    spec_name: str
    since: Version
    until: Version | None
    item_types: tuple[ItemType, ...]
    enumeration: str | None
    mask: str | None


class ValueEntry(NamedTuple):
    """One value of an enumeration, or one bit of a mask; `renamed` is its later name and since when."""

    value: int
    name: str
    spec_name: str
    since: Version
    until: Version | None
    renamed: tuple[str, Version] | None

    def name_in(self, version: Version | None) -> str:
        """Return the XML name in a version, the first one for None."""
        if self.renamed is None or version is None or version < self.renamed[1]:
            return self.name
        return self.renamed[0]


_TYPES: Final = {row[1]: ItemType(row[0]) for row in ENUMERATION_ROWS["ItemType"]}

TAGS: Final[Mapping[int, TagEntry]] = {
    row[0]: TagEntry(*row[:5], tuple(_TYPES[t] for t in row[5]), row[6], row[7]) for row in TAG_ROWS
}
TAG_BY_NAME: Final[Mapping[str, int]] = {row[1]: row[0] for row in TAG_ROWS}
TAG_BY_SPEC_NAME: Final[Mapping[str, int]] = {row[2]: row[0] for row in TAG_ROWS}

VALUES: Final[Mapping[str, Mapping[int, ValueEntry]]] = {
    title: {row[0]: ValueEntry(*row[:5], RENAMED.get((title, row[0]))) for row in rows}
    for title, rows in (ENUMERATION_ROWS | MASK_ROWS).items()
}


def enumeration_title(cls: type[IntEnum] | type[IntFlag]) -> str:
    """Return the table that a generated class was made from (`KeyFormatType`)."""
    return _TITLES[cls]


def _classes() -> dict[str, type[IntEnum] | type[IntFlag]]:
    special: dict[str, type[IntEnum]] = {
        "UniqueIdentifier": enumerations.UniqueIdentifierEnumeration,
        "Data": enumerations.DataEnumeration,
    }
    found: dict[str, type[IntEnum] | type[IntFlag]] = {}
    for title in ENUMERATION_ROWS:
        found[title] = special.get(title) or getattr(enumerations, title.replace("_", ""))
    for title in MASK_ROWS:
        found[title] = getattr(masks, title)
    return found


CLASSES: Final[Mapping[str, type[IntEnum] | type[IntFlag]]] = _classes()
_TITLES: Final = {cls: title for title, cls in CLASSES.items()}


@cache
def value_by_name(title: str) -> Mapping[str, int]:
    """Return XML name to number of an enumeration or mask, names of other versions included."""
    names: dict[str, int] = {}
    for row in (ENUMERATION_ROWS | MASK_ROWS)[title]:
        for alias in (row[1], *row[5]):
            names.setdefault(alias, row[0])
    return names


def in_version(entry: TagEntry | ValueEntry, version: Version) -> bool:
    """Tell whether a version defines this entry."""
    return entry.since <= version and (entry.until is None or version <= entry.until)


@cache
def defined_values(title: str, version: Version) -> frozenset[int]:
    """Return the numbers of an enumeration or mask that `version` defines."""
    return frozenset(v for v, entry in VALUES[title].items() if in_version(entry, version))


@cache
def defined_tags(version: Version) -> frozenset[int]:
    """Return the tags that `version` defines."""
    return frozenset(v for v, entry in TAGS.items() if in_version(entry, version))
