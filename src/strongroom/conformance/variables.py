"""The `$NAME` values of the test cases: what they stand for, and where they come from.

Rule: a variable lives in an Item in place of a leaf's value. It is bound by the first response that
holds it, resolved in requests, and never guessed silently: every stand-in leaves a note.

`$NOW`, `$NOW-3600`, `$NOW+20`   a time, resolved when the request is sent
`$UNIQUE_IDENTIFIER_0`           bound by a response; the same object for the rest of the case
`$DATA_0`, `$IV_COUNTER_NONCE`   may be used without a response that names it: some listings print the
                                 value in the response and the variable only in the next request. Then
                                 it is the n-th, or without a number the last, value of that tag.
`$..._RANDOM_0`                  chosen by the client
"""

import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from strongroom.conformance.trees import leaves
from strongroom.registry import Tag
from strongroom.wire.item import (
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    IDENTIFIER,
    REFERENCE,
    STRUCTURE,
    TEXT_STRING,
    Item,
)

Value: TypeAlias = int | str | bytes | bool

_VARIABLE: Final = re.compile(r"\$([A-Z][A-Z0-9_]*)([+-]\d+)?\Z")
_NUMBERED: Final = re.compile(r"(.+?)_(\d+)\Z")
_TEXTS: Final = frozenset({TEXT_STRING, IDENTIFIER, REFERENCE})


@dataclass(frozen=True)
class Variable:
    """A `$NAME` in place of a value; `offset` is in seconds and only `$NOW` has one."""

    name: str
    offset: int = 0

    def __str__(self) -> str:
        return f"${self.name}{self.offset:+d}" if self.offset else f"${self.name}"


@dataclass(frozen=True)
class UnknownName:
    """An enumeration name in a listing that no version of KMIP defines: a misprint."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} (no such name in KMIP)"


class Unresolved(Exception):
    """A request needs a variable that no response has bound and that no client can choose."""


def parse_variable(text: str) -> Variable | None:
    """Return the variable that is the whole of `text`, None when it is a plain value."""
    found = _VARIABLE.match(text)
    if found is None:
        return None
    offset = int(found[2]) if found[2] else 0
    return Variable(found[1], offset) if offset == 0 or found[1] == "NOW" else None


@dataclass
class Bindings:
    """What the variables of one case stand for so far."""

    values: dict[str, Value] = field(default_factory=dict)
    seen: dict[int, list[Value]] = field(default_factory=dict)
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def learn(self, response: Item) -> None:
        """Remember the values of a response, for variables that no response names."""
        for tag, _, value in leaves(response):
            self.seen.setdefault(tag, []).append(value)

    def bound(self, variable: Variable) -> Value | None:
        """Return what a response has bound; never a time."""
        return self.values.get(variable.name)

    def bind(self, variable: Variable, value: Value) -> None:
        """Let the variable stand for `value` from now on."""
        self.values[variable.name] = value

    def names_another(self, variable: Variable, value: Value) -> bool:
        """Tell whether a value is the identifier of an object that another variable stands for."""
        names_objects = variable.name.startswith(Tag.UNIQUE_IDENTIFIER.name)
        return names_objects and value in self._identifiers()

    def fill(self, template: Item, *, now: int) -> Item:
        """Return the template as a message to send at `now` (seconds); raises Unresolved.

        A printed value that the server was free to vary is replaced by the one that it sent, as a
        client would do that works with what it received.
        """
        tag, kind, value = template
        if kind == STRUCTURE:
            return (tag, kind, [self.fill(child, now=now) for child in value])
        if isinstance(value, Variable):
            return (tag, kind, self._resolve(value, tag, kind, now))
        if kind == BYTE_STRING and tag in CARRIED_OVER:
            return (tag, kind, self.replaced.get(value, value))
        return template

    def _resolve(self, variable: Variable, tag: int, kind: int, now: int) -> Value:
        if variable.name == "NOW":
            seconds = now + variable.offset
            return seconds * 1_000_000 if kind == DATE_TIME_EXTENDED else seconds
        known = self.values.get(variable.name)
        if known is None:
            known = self._seen(variable.name)
        if known is None:
            known = self._stand_in(variable, tag, kind)
        return known

    def _seen(self, name: str) -> Value | None:
        numbered = _NUMBERED.match(name)
        plain, position = (numbered[1], int(numbered[2])) if numbered else (name, -1)
        if plain not in Tag.__members__:
            return None
        values = self.seen.get(Tag[plain], [])
        if plain == Tag.UNIQUE_IDENTIFIER.name or position >= len(values) or not values:
            return None
        return values[position]

    def _stand_in(self, variable: Variable, tag: int, kind: int) -> Value:
        if "_RANDOM" in variable.name:
            fresh: Value = str(uuid.uuid4()) if kind in _TEXTS else secrets.token_bytes(16)
        elif tag == Tag.UNIQUE_IDENTIFIER and len(self._identifiers()) == 1:
            (fresh,) = self._identifiers()
            self.notes.append(f"{variable} is bound by no response: taken for the only object of the case")
        else:
            raise Unresolved(f"{variable} is bound by no response before the request that uses it")
        self.values[variable.name] = fresh
        return fresh

    def _identifiers(self) -> set[Value]:
        return {v for name, v in self.values.items() if name.startswith(Tag.UNIQUE_IDENTIFIER.name)}


CARRIED_OVER: Final = frozenset(
    {
        Tag.DATA,
        Tag.SIGNATURE_DATA,
        Tag.MAC_DATA,
        Tag.IV_COUNTER_NONCE,
        Tag.AUTHENTICATED_ENCRYPTION_TAG,
        Tag.KEY_MATERIAL,
    }
)


def future_dates(template: Item, *, now: int) -> set[int]:
    """Return the times that the template's `$NOW+n` stand for at `now`."""
    return {
        now + value.offset
        for _, kind, value in leaves(template)
        if kind == DATE_TIME and isinstance(value, Variable) and value.offset > 0
    }


def same(left: Any, right: Any) -> bool:
    """Tell whether two leaf values are equal; False and 0 are not."""
    return type(left) is type(right) and bool(left == right)
