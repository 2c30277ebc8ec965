"""Items to and from TTLV, the binary encoding (KMIP 1.0 §9.1, 2.1 §10.1).

Rule: this is the hot path. The good case pays for nothing but the checks themselves: a refusal carries the
offset that the loop has at hand, and its path is found afterwards by walking the message again.

Two bounded memos carry the speed. An Enumeration, Integer, Boolean or Interval is one block of 16 bytes, of
which real messages use very few different ones; a block that was checked once is looked up, not parsed. The
first four bytes of every other item (tag and item type) are checked once in the same way. Neither ever holds
text, bytes or big numbers.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

from strongroom.registry import ItemType
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    IDENTIFIER,
    INTEGER,
    INTERVAL,
    LONG_INTEGER,
    NAME_REFERENCE,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import DEFAULT_LIMITS, Limits
from strongroom.wire.text import BOUNDS, FIRST_SECOND, FOR_EVER, LAST_SECOND, TAG_CLASSES, tag_name

_UNWRITABLE: Final = (struct_error, ValueError, TypeError, AttributeError)
_MEMO_SIZE: Final = 4096  # entries; a full memo is emptied, so that junk cannot occupy it for good
_PADDING: Final = tuple(bytes(-n % 8) for n in range(8))  # by length modulo 8
_FIXED_LENGTHS: Final = {
    INTEGER: 4, ENUMERATION: 4, INTERVAL: 4, BOOLEAN: 8, LONG_INTEGER: 8, DATE_TIME: 8, DATE_TIME_EXTENDED: 8,
}  # fmt: skip

_unpack_head = Struct(">II").unpack_from
_unpack_long = Struct(">q").unpack_from
_pack_head = Struct(">II").pack
_pack_long = Struct(">IIq").pack
_UNPACK_BLOCK: Final = {
    INTEGER: Struct(">8xiI").unpack, ENUMERATION: Struct(">8xII").unpack, INTERVAL: Struct(">8xII").unpack,
}  # fmt: skip
_PACK_BLOCK: Final = {
    INTEGER: Struct(">IIi4x").pack, ENUMERATION: Struct(">III4x").pack, INTERVAL: Struct(">III4x").pack,
    BOOLEAN: Struct(">IIQ").pack,
}  # fmt: skip

_tags: dict[int, int] = {}  # first four bytes of an item, as a number: its tag
_items: dict[bytes, Item] = {}  # a whole item of 16 bytes: itself
_blocks: dict[Item, bytes] = {}  # and back


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS, *, known_until: int = 0) -> Item:
    """Return the one item that `data` holds; raises DecodeError, which names the place.

    `known_until` is where the first child of the root ends, for a caller that has decoded the same bytes of
    that child before: it is then returned as an empty structure.
    """
    size = len(data)
    if size > limits.message_size:
        raise MessageTooLarge(f"{size} bytes, the limit is {limits.message_size}")
    if size < 8 or size != 8 + (_unpack_head(data)[1] + 7 & -8):
        raise _root_fault(data, size)
    try:
        if size > limits.items * 8:  # an item takes 8 bytes or more: anything shorter needs no counting
            _check_count(data, limits.items)
        if known_until:
            head, first = _unpack_head(data)[0], _unpack_head(data, 8)[0]
            return (
                head >> 8,
                1,
                [(first >> 8, 1, []), *_decode_items(data, known_until, size, limits.depth - 1)],
            )
        return _decode_items(data, 0, size, limits.depth)[0]
    except DecodeError as error:
        if error.at is not None:
            error.path = _path_to(data, error.at)
        raise


def encode(item: Item) -> bytes:
    """Return the bytes of `item`; raises EncodeError for a value that its type cannot hold."""
    items = (item,)
    try:
        return b"".join(_parts_of(items)[0])
    except _UNWRITABLE:
        raise _encode_fault(items) from None  # the cause may hold the value


def parts(items: Sequence[Item]) -> tuple[list[bytes], int]:
    """Return the bytes of the items in pieces, for whoever joins them with others, and how many they are.

    Raises EncodeError.
    """
    try:
        return _parts_of(items)
    except _UNWRITABLE:
        raise _encode_fault(items) from None  # the cause may hold the value


def head(tag: int, length: int) -> bytes:
    """Return what comes before the items of a structure, which are `length` bytes."""
    return _pack_head(tag << 8 | STRUCTURE, length)


def structure(tag: int, encoded: Iterable[bytes]) -> bytes:
    """Return the bytes of a structure, from those of its items."""
    body = b"".join(encoded)
    return head(tag, len(body)) + body


def offset_of(data: bytes, path: Sequence[tuple[str, int | None]]) -> int | None:
    """Return where the item at `path` begins, None if there is none.

    The path starts with the root; an occurrence of None means the first. For messages that decoded, when
    a later layer refuses a field.
    """
    start, end, found = 0, len(data), None
    for name, occurrence in path:
        left = occurrence or 0
        found = None
        for tag, kind, at, value_at, next_at in _walk(data, start, end):
            if tag_name(tag) == name:
                if left == 0:
                    found = at
                    start, end = value_at, next_at if kind == STRUCTURE else value_at
                    break
                left -= 1
        if found is None:
            return None
    return found


def byte_strings(data: bytes, path: Sequence[tuple[str, int | None]]) -> list[tuple[int, int]]:
    """Return where the values of the byte strings in the structure at `path` begin and end, in order.

    For messages that decoded.
    """
    at = offset_of(data, path)
    if at is None:
        return []
    fields = _walk(data, at + 8, at + 8 + _unpack_head(data, at)[1])
    return [
        (start, start + _unpack_head(data, begins)[1])
        for _, kind, begins, start, _ in fields
        if kind == BYTE_STRING
    ]


def texts(data: bytes, tags: Collection[int]) -> list[tuple[int, int]]:
    """Return where the values of all texts with one of these tags begin and end, however deep they are.

    For messages that decoded.
    """
    found, structures = list[tuple[int, int]](), [(0, len(data))]
    while structures:
        for tag, kind, at, start, after in _walk(data, *structures.pop()):
            if kind == STRUCTURE:
                structures.append((start, after))
            elif kind == TEXT_STRING and tag in tags:
                found.append((start, start + _unpack_head(data, at)[1]))
    return found


def end_of(data: bytes, items: int) -> int | None:
    """Return where the first `items` items end, if more follow; None if that is all, as far as their lengths
    can be followed."""
    pos, size, count = 0, len(data), 0
    while pos < size:
        if count == items:
            return pos
        count += 1
        if data[pos + 3] == STRUCTURE:
            pos += 8
        else:
            pos += 8 + (int.from_bytes(data[pos + 4 : pos + 8]) + 7 & -8)
    return None


def _decode_items(data: bytes, pos: int, end: int, depth: int) -> list[Item]:
    """Return the items that fill `data[pos:end]`; both are multiples of 8, so a header is always whole."""
    items: list[Item] = []
    at = pos
    try:
        while pos < end:
            kind = data[pos + 3]
            if kind == 1:
                head, length = _unpack_head(data, pos)
                start = pos + 8
                stop = start + length
                if length & 7 or stop > end or not depth:
                    raise _structure_fault(length, stop - end, depth, pos)
                tag = _tags.get(head) or _check_head(head, pos)
                items.append((tag, 1, _decode_items(data, start, stop, depth - 1)))
                pos = stop
            elif kind == 5 or kind == 2 or kind == 6 or kind == 10:
                block = data[pos : pos + 16]
                items.append(_items.get(block) or _decode_block(block, pos, end))
                pos += 16
            elif kind == 7 or kind == 8:
                at = pos
                head, length = _unpack_head(data, pos)
                start = pos + 8
                stop = start + length
                pos = stop + 7 & -8
                if pos > end or (length & 7 and data[stop:pos] != _PADDING[length & 7]):
                    raise _string_fault(pos - end, at)
                tag = _tags.get(head) or _check_head(head, at)
                value: Any = data[start:stop]
                if kind == 7:
                    value = value.decode()
                    if "\0" in value:
                        raise DecodeError("text contains NUL", at=at)
                items.append((tag, kind, value))
            elif kind == 9:
                head, length = _unpack_head(data, pos)
                start = pos + 8
                if length != 8 or start >= end:
                    _check_length(kind, length, pos)
                    raise _overrun(8, pos)
                tag = _tags.get(head) or _check_head(head, pos)
                (value,) = _unpack_long(data, start)
                if not FIRST_SECOND <= value <= LAST_SECOND:
                    value = _end_of_time(kind, value, pos)
                items.append((tag, 9, value))
                pos += 16
            else:
                item, pos = _decode_rare(data, pos, end)
                items.append(item)
    except UnicodeDecodeError:
        raise DecodeError("text is not UTF-8", at=at) from None
    if pos != end:  # only a block that the memo has can get here: every other item was measured
        raise _overrun(8, pos - 16)
    return items


def _decode_block(block: bytes, at: int, end: int) -> Item:
    """Return the item of a block that the memo does not have, and remember it."""
    head, length = _unpack_head(block)
    kind = head & 0xFF
    _check_length(kind, length, at)
    if at + 16 > end:
        raise _overrun(8, at)
    value: int
    if kind == BOOLEAN:
        number = int.from_bytes(block[8:])
        if number > 1:
            raise DecodeError("BOOLEAN is neither 0 nor 1", at=at)
        value = number == 1
    else:
        value, padding = _UNPACK_BLOCK[kind](block)
        if padding:
            raise DecodeError("padding is not zero", at=at)
    item = (_check_head(head, at), kind, value)
    if len(_items) >= _MEMO_SIZE:
        _items.clear()
    _items[block] = item
    return item


def _decode_rare(data: bytes, at: int, end: int) -> tuple[Item, int]:
    """Return an item of one of the types that messages seldom have, and where the next one begins."""
    head, length = _unpack_head(data, at)
    kind = head & 0xFF
    if not STRUCTURE <= kind <= NAME_REFERENCE:
        raise DecodeError(f"unknown item type 0x{kind:02X}", at=at)
    tag = _check_head(head, at)
    if kind in _FIXED_LENGTHS:
        _check_length(kind, length, at)
    elif kind == BIG_INTEGER and (length & 7 or not length):
        raise DecodeError(f"BIG_INTEGER length {length} is not a positive multiple of 8", at=at)
    start = at + 8
    stop = start + length
    after = stop + 7 & -8
    if after > end or data[stop:after] != _PADDING[length & 7]:
        raise _string_fault(after - end, at)
    value: Any
    if kind == BIG_INTEGER:
        value = int.from_bytes(data[start:stop], signed=True)
    elif kind in _FIXED_LENGTHS:
        (value,) = _unpack_long(data, start)
        first, last = BOUNDS[kind]
        if not first <= value <= last:
            value = _end_of_time(kind, value, at)
    else:  # the three kinds of reference of KMIP 3.0
        try:
            value = data[start:stop].decode()
        except UnicodeDecodeError:
            raise DecodeError("text is not UTF-8", at=at) from None
        if "\0" in value:
            raise DecodeError("text contains NUL", at=at)
    return (tag, kind, value), after


def _check_head(head: int, at: int) -> int:
    """Return the tag of a header's first four bytes, and remember it."""
    tag = head >> 8
    if tag >> 16 not in TAG_CLASSES:
        raise DecodeError("the tag begins with neither 42 nor 54", at=at)
    if len(_tags) >= _MEMO_SIZE:
        _tags.clear()
    _tags[head] = tag
    return tag


def _end_of_time(kind: int, value: int, at: int) -> int:
    """Return the last date for the value that says there is none; raises DecodeError for others."""
    if value != FOR_EVER:
        raise DecodeError(f"{ItemType(kind).name} is outside the years 1 to 9999", at=at)
    return BOUNDS[kind][1]


def _check_length(kind: int, length: int, at: int) -> None:
    if length != _FIXED_LENGTHS[kind]:
        raise DecodeError(f"{ItemType(kind).name} length is {length}, not {_FIXED_LENGTHS[kind]}", at=at)


def _root_fault(data: bytes, size: int) -> DecodeError:
    """Return the error for bytes that are not as long as their first item says."""
    if size < 8:
        return DecodeError(f"{size} bytes are less than one item", at=0)
    declared = 8 + (int.from_bytes(data[4:8]) + 7 & -8)
    if declared > size:
        return DecodeError(f"the message declares {declared} bytes and has {size}", at=0)
    return DecodeError(f"{size - declared} bytes follow the message", at=declared)


def _check_count(data: bytes, limit: int) -> None:
    """Return if `data` holds at most `limit` items, as far as its lengths can be followed."""
    at = end_of(data, limit)
    if at is not None:
        raise DecodeError(f"more than {limit} items", at=at)


def _overrun(excess: int, at: int) -> DecodeError:
    return DecodeError(f"runs {excess} bytes past the end of its structure", at=at)


def _structure_fault(length: int, excess: int, depth: int, at: int) -> DecodeError:
    if not depth:
        return DecodeError("structures are nested too deep", at=at)
    if length & 7:
        return DecodeError(f"STRUCTURE length {length} is not a multiple of 8", at=at)
    return _overrun(excess, at)


def _string_fault(excess: int, at: int) -> DecodeError:
    return _overrun(excess, at) if excess > 0 else DecodeError("padding is not zero", at=at)


def _walk(data: bytes, pos: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (tag, item type, offset, offset of the value, offset of the next) while headers can be read."""
    while pos + 8 <= end:
        head, length = _unpack_head(data, pos)
        after = pos + 8 + (length + 7 & -8)
        yield head >> 8, head & 0xFF, pos, pos + 8, after
        pos = after


def _path_to(data: bytes, target: int) -> tuple[tuple[str, int | None], ...]:
    """Return the path of the innermost item that covers `target`."""
    path: list[tuple[str, int | None]] = []
    pos, end = 0, len(data)
    while pos < end:
        before: dict[int, int] = {}
        siblings = _walk(data, pos, end)
        covering = None
        for step in siblings:
            if target < step[4]:
                covering = step
                break
            before[step[0]] = before.get(step[0], 0) + 1
        if covering is None:
            break
        tag, kind, _, value_at, next_at = covering
        occurrence = before.get(tag, 0)
        alone = not occurrence and all(sibling[0] != tag for sibling in siblings)
        path.append((tag_name(tag), None if alone else occurrence))
        if kind != STRUCTURE or target < value_at:
            break
        pos, end = value_at, min(next_at, end)
    return tuple(path)


def _parts_of(items: Sequence[Item]) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    return parts, _encode_items(items, parts)


def _encode_items(items: Sequence[Item], parts: list[bytes]) -> int:
    """Append the bytes of the items to `parts`, which are joined once; return how many they are."""
    size = 0
    for item in items:
        tag, kind, value = item
        if kind == 1:
            place = len(parts)
            parts.append(b"")
            length = _encode_items(value, parts)
            parts[place] = _pack_head(tag << 8 | 1, length)
            size += 8 + length
        elif kind == 5 or kind == 2 or kind == 6 or kind == 10:
            parts.append(_blocks.get(item) or _encode_block(item))
            size += 16
        elif kind == 7 or kind == 8:
            if kind == 7:
                if "\0" in value:
                    raise ValueError("text contains NUL")
                value = value.encode()
            length = len(value)
            parts.append(_pack_head(tag << 8 | kind, length))
            parts.append(value)
            if length & 7:
                parts.append(_PADDING[length & 7])
            size += 8 + (length + 7 & -8)
        else:
            rare = _encode_rare(tag, kind, value)
            parts.append(rare)
            size += len(rare)
    return size


def _encode_block(item: Item) -> bytes:
    tag, kind, value = item
    block: bytes = _PACK_BLOCK[kind](tag << 8 | kind, _FIXED_LENGTHS[kind], value)
    if len(_blocks) >= _MEMO_SIZE:
        _blocks.clear()
    _blocks[item] = block
    return block


def _encode_rare(tag: int, kind: int, value: Any) -> bytes:
    head = tag << 8 | kind
    if kind in _FIXED_LENGTHS:
        first, last = BOUNDS[kind]
        if not first <= value <= last:
            raise ValueError("out of bounds")
        return _pack_long(head, 8, value)
    if kind == BIG_INTEGER:
        size = ((value if value >= 0 else ~value).bit_length() // 64 + 1) * 8
        number: bytes = value.to_bytes(size, signed=True)
        return _pack_head(head, size) + number
    if not IDENTIFIER <= kind <= NAME_REFERENCE:
        raise ValueError("unknown item type")
    if "\0" in value:
        raise ValueError("text contains NUL")
    text: bytes = value.encode()
    padded: bytes = _pack_head(head, len(text)) + text + _PADDING[len(text) & 7]
    return padded


def _encode_fault(siblings: Sequence[Item]) -> EncodeError:
    """Return the error for the first item, or item in one of them, that cannot be written."""
    path: list[tuple[str, int | None]] = []
    while True:
        position = next(i for i, sibling in enumerate(siblings) if not _can_encode(sibling))
        tag, kind, value = siblings[position]
        same = [i for i, sibling in enumerate(siblings) if sibling[0] == tag]
        path.append((tag_name(tag), None if len(same) == 1 else same.index(position)))
        if kind != STRUCTURE or all(map(_can_encode, value)):
            return EncodeError(f"the value cannot be written as item type {kind}", path=path)
        siblings = value


def _can_encode(item: Item) -> bool:
    try:
        b"".join(_parts_of((item,))[0])
    except _UNWRITABLE:
        return False
    return True
