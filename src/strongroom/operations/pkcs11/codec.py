"""How the parameters of a function stand in bytes (KMIP Profiles 2.1 §5.18.1).

Rule: bytes only; what they mean is the function's affair. Nothing is taken on trust: a count is compared with
the bytes that are there before anything is made of it.

A byte is a byte, a CK_ULONG eight bytes, the highest first; a count or length four. Pointers are followed in
line. A variable array comes behind its count; an output buffer is a flag, whether there is one, and its size.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from strongroom.operations.pkcs11.constants import ATTRIBUTE_KINDS, Kind
from strongroom.operations.pkcs11.errors import PKCS11CodecError

MAXIMUM_ATTRIBUTES: Final = 256
"""Of one template; PKCS#11 knows fewer types."""


MAXIMUM_OUTPUT: Final = 4 << 20
"""Bytes of attributes that one call gives out: as many as a whole object may have."""


class Room(Enum):
    """Why an output was not written."""

    QUERY = "query"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Where the caller wants output: not at all (it asks for the length), or into so many bytes."""

    given: bool
    size: int


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A CK_MECHANISM; the parameter is read by who knows the type."""

    type: int
    parameter: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One element of a template. `value` None: none was sent; `size` None: the caller asks for the length."""

    type: int
    value: bytes | int | bool | tuple[int, ...] | None = field(repr=False)  # it may be a key
    size: int | None


class Reader:
    """Reads parameters in order; raises PKCS11CodecError where they are not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise PKCS11CodecError(f"the input parameters end early, at byte {len(self._data)}")
        taken, self._at = self._data[self._at : end], end
        return taken

    @property
    def left(self) -> int:
        """Return how many bytes are not read yet."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Return when everything was read."""
        if self.left:
            raise PKCS11CodecError(f"{self.left} bytes follow the last parameter of the function")

    def byte(self) -> int:
        return self._take(1)[0]

    def flag(self) -> bool:
        value = self.byte()
        if value > 1:
            raise PKCS11CodecError(f"a flag is 0 or 1 (byte {self._at - 1})")
        return bool(value)

    def ulong(self) -> int:
        return int.from_bytes(self._take(8), "big")

    def count(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def data(self) -> bytes:
        """Return an array of bytes."""
        return self._take(self.count())

    def ulongs(self) -> tuple[int, ...]:
        count = self.count()
        if count * 8 > self.left:
            raise PKCS11CodecError("an array is longer than the input parameters")
        return tuple(self.ulong() for _ in range(count))

    def buffer(self) -> Buffer:
        return Buffer(self.flag(), self.count())

    def mechanism(self) -> Mechanism:
        number = self.ulong()
        return Mechanism(number, self.data() if self.flag() else None)

    def template(self) -> list[Attribute]:
        count = self.count()
        if count > MAXIMUM_ATTRIBUTES:
            raise PKCS11CodecError(f"a template has at most {MAXIMUM_ATTRIBUTES} attributes")
        return [self._attribute() for _ in range(count)]

    def _attribute(self) -> Attribute:
        number, has_value, has_size = self.ulong(), self.flag(), self.flag()
        kind = ATTRIBUTE_KINDS.get(number, Kind.BYTES)
        if not has_size:
            return Attribute(number, b"" if has_value else None, None)
        if kind in _FIXED:
            return Attribute(number, self._fixed(kind) if has_value else None, _FIXED[kind])
        if not has_value:
            return Attribute(number, None, self.count())
        if kind is Kind.ULONGS:
            numbers = self.ulongs()
            return Attribute(number, numbers, len(numbers))
        value = self.data()
        return Attribute(number, value, len(value))

    def _fixed(self, kind: Kind) -> int | bool | bytes:
        if kind is Kind.FLAG:
            return self.flag()
        return self.ulong() if kind is Kind.ULONG else self._take(8)


_FIXED: Final = {Kind.FLAG: 1, Kind.ULONG: 8, Kind.DATE: 8}


class Writer:
    """Writes output parameters in order."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def raw(self, value: bytes) -> None:
        self._parts.append(value)

    def flag(self, value: bool) -> None:
        self._parts.append(bytes([value]))

    def ulong(self, value: int) -> None:
        self._parts.append(value.to_bytes(8, "big"))

    def count(self, value: int) -> None:
        self._parts.append(value.to_bytes(4, "big"))

    def data(self, value: bytes) -> None:
        self.count(len(value))
        self._parts.append(value)

    def text(self, value: str, size: int) -> None:
        """Write text padded with spaces to its fixed size."""
        self._parts.append(value.encode()[:size].ljust(size))

    def version(self, major: int, minor: int) -> None:
        self._parts.append(bytes([major, minor]))

    def room(self, size: int, buffer: Buffer) -> Room | None:
        """Return None when so many elements fit; else write the length that is needed."""
        if buffer.given and size <= buffer.size:
            return None
        self.flag(value=False)
        self.count(size)
        return Room.SMALL if buffer.given else Room.QUERY

    def filled(self, value: bytes) -> None:
        """Write what goes into an output buffer that has room for it."""
        self.flag(value=True)
        self.data(value)

    @property
    def size(self) -> int:
        """Return how many bytes are written."""
        return sum(map(len, self._parts))

    def numbers(self, values: tuple[int, ...]) -> None:
        """Write an array of CK_ULONG behind its count."""
        self.count(len(values))
        for value in values:
            self.ulong(value)

    def attribute(
        self, number: int, value: bytes | int | bool | tuple[int, ...] | None, size: int | None
    ) -> None:
        """Write one element of a template; without a value its length, without that nothing more."""
        self.ulong(number)
        self.flag(value is not None)
        self.flag(size is not None)
        kind = ATTRIBUTE_KINDS.get(number, Kind.BYTES)
        if size is not None and kind not in _FIXED:
            self.count(size)
        match value:
            case bool():
                self.flag(value)
            case int():
                self.ulong(value)
            case bytes():
                self.raw(value)
            case tuple():
                for one in value:
                    self.ulong(one)
            case None:
                pass

    def done(self) -> bytes:
        return b"".join(self._parts)
