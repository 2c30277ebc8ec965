"""Items to and from JSON (KMIP Additional Message Encodings 1.0 §4).

Rule: the reader knows that a message is objects of four members, so nothing else is ever built: depth, items,
members and digits are counted before they cost memory. Strings and numbers are the standard library's work.
"""

import re
from json import JSONDecodeError, JSONDecoder, dumps
from typing import Any, Final

from strongroom.registry import Version
from strongroom.registry.names import defined_tags
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    INTEGER,
    INTERVAL,
    LONG_INTEGER,
    STRUCTURE,
    Item,
)
from strongroom.wire.limits import DEFAULT_LIMITS, Limits
from strongroom.wire.text import (
    BOUNDS,
    TYPE_NAMES,
    Siblings,
    big_integer_digits,
    checked_number,
    checked_text,
    format_date,
    format_enumeration,
    mask_names,
    parse_tag,
    parse_type,
    parse_value,
    tag_name,
)

_MEMBERS: Final = frozenset({"tag", "name", "type", "value"})
_NUMBER_TYPES: Final = frozenset({INTEGER, LONG_INTEGER, BIG_INTEGER, ENUMERATION, INTERVAL})
_MOST_DIGITS: Final = 4096  # of a number; longer ones are written in hex, which costs less than their square
_EXACT: Final = 1 << 52  # a JSON number of this size or more is not exact in every reader

_SPACES: Final = (" ", "\t", "\n", "\r")
_plain_key: Final = re.compile(r'"(tag|name|type|value)"[ \t\n\r]*:[ \t\n\r]*').match
_space: Final = re.compile(r"[ \t\n\r]*").match


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Item:
    """Return the one item that `data` holds; raises DecodeError, which names the place."""
    if len(data) > limits.message_size:
        raise MessageTooLarge(f"{len(data)} bytes, the limit is {limits.message_size}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("not UTF-8", at=error.start) from None
    try:
        return _Reader(text, limits).read()
    except DecodeError as error:
        if error.at is not None:  # until here it counts characters
            error.at = len(text[: error.at].encode())
        raise


def encode(item: Item, *, version: Version) -> bytes:
    """Return `item` as one object; what `version` does not define is written as a number.

    Raises EncodeError for a value that its type cannot hold.
    """
    parts: list[str] = []
    _write(item, Siblings(), version, parts)
    return "".join(parts).encode()


class _Reader:
    """Reads one message; positions are in characters."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._count = 0

    def read(self) -> Item:
        item, pos = self._item(self._skip(0), [], Siblings(), 0)
        if pos != len(self._text):
            raise DecodeError("text follows the message", at=pos)
        return item

    def _item(self, pos: int, beside: list[Item], siblings: Siblings, depth: int) -> tuple[Item, int]:
        """Return the item whose object begins at `pos`, and where the next token does."""
        begin, members = pos, dict[str, Any]()
        self._count += 1
        try:
            if self._count > self._limits.items:
                raise DecodeError(f"more than {self._limits.items} items", at=begin)
            pos = self._expect("{", pos)
            while True:
                key_at = pos
                key, pos = self._key(pos)
                if key in members:
                    raise DecodeError(f"{key} stands twice in one object", at=key_at)
                if key == "value" and self._text.startswith("[", pos):
                    members[key], pos = self._items(pos, depth + 1)
                else:
                    members[key], pos = self._scalar(pos)
                if not self._text.startswith(",", pos):
                    break
                pos = self._skip(pos + 1)
            pos = self._expect("}", pos)
            try:
                item = _item(members, siblings)
            except ValueError as error:
                raise DecodeError(str(error), at=begin) from None
        except DecodeError as error:
            error.path = (_step(members.get("tag"), beside), *error.path)
            raise
        siblings.see(item[0], item[2])
        return item, pos

    def _items(self, pos: int, depth: int) -> tuple[list[Item], int]:
        """Return the items of the array that begins at `pos`, and where the next token does."""
        if depth > self._limits.depth:
            raise DecodeError("structures are nested too deep", at=pos)
        items: list[Item] = []
        siblings = Siblings()
        pos = self._expect("[", pos)
        if self._text.startswith("]", pos):
            return items, self._skip(pos + 1)
        while True:
            item, pos = self._item(pos, items, siblings, depth)
            items.append(item)
            if not self._text.startswith(",", pos):
                return items, self._expect("]", pos)
            pos = self._skip(pos + 1)

    def _key(self, pos: int) -> tuple[str, int]:
        """Return the name of the member at `pos`, and where its value begins."""
        plain = _plain_key(self._text, pos)
        if plain is not None:
            return plain[1], plain.end()
        key, after = self._scalar(pos)  # with escapes, or wrong
        if key not in _MEMBERS:
            raise DecodeError("a member other than tag, name, type and value", at=pos)
        return key, self._expect(":", after)

    def _scalar(self, pos: int) -> tuple[Any, int]:
        """Return the string, number, true, false or null at `pos`, and where the next token begins."""
        if self._text.startswith(("{", "["), pos):
            raise DecodeError("an object or array where none may stand", at=pos)
        try:
            value, end = _DECODER.raw_decode(self._text, pos)
        except JSONDecodeError:
            raise DecodeError("not valid JSON", at=pos) from None
        except ValueError as error:
            raise DecodeError(str(error), at=pos) from None
        return value, self._skip(end)

    def _expect(self, token: str, pos: int) -> int:
        if not self._text.startswith(token, pos):
            raise DecodeError(f"not valid JSON: expected {token}", at=pos)
        return self._skip(pos + 1)

    def _skip(self, pos: int) -> int:
        if not self._text.startswith(_SPACES, pos):
            return pos
        space = _space(self._text, pos)
        return pos if space is None else space.end()


def _step(name: object, beside: list[Item]) -> tuple[str, int | None]:
    """Return the path's step of an object whose tag is `name`, as far as that is known."""
    try:
        tag = parse_tag(name) if isinstance(name, str) else 0
    except ValueError:
        tag = 0
    return tag_name(tag), sum(1 for item in beside if item[0] == tag) or None


def _item(members: dict[str, Any], siblings: Siblings) -> Item:
    """Return the item of an object; raises ValueError."""
    for key in ("tag", "name", "type"):
        if not isinstance(members.get(key, ""), str):
            raise ValueError(f"{key} is not a string")
    if "tag" not in members:
        raise ValueError("the tag is missing")
    tag = parse_tag(members["tag"])
    kind = parse_type(members["type"]) if "type" in members else STRUCTURE
    value = members.get("value")
    if kind == STRUCTURE:
        if not isinstance(value, list | None):
            raise ValueError("the value of a structure is not an array")
        return tag, kind, value or []
    if isinstance(value, str):
        return tag, kind, parse_value(value, kind, siblings.table(tag, kind), "|")
    if type(value) is int and kind in _NUMBER_TYPES:
        return tag, kind, checked_number(value, kind)
    if type(value) is bool and kind == BOOLEAN:
        return tag, kind, value
    raise ValueError(f"the value is missing, or not one of type {TYPE_NAMES[kind]}")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of more than {_MOST_DIGITS} digits")
    return int(digits)


def _fraction(_: str) -> float:
    raise ValueError("a number with a fraction or an exponent")


def _constant(_: str) -> float:
    raise ValueError("NaN and infinity are no JSON numbers")


_DECODER: Final = JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_constant)


def _write(item: Item, siblings: Siblings, version: Version, parts: list[str]) -> None:
    tag, kind, value = item
    table = siblings.table(tag, kind)
    siblings.see(tag, value)
    name = tag_name(tag) if tag in defined_tags(version) else f"0x{tag:06X}"
    try:
        if kind != STRUCTURE:
            text = _format(kind, value, table, version)
            parts.append(f'{{"tag":"{name}","type":"{TYPE_NAMES[kind]}","value":{text}}}')
            return
        inner = Siblings()
        parts.append(f'{{"tag":"{name}","value":')
        between = "["
        for child in value:
            parts.append(between)
            _write(child, inner, version, parts)
            between = ","
        parts.append("]}" if value else "[]}")
    except ValueError as error:
        raise EncodeError(str(error), path=((tag_name(tag), None),)) from None
    except EncodeError as error:
        error.path = ((tag_name(tag), None), *error.path)
        raise


def _format(kind: int, value: Any, table: str | None, version: Version) -> str:
    """Return a JSON string, number or literal; raises ValueError."""
    if kind == BYTE_STRING:
        return f'"{value.hex()}"'
    if kind not in BOUNDS and kind != BIG_INTEGER:
        return dumps(checked_text(value), ensure_ascii=False)
    checked_number(value, kind)
    if kind == ENUMERATION:
        return f'"{format_enumeration(value, table, version)}"'
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind == BIG_INTEGER:
        return f'"0x{big_integer_digits(value)}"'
    if kind in {DATE_TIME, DATE_TIME_EXTENDED}:
        return f'"{format_date(value, kind)}"'
    if kind == LONG_INTEGER and not -_EXACT < value < _EXACT:
        return f'"0x{value & 0xFFFFFFFFFFFFFFFF:016X}"'
    if kind == INTEGER and table is not None and value:
        return f'"{"|".join(mask_names(value, table, version))}"'
    return str(int(value))
