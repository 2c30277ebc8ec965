"""Finding things in a tree of Items.

Rule: plain look-ups by tag; nothing here knows what a test case is.
"""

from collections.abc import Iterator

from strongroom.registry import ResultStatus, Tag
from strongroom.wire.item import STRUCTURE, Item


def children(item: Item, tag: int) -> list[Item]:
    """Return the direct children with that tag."""
    return [found for found in item[2] if found[0] == tag]


def child(item: Item, tag: int) -> Item | None:
    """Return the first direct child with that tag."""
    return next((found for found in item[2] if found[0] == tag), None)


def find(item: Item, tag: int) -> Iterator[Item]:
    """Yield the items with that tag anywhere below, in order."""
    if item[1] != STRUCTURE:
        return
    for inner in item[2]:
        if inner[0] == tag:
            yield inner
        yield from find(inner, tag)


def leaves(item: Item) -> Iterator[Item]:
    """Yield every item below (or equal to) `item` that is not a Structure, in order."""
    if item[1] != STRUCTURE:
        yield item
        return
    for inner in item[2]:
        yield from leaves(inner)


def operations(message: Item) -> list[int | None]:
    """Return the operation of each batch item; None where it has none."""
    found = [child(batch_item, Tag.OPERATION) for batch_item in children(message, Tag.BATCH_ITEM)]
    return [None if item is None else item[2] for item in found]


def success(batch_item: Item) -> bool:
    """Tell whether a batch item of a response reports success."""
    status = child(batch_item, Tag.RESULT_STATUS)
    return status is not None and status[2] == ResultStatus.SUCCESS
