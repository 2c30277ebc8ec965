"""Messages of many items, without keeping the other clients waiting.

Rule: whatever walks all of a message stops after a few items and looks whose turn it is. Letting go of a
message is such a walk, too, though no line of code says so.
"""

from typing import Final

from strongroom.domain.turn import Pace
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE, Item

AT_A_TIME: Final = 64
"""Items side by side that are read or encoded without looking whose turn it is."""

GONE: Final[Item] = (0, STRUCTURE, [])
"""In the place of an item that was let go."""


def is_long(items: list[Item]) -> bool:
    """Tell whether batch items take so long to encode that others should have their turn meanwhile."""
    return len(items) > AT_A_TIME or True in map(_is_long, items)


async def encode_long(item: Item) -> bytes:
    """Return the bytes of a long batch item, giving way to other clients meanwhile."""
    parts = list[bytes]()
    await encode_in_slices([item], parts, Pace())
    return b"".join(parts)


async def encode_in_slices(
    items: list[Item], parts: list[bytes], pace: Pace, *, used_up: bool = False
) -> int:
    """Append the bytes of the items to `parts`; return how many they are.

    `used_up`: they are let go of as well, which takes its time, too.
    """
    size = 0
    for start in range(0, len(items), AT_A_TIME):
        await pace()
        some = items[start : start + AT_A_TIME]
        if used_up:
            items[start : start + AT_A_TIME] = [GONE] * len(some)
        if not any(map(_is_long, some)):
            more, length = binary.parts(some)
            parts += more
            size += length
            continue
        for item in some:
            tag, kind, value = item
            place = len(parts)
            if kind == STRUCTURE:
                parts.append(b"")
                length = await encode_in_slices(value, parts, pace)
                parts[place] = binary.head(tag, length)
                size += 8 + length
            else:
                parts.append(binary.encode(item))
                size += len(parts[place])
    return size


def _is_long(item: Item) -> bool:
    """Tell whether a structure, or one in it, has many items side by side."""
    if item[1] != STRUCTURE:
        return False
    if len(item[2]) > AT_A_TIME:
        return True
    for _, kind, value in item[2]:  # noqa: SIM110 - a generator costs more than all of this
        if kind == STRUCTURE and len(value) > AT_A_TIME:
            return True
    return False


def let_go(items: list[Item]) -> None:
    """Empty a tree little by little: in one go, nobody else would have the interpreter meanwhile."""
    heaps = [items]
    while heaps:
        heap = heaps.pop()
        while heap:
            _, kind, value = heap.pop()
            if kind == STRUCTURE and len(value) > 1:
                heaps.append(value)
