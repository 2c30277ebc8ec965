"""Names and values as text: what the XML and JSON encodings share, and the dump uses.

Rule: nothing here knows a message. Every refusal is a ValueError whose text never contains the value.
The forms are those of KMIP Additional Message Encodings 1.0 §4.1 and §6.1.
"""

import re
from binascii import unhexlify
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from strongroom.registry import Tag, Version
from strongroom.registry.names import (
    TAG_BY_NAME,
    TAG_BY_SPEC_NAME,
    TAGS,
    VALUES,
    defined_tags,
    defined_values,
    value_by_name,
)
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
)

# Dates of the years 1 to 9999, in seconds: what ISO 8601 with four digits, and `datetime`, can say.
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799

FOR_EVER: Final = (1 << 63) - 1
"""The largest value of a date, which says that there is none (KMIP 2.1 §6.1.28); read as the last date."""

BOUNDS: Final = {
    INTEGER: (-(1 << 31), (1 << 31) - 1),
    LONG_INTEGER: (-(1 << 63), (1 << 63) - 1),
    ENUMERATION: (0, (1 << 32) - 1),
    BOOLEAN: (0, 1),
    DATE_TIME: (FIRST_SECOND, LAST_SECOND),
    INTERVAL: (0, (1 << 32) - 1),
    DATE_TIME_EXTENDED: (FIRST_SECOND * 1_000_000, LAST_SECOND * 1_000_000 + 999_999),
}

TAG_CLASSES: Final = frozenset({0x42, 0x54})  # first byte of a tag: defined by KMIP, extension

TYPE_NAMES: Final = {number: entry.name for number, entry in VALUES["ItemType"].items()}
TYPE_BY_NAME: Final = {name: number for number, name in TYPE_NAMES.items()}

_HEX_DIGITS: Final = {
    INTEGER: 8, LONG_INTEGER: 16, ENUMERATION: 8, BOOLEAN: 16, DATE_TIME: 16, INTERVAL: 8,
    DATE_TIME_EXTENDED: 16,
}  # fmt: skip
_MOST_WORDS: Final = 64  # in a mask, which has 32 bits
_BOOLEANS: Final = {"true": True, "false": False}
_HEX: Final = re.compile("0[xX]([0-9A-Fa-f]+)")
_DECIMAL: Final = re.compile("[+-]?[0-9]{1,20}")
_TAG: Final = re.compile("(?:0[xX])?([0-9A-Fa-f]{6})")
_DATE: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,20}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)

_TAGS_AS_VALUES: Final = "Tag"  # the enumeration whose values are the tags themselves
_IDENTIFIERS: Final = "UniqueIdentifier"
_IDENTIFIER_TAGS: Final = frozenset(
    {
        Tag.UNIQUE_IDENTIFIER,
        Tag.CERTIFICATE_REQUEST_UNIQUE_IDENTIFIER,
        Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER,
        Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER,
    }
)


class Siblings:
    """What the items of one structure say about the values beside them.

    KMIP 1.x: the names of an Attribute Value are those of the attribute that the Attribute Name before it
    spells. An attribute of a vendor (2.x) may have any name, so it has no enumeration.
    """

    __slots__ = ("_attribute", "_vendor")

    def __init__(self) -> None:
        self._attribute: int | None = None
        self._vendor = False

    def see(self, tag: int, value: object) -> None:
        """Take note of the next item of the structure."""
        if tag == Tag.ATTRIBUTE_NAME:
            self._attribute = None if self._vendor else TAG_BY_SPEC_NAME.get(str(value))
        elif tag == Tag.VENDOR_IDENTIFICATION:
            self._vendor = True

    def table(self, tag: int, kind: int) -> str | None:
        """Return the enumeration or mask that names the values of the next item, None if there is none."""
        if tag == Tag.ATTRIBUTE_VALUE and self._attribute is not None:
            tag = self._attribute
        entry = TAGS.get(tag)
        if entry is None:
            return None
        if kind == INTEGER:
            return entry.mask
        if kind != ENUMERATION:
            return None
        return _IDENTIFIERS if tag in _IDENTIFIER_TAGS else entry.enumeration


def tag_name(tag: int) -> str:
    """Return the specification's element name of a tag, or its number."""
    entry = TAGS.get(tag)
    if entry is not None:
        return entry.name
    # What is no tag at all may be the bytes of a key that a lying length has laid bare.
    return f"0x{tag:06X}" if tag >> 16 in TAG_CLASSES else "?"


def parse_tag(text: str) -> int:
    """Return the tag of an element name, or of a number such as 0x540001."""
    tag = TAG_BY_NAME.get(text)
    if tag is not None:
        return tag
    digits = _TAG.fullmatch(text)
    if digits is None or not text.startswith("0"):
        raise ValueError("the tag is neither a name of KMIP nor 0x and 6 hex digits")
    tag = int(digits[1], 16)
    if tag >> 16 not in TAG_CLASSES:
        raise ValueError("the tag begins with neither 42 nor 54")
    return tag


def parse_type(text: str) -> int:
    """Return the item type of a name."""
    kind = TYPE_BY_NAME.get(text)
    if kind is None:
        raise ValueError("unknown item type")
    return kind


def parse_value(text: str, kind: int, table: str | None, separator: str | None) -> Any:
    """Return the value of any item type but Structure.

    `table` names an enumeration's values or a mask's bits; `separator` stands between bits, None is white
    space.
    """
    if kind == ENUMERATION:
        return _parse_enumeration(text, table)
    if kind == INTEGER:
        return _parse_number(text, kind) if table is None else _parse_mask(text, table, separator)
    if kind == BYTE_STRING:
        return _parse_hex(text)
    if kind == BIG_INTEGER:
        return parse_big_integer(text)
    if kind == BOOLEAN:
        known = _BOOLEANS.get(text)
        return _parse_number(text, kind) == 1 if known is None else known
    if kind in {DATE_TIME, DATE_TIME_EXTENDED}:
        return _parse_number(text, kind) if _HEX.fullmatch(text) else _parse_date(text, kind)
    if kind in {LONG_INTEGER, INTERVAL}:
        return _parse_number(text, kind)
    return checked_text(text)


def checked_text(text: str) -> str:
    """Return `text` if TTLV can hold it."""
    if "\0" in text:
        raise ValueError("text contains NUL")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("text contains half a surrogate pair") from None
    return text


def checked_number(number: int, kind: int) -> int:
    """Return `number` if the item type can hold it; a Big Integer holds all."""
    if kind != BIG_INTEGER:
        first, last = BOUNDS[kind]
        if number == FOR_EVER and kind in (DATE_TIME, DATE_TIME_EXTENDED):
            return last
        if not first <= number <= last:
            raise ValueError(f"out of the range of {TYPE_NAMES[kind]}")
    return number


def parse_big_integer(text: str) -> int:
    """Return the number of a two's complement in hex digits; a 0x before them is not needed."""
    prefixed = _HEX.fullmatch(text)
    digits = _parse_hex(text[2:] if prefixed else text)
    if not digits:
        raise ValueError("a BigInteger has no digits")
    return int.from_bytes(digits, signed=True)


def big_integer_digits(number: int) -> str:
    """Return two's complement hex, a multiple of 8 bytes."""
    size = ((number if number >= 0 else ~number).bit_length() // 64 + 1) * 8
    return number.to_bytes(size, signed=True).hex()


def enumeration_name(number: int, table: str | None, version: Version | None) -> str | None:
    """Return what `version` (None: any) calls a value, None if it does not know it."""
    if table is None:
        return None
    if table == _TAGS_AS_VALUES:
        known = number in TAGS if version is None else number in defined_tags(version)
        return TAGS[number].name if known else None
    entries = VALUES[table]
    known = number in entries if version is None else number in defined_values(table, version)
    return entries[number].name_in(version) if known else None


def format_enumeration(number: int, table: str | None, version: Version) -> str:
    """Return the name of a value, or 0x and 8 hex digits."""
    return enumeration_name(number, table, version) or f"0x{number:08X}"


def mask_names(number: int, table: str, version: Version | None) -> list[str]:
    """Return the names of the bits that `version` (None: any) knows, and the rest as one hex number."""
    bits, names = number & 0xFFFFFFFF, []
    for bit, entry in VALUES[table].items():
        if bits & bit == bit and (version is None or bit in defined_values(table, version)):
            names.append(entry.name_in(version))
            bits &= ~bit
    return [*names, f"0x{bits:08X}"] if bits else names


def format_date(number: int, kind: int) -> str:
    """Return ISO 8601 in UTC; with six decimals for an extended date."""
    if kind == DATE_TIME:
        return (_EPOCH + number * _SECOND).isoformat()
    return (_EPOCH + number * _MICROSECOND).isoformat(timespec="microseconds")


def _parse_number(text: str, kind: int) -> int:
    """Return a decimal, or a hex number that is a two's complement where the type is signed."""
    digits = _HEX.fullmatch(text)
    if digits is None:
        if _DECIMAL.fullmatch(text) is None:
            raise ValueError(f"not a number of type {TYPE_NAMES[kind]}")
        return checked_number(int(text), kind)
    width = _HEX_DIGITS[kind]
    if len(digits[1]) > width:
        raise ValueError(f"more than {width} hex digits")
    number = int(digits[1], 16)
    if BOUNDS[kind][0] < 0 and number >> (width * 4 - 1):
        number -= 1 << (width * 4)
    return checked_number(number, kind)


def _parse_enumeration(text: str, table: str | None) -> int:
    if text[:2] in {"0x", "0X"}:
        return _parse_number(text, ENUMERATION)
    if table is None:
        raise ValueError("the values of this enumeration have no names: write 0x and 8 hex digits")
    number = (TAG_BY_NAME if table == _TAGS_AS_VALUES else value_by_name(table)).get(text)
    if number is None:
        raise ValueError(f"neither a name of {table} nor 0x and 8 hex digits")
    return number


def _parse_mask(text: str, table: str, separator: str | None) -> int:
    if _DECIMAL.fullmatch(text):
        return _parse_number(text, INTEGER)
    bits, names = 0, value_by_name(table)
    if separator is None:
        # INTEROP(gemalto/kmip-go 0.1): in XML, it writes the value of an attribute as JSON has it.
        text = text.replace("|", " ")
    words = text.split(separator, _MOST_WORDS)
    if not 0 < len(words) <= _MOST_WORDS:
        raise ValueError(f"not between 1 and {_MOST_WORDS} names of {table}")
    for word in words:
        part = names.get(word)
        if part is None:
            if _HEX.fullmatch(word) is None:
                raise ValueError(f"neither names of {table} nor a number")
            part = _parse_number(word, INTEGER)
        bits |= part & 0xFFFFFFFF
    return bits - (1 << 32) if bits >> 31 else bits


def _parse_hex(text: str) -> bytes:
    try:
        return unhexlify(text)
    except ValueError:
        raise ValueError("not pairs of hex digits") from None


def _parse_date(text: str, kind: int) -> int:
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise ValueError("not a date such as 2001-01-01T10:00:00+10:00")
    year, month, day, hour, minute, second = map(int, parts.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = parts.groups()[6:]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError("no such date or time") from None
    number = (moment - _EPOCH) // _SECOND
    if sign is not None:
        if int(offset_hours) > 14 or int(offset_minutes) > 59:
            raise ValueError("no such offset from UTC")
        offset = int(offset_hours) * 3600 + int(offset_minutes) * 60
        number += offset if sign == "-" else -offset
    if kind == DATE_TIME_EXTENDED:
        number = number * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))
    return checked_number(number, kind)
