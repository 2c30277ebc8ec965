"""Batch items that point at several objects at once (KMIP 2.1 §11.58).

Rule: where the name of an operation stands for several Unique Identifiers, the item is done once for each, as
if the request had so many items. What takes a list of identifiers is done once, with all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from strongroom.engine.request import BatchItem
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Operation, Tag, UniqueIdentifierEnumeration
from strongroom.wire.item import ENUMERATION, TEXT_STRING, Item

LISTING: Final = frozenset({Operation.DERIVE_KEY, Operation.JOIN_SPLIT_KEY, Operation.VALIDATE})
"""Operations whose Unique Identifier may be repeated."""

_MAY_MEAN_SEVERAL: Final = frozenset(
    {
        UniqueIdentifierEnumeration.CREATE_KEY_PAIR,
        UniqueIdentifierEnumeration.CREATE_SPLIT_KEY,
        UniqueIdentifierEnumeration.LOCATE,
        UniqueIdentifierEnumeration.RE_KEY_KEY_PAIR,
    }
)
_UNIQUE_IDENTIFIER: Final = int(Tag.UNIQUE_IDENTIFIER)


def may_be_repeated(item: BatchItem) -> bool:
    """Tell whether an item points at what may turn out to be several objects."""
    return any(
        tag == _UNIQUE_IDENTIFIER and kind == ENUMERATION and value in _MAY_MEAN_SEVERAL
        for tag, kind, value in item.payload or ()
    )


def repeated(item: BatchItem, several: Mapping[int, Sequence[UniqueIdentifier]]) -> list[BatchItem]:
    """Return the items that an item stands for; `several` are the names that mean more than one object."""
    payload = item.payload or []
    meant = next((several[value] for field in payload for value in _names(field, several)), None)
    if meant is None:
        return [item]
    if item.operation in LISTING:
        listed = [one for field in payload for one in _each(field, several)]
        return [replace(item, payload=listed)]
    return [replace(item, payload=[_one(field, several, one) for field in payload]) for one in meant]


def _names(field: Item, several: Mapping[int, Sequence[UniqueIdentifier]]) -> tuple[int, ...]:
    """Return the name in a field that means several objects, nothing for any other field."""
    tag, kind, value = field
    return (value,) if tag == _UNIQUE_IDENTIFIER and kind == ENUMERATION and value in several else ()


def _one(field: Item, several: Mapping[int, Sequence[UniqueIdentifier]], one: UniqueIdentifier) -> Item:
    return (_UNIQUE_IDENTIFIER, TEXT_STRING, one) if _names(field, several) else field


def _each(field: Item, several: Mapping[int, Sequence[UniqueIdentifier]]) -> list[Item]:
    names = _names(field, several)
    return [(_UNIQUE_IDENTIFIER, TEXT_STRING, one) for one in several[names[0]]] if names else [field]
