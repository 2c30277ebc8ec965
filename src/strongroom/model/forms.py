"""Forms: how one value stands as one item, version by version.

Rule: the item type of a value, and any change of it between versions, is decided here. A version of None is
the storage form: shaped like KMIP 2.1, with nothing gated.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any, Final

from strongroom.model.compat import STAND_INS
from strongroom.model.errors import MalformedField, NotInVersion, UnknownValue
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.registry import ItemType, Version
from strongroom.registry.names import defined_values, enumeration_title

EXTENSION: Final = 0x80000000
"""Enumeration values and mask bits from here on belong to vendors."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Decoder = Callable[[int, Any], Any]
Encoder = Callable[[Any], tuple[int, Any]]


class Form(ABC):
    """How values of one Python type stand on the wire.

    `item_types` are accepted on input; `decoder` and `encoder` return the functions for one version, made
    once and kept by the caller.
    """

    item_types: tuple[int, ...]

    @abstractmethod
    def decoder(self, version: Version | None) -> Decoder:
        """Return `(item type, value) -> Python value`; the item type is one of `item_types`."""

    @abstractmethod
    def encoder(self, version: Version | None) -> Encoder:
        """Return `Python value -> (item type, value)`; raises NotInVersion."""


class PlainForm(Form):
    """One item type in every version, converted by two functions (None: the value as it is)."""

    def __init__(
        self,
        item_type: ItemType,
        decode: Callable[[Any], Any] | None = None,
        encode: Callable[[Any], Any] | None = None,
    ) -> None:
        self.item_types = (int(item_type),)
        self.convert = decode
        self.revert = encode

    def decoder(self, version: Version | None) -> Decoder:
        convert = self.convert
        if convert is None:
            return lambda _, value: value
        return lambda _, value: convert(value)

    def encoder(self, version: Version | None) -> Encoder:
        item_type, revert = self.item_types[0], self.revert
        if revert is None:
            return lambda value: (item_type, value)
        return lambda value: (item_type, revert(value))


class EnumerationForm(Form):
    """An enumeration; vendor extensions stay plain integers, anything else unknown is refused."""

    item_types: tuple[int, ...] = (int(ItemType.ENUMERATION),)

    def __init__(self, cls: type[IntEnum]) -> None:
        self.cls = cls
        self.members: dict[int, Any] = {int(m): m for m in cls}

    def unknown(self, value: int) -> int:
        """Return a vendor extension; raises UnknownValue for any other number."""
        if value >= EXTENSION:
            return value
        raise UnknownValue(f"0x{value:08X} is not a {enumeration_title(self.cls)}")

    def allowed(self, version: Version | None) -> frozenset[int]:
        """Return the values that an answer of `version` may hold, vendor extensions aside."""
        if version is None:
            return frozenset(self.members)
        return defined_values(enumeration_title(self.cls), version)

    def fall_back(self, value: int, allowed: frozenset[int]) -> int:
        """Return what stands for a value that the version does not define; raises NotInVersion.

        A vendor extension stands for itself.
        """
        if value >= EXTENSION:
            return value
        stand_in = STAND_INS.get(self.cls, {}).get(value)
        if stand_in is None or stand_in not in allowed:
            raise NotInVersion(
                f"{enumeration_title(self.cls)} {self.cls(value).name} is from another version"
            )
        return stand_in

    def decoder(self, version: Version | None) -> Decoder:
        members, unknown = self.members, self.unknown

        def decode(_: int, value: int) -> Any:
            member = members.get(value)
            return unknown(value) if member is None else member

        return decode

    def encoder(self, version: Version | None) -> Encoder:
        allowed, fall_back = self.allowed(version), self.fall_back

        def encode(value: int) -> tuple[int, int]:
            return 5, value if value in allowed else fall_back(value, allowed)

        return encode


class MaskForm(Form):
    """A bit mask; bits that the version of an answer does not define are left out of it."""

    item_types = (int(ItemType.INTEGER),)

    def __init__(self, cls: type[IntFlag]) -> None:
        self.cls = cls
        self.make = cache(cls)

    def bits(self, version: Version | None) -> int:
        """Return the bits that an answer of `version` may hold."""
        if version is None:
            return 0xFFFFFFFF
        return sum(defined_values(enumeration_title(self.cls), version)) | EXTENSION

    def decoder(self, version: Version | None) -> Decoder:
        make = self.make
        return lambda _, value: make(value & 0xFFFFFFFF)

    def encoder(self, version: Version | None) -> Encoder:
        bits = self.bits(version)
        return lambda value: (2, signed(int(value) & bits))


def signed(bits: int) -> int:
    """Return a 32-bit pattern as the signed integer that stands on the wire."""
    return bits - 0x100000000 if bits & 0x80000000 else bits


def _seconds(value: int) -> datetime:
    return _EPOCH + timedelta(seconds=value)


def _from_seconds(value: datetime) -> int:
    return (value - _EPOCH) // timedelta(seconds=1)


def _microseconds(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _from_microseconds(value: datetime) -> int:
    return (value - _EPOCH) // _MICROSECOND


def _secret_text(value: str) -> SecretBytes:
    return SecretBytes(value.encode())


def _reveal_text(value: SecretBytes) -> str:
    return value.reveal().decode()


class LeaseTimeForm(Form):
    """An Interval, or the time when it ends (KMIP 2.1 §6.1.30)."""

    item_types = (int(ItemType.INTERVAL), int(ItemType.DATE_TIME))

    def decoder(self, version: Version | None) -> Decoder:
        return lambda item_type, value: Seconds(value) if item_type == 10 else _seconds(value)

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (9, _from_seconds(value)) if isinstance(value, datetime) else (10, value)


_BY_MARKER: Final[dict[tuple[Any, ItemType], Form]] = {
    (int, ItemType.INTEGER): PlainForm(ItemType.INTEGER),
    (int, ItemType.LONG_INTEGER): PlainForm(ItemType.LONG_INTEGER),
    (int, ItemType.BIG_INTEGER): PlainForm(ItemType.BIG_INTEGER),
    (datetime, ItemType.DATE_TIME_EXTENDED): PlainForm(
        ItemType.DATE_TIME_EXTENDED, _microseconds, _from_microseconds
    ),
    (SecretBytes, ItemType.TEXT_STRING): PlainForm(ItemType.TEXT_STRING, _secret_text, _reveal_text),
}
_BY_TYPE: Final[dict[Any, Form]] = {
    str: PlainForm(ItemType.TEXT_STRING),
    bytes: PlainForm(ItemType.BYTE_STRING),
    bool: PlainForm(ItemType.BOOLEAN),
    Seconds: PlainForm(ItemType.INTERVAL),
    datetime: PlainForm(ItemType.DATE_TIME, _seconds, _from_seconds),
    SecretBytes: PlainForm(ItemType.BYTE_STRING, SecretBytes, SecretBytes.reveal),
}


def set_form(kind: Any, form: Form) -> None:
    """Teach `form_of` a type of another module; called where the type is defined, at import."""
    _BY_TYPE[kind] = form


@cache
def form_of(kind: Any, marker: ItemType | None = None) -> Form:
    """Return the form of a simple type; raises TypeError for one that is not simple (a Struct, a Shape)."""
    if marker is not None:
        return _BY_MARKER[kind, marker]
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return MaskForm(kind)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return EnumerationForm(kind)
    raise TypeError(f"{kind!r} has no form on the wire")


def expect(item_type: int, accepted: tuple[int, ...]) -> None:
    """Raise MalformedField unless the item type is one of `accepted`."""
    if item_type not in accepted:
        wanted = " or ".join(ItemType(t).name for t in accepted)
        raise MalformedField(f"expected {wanted}, got {ItemType(item_type).name}")
