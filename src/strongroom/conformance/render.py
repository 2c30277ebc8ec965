"""Messages of test cases as text for people.

Rule: nothing is blanked here. The values are those of published test cases and of a server under test; what
is secret, the profile's own credentials, never comes here. For anything else use `wire/dump.py`.
"""

from datetime import UTC, datetime
from typing import Final

from strongroom.conformance.variables import UnknownName, Variable
from strongroom.registry.names import TAGS, VALUES
from strongroom.wire.item import (
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    INTEGER,
    STRUCTURE,
    Item,
)

_SHOWN: Final = 96  # bytes of a value; the rest is only counted
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def tag_name(tag: int) -> str:
    """Return the XML name of a tag, its number when it has none."""
    return TAGS[tag].name if tag in TAGS else f"0x{tag:06X}"


def render(item: Item, indent: int = 0) -> str:
    """Return the whole tree, one line for each item."""
    lead = "  " * indent
    if item[1] != STRUCTURE:
        return f"{lead}{tag_name(item[0])} = {render_value(item)}"
    lines = [f"{lead}{tag_name(item[0])}"]
    lines += [render(inner, indent + 1) for inner in item[2]]
    return "\n".join(lines)


def render_value(item: Item) -> str:
    """Return an item's value on one line, with the names that KMIP has for it."""
    tag, kind, value = item
    if isinstance(value, Variable | UnknownName):
        return str(value)
    if kind == STRUCTURE:
        return f"{tag_name(tag)}{{{', '.join(map(_inline, value))}}}"
    if kind == ENUMERATION:
        return _enumeration(tag, value)
    if kind == INTEGER:
        return _mask(tag, value)
    if kind == BYTE_STRING:
        return _hex(value)
    if kind in (DATE_TIME, DATE_TIME_EXTENDED):
        return _time(value / 1_000_000 if kind == DATE_TIME_EXTENDED else value)
    if kind == BOOLEAN:
        return "true" if value else "false"
    return repr(value) if isinstance(value, str) else str(value)


def _inline(item: Item) -> str:
    text = render_value(item)
    return text if item[1] == STRUCTURE else f"{tag_name(item[0])}={text}"


def hex_dump(data: bytes) -> str:
    """Return bytes as a dump of 16 a line."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def _enumeration(tag: int, value: int) -> str:
    entry = TAGS.get(tag)
    title = entry.enumeration if entry is not None else None
    if title == "Tag":
        return tag_name(value)
    known = VALUES.get(title, {}) if title is not None else {}
    return known[value].name if value in known else f"0x{value:08X}"


def _mask(tag: int, value: int) -> str:
    entry = TAGS.get(tag)
    title = entry.mask if entry is not None else None
    if title is None:
        return str(value)
    names = [bit.name for number, bit in VALUES[title].items() if value & number]
    return " ".join(names) or "0"


def _hex(value: bytes) -> str:
    shown = value[:_SHOWN].hex()
    return shown if len(value) <= _SHOWN else f"{shown}... ({len(value)} bytes)"


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return f"{seconds} s after 1970"
