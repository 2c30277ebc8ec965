"""Values of attributes as text that people type; `showing.py` is the other way.

Rule: everything is called what the specification calls it; case, spaces, hyphens and underscores make no
difference.
"""

import difflib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any, Final, TypeVar, cast

import typer

from strongroom.attributes.catalogue import all_attributes
from strongroom.client.attributes import key_of
from strongroom.client.errors import InvalidRequest
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, RawValue, VendorAttribute
from strongroom.model.attribute_types import name_of
from strongroom.model.forms import EXTENSION, form_of
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Field, Seconds, Struct, StructMeta
from strongroom.model.structures import Name, RotateName
from strongroom.registry import ItemType
from strongroom.registry.names import TAGS, VALUES, enumeration_title

E = TypeVar("E", bound=IntEnum)
M = TypeVar("M", bound=IntFlag)

_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
ONE_TEXT: Final[Mapping[type[Struct], str]] = {Name: "name_value", RotateName: "rotate_name_value"}
"""Structures that are written as the text in them."""

CUSTOM_TYPES: Final = {
    "text": ItemType.TEXT_STRING,
    "integer": ItemType.INTEGER,
    "long-integer": ItemType.LONG_INTEGER,
    "big-integer": ItemType.BIG_INTEGER,
    "enumeration": ItemType.ENUMERATION,
    "boolean": ItemType.BOOLEAN,
    "bytes": ItemType.BYTE_STRING,
    "date-time": ItemType.DATE_TIME,
    "interval": ItemType.INTERVAL,
}


def plain(text: str) -> str:
    """Return a name without what makes no difference."""
    return "".join(filter(str.isalnum, text)).lower()


@cache
def _members(cls: type[IntEnum] | type[IntFlag]) -> Mapping[str, int]:
    """Return every name of the values of a table, in plain form."""
    table = VALUES[enumeration_title(cls)]
    names = {plain(entry.name): number for number, entry in table.items()}
    return names | {plain(entry.spec_name): number for number, entry in table.items()}


def choices(cls: type[IntEnum] | type[IntFlag]) -> str:
    """Return the names of a table for a help text."""
    return ", ".join(entry.spec_name for entry in VALUES[enumeration_title(cls)].values())


def parse_enumeration(cls: type[E], text: str) -> E:
    """Return the value with this name; a vendor's number is written 0x80000001. Raises BadParameter."""
    number = _members(cls).get(plain(text))
    if number is not None:
        return cls(number)
    if text[:2] in ("0x", "0X"):
        vendor = _number(text)
        if EXTENSION <= vendor < 1 << 32:
            return cast(E, vendor)  # the model keeps a vendor's number as it is
    raise typer.BadParameter(_unknown(cls, text))


def parse_mask(cls: type[M], text: str) -> M:
    """Return the bits named in a comma-separated list; raises BadParameter."""
    mask = cls(0)
    for name in text.split(","):
        number = _members(cls).get(plain(name))
        if number is None:
            raise typer.BadParameter(_unknown(cls, name))
        mask |= cls(number)
    return mask


def _unknown(cls: type[IntEnum] | type[IntFlag], text: str) -> str:
    title = enumeration_title(cls)
    names = {plain(entry.spec_name): entry.spec_name for entry in VALUES[title].values()}
    near = difflib.get_close_matches(plain(text), names, n=3)
    instead = (
        f"did you mean {' or '.join(names[n] for n in near)}?" if near else f"it is one of {choices(cls)}"
    )
    return f"{text!r} is not a {TAGS_TITLE.get(title, title)}; {instead}"


TAGS_TITLE: Final = {entry.name: entry.spec_name for entry in TAGS.values()}
"""What the specification calls a table: `Cryptographic Algorithm` for `CryptographicAlgorithm`."""


def parse_date(text: str) -> datetime:
    """Return a moment written as ISO 8601 (UTC unless it says otherwise) or `now`; raises BadParameter."""
    if text == "now":
        return datetime.now(UTC).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a date; write 2026-12-31 or 2026-12-31T23:59:59Z"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_span(text: str) -> Seconds:
    """Return a number with s, m, h, d or w after it as seconds; raises BadParameter."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit()):
        raise typer.BadParameter(f"{text!r} is not a span of time; write 90d, 12h, 30m or 45s")
    seconds = int(number) * unit
    if not 0 < seconds < 1 << 32:
        raise typer.BadParameter("a span of time is between a second and 136 years")
    return Seconds(seconds)


def parse_key(text: str) -> AttributeKey:
    """Return the attribute with this name: the specification's, x-NAME, or VENDOR:NAME of KMIP 2.x."""
    try:
        return key_of(text)
    except InvalidRequest as exc:
        vendor, colon, name = text.partition(":")
        if colon and vendor and name:
            return VendorAttribute(vendor, name)
        near = difflib.get_close_matches(text, [rule.name for rule in all_attributes().values()], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "names of your own begin with x-"
        raise typer.BadParameter(f"no attribute is called {text!r}; {hint}") from exc


def parse_attribute(text: str) -> AttributeInstance:
    """Return the attribute written as NAME=VALUE, or NAME@TYPE=VALUE if it is custom; raises BadParameter."""
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    custom, at, item_type = name.rpartition("@")
    if at and item_type in CUSTOM_TYPES:
        return parse_instance(parse_key(custom), value, custom=item_type)
    return parse_instance(parse_key(name), value)


def parse_instance(key: AttributeKey, text: str, *, custom: str = "text") -> AttributeInstance:
    """Return an attribute with this value; `custom` is the type of a custom one. Raises BadParameter."""
    try:
        if isinstance(key, VendorAttribute):
            return AttributeInstance(key, _parse_custom(text, custom))
        rule = all_attributes()[key]
        return AttributeInstance(key, _parse(rule.kind, text))
    except ValueError as exc:
        raise typer.BadParameter(f"{name_of(key)}: {exc}") from exc


def _parse_custom(text: str, custom: str) -> RawValue:
    item_type = CUSTOM_TYPES.get(custom)
    match item_type:
        case None:
            raise ValueError(f"{custom!r} is not a type; it is one of {', '.join(CUSTOM_TYPES)}")
        case ItemType.TEXT_STRING:
            return RawValue(int(item_type), text)
        case ItemType.DATE_TIME:
            return RawValue(*form_of(datetime).encoder(None)(parse_date(text)))
        case ItemType.BOOLEAN:
            return RawValue(int(item_type), _truth(text))
        case ItemType.BYTE_STRING:
            return RawValue(int(item_type), _octets(text))
        case _:
            return RawValue(int(item_type), _number(text))


_PARSERS: Final[Mapping[Any, Callable[[str], Any]]] = {
    str: str,
    UniqueIdentifier: str,
    int: lambda text: _number(text),
    Seconds: lambda text: _number(text),
    bool: lambda text: _truth(text),
    bytes: lambda text: _octets(text),
    datetime: parse_date,
}


def _parse(kind: Any, text: str) -> Any:
    if kind in _PARSERS:
        return _PARSERS[kind](text)
    if isinstance(kind, StructMeta):
        return _parse_struct(cast(type[Struct], kind), text)
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return parse_mask(kind, text)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return parse_enumeration(kind, text)
    return text  # an identifier under a name of its own


def _parse_struct(cls: type[Struct], text: str) -> Struct:
    """Return the structure written as `field=value,field=value`."""
    if cls in ONE_TEXT:
        return cls(**{ONE_TEXT[cls]: text})
    fields: dict[str, Field] = {plain(field.name): field for field in cls.fields}
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        field = fields.get(plain(name))
        if not equals or field is None:
            raise ValueError(
                f"write {','.join(f'{f.name}=...' for f in cls.fields)}, without what you do not need"
            )
        given[field.name] = _parse(field.kind, value)
    missing = [field.name for field in cls.fields if field.required and field.name not in given]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    return cls(**given)


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _truth(text: str) -> bool:
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("bytes are written in hexadecimal") from None
