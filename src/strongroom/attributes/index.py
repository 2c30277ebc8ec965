"""Attribute values as index terms, and filters of Locate as terms to look for.

Rule: what is stored and what is looked for are encoded by the same functions here. The index may find more
than `rules.matches` accepts (the plan then says so), never less. Changing an encoding is a migration.

A term is what it is about (the tag, or vendor and name), one byte for which part (0 the whole value, n the
n-th field of a structure; for vendor attributes the item type), and the value. Numbers and dates are encoded
so that their bytes sort as they do; text and bytes stand as they are, longer ones as a digest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.declaration import Attribute, Computed, Index
from strongroom.attributes.due import rotation_due
from strongroom.attributes.matching import DATE_TYPES, NO_DATE
from strongroom.attributes.vendor import resolved
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import (
    SMALL,
    AttributeInstance,
    AttributeKey,
    RawValue,
    SharedInstances,
    VendorAttribute,
)
from strongroom.model.struct import Field, Struct, StructMeta
from strongroom.registry import ItemType, ObjectType, Tag

MAXIMUM_VALUE: Final = 64
"""Bytes of a value in a term; of a longer one, the SHA-256 stands there."""
ORDERED: Final = 0x80
"""Set in the first byte of the terms in which ranges are looked for: dates (`store.records.ORDERED`)."""

_WHOLE: Final = 0
_DIGESTED: Final = 0x80
_BIAS: Final = 1 << 63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_NO_TIME: Final = _EPOCH
"""Passed to computed attributes: what changes with time is not indexed."""
_COMPUTED_FROM: Final = (
    Tag.SHORT_UNIQUE_IDENTIFIER,
    Tag.DIGEST,
    Tag.CERTIFICATE_TYPE,
    Tag.CERTIFICATE_LENGTH,
)
"""Stored attributes that computed ones are made of, beside the material."""

Encode: TypeAlias = Callable[[Any], bytes]


class TermRange(NamedTuple):
    """Some term of the object lies in [low, high], both ends included."""

    low: bytes
    high: bytes


@dataclass(slots=True, kw_only=True)
class Plan:
    """How the objects that match the filters are found.

    Each that matches has these column values, all of `terms`, a term in each of `ranges`, and all bits of
    `usage_mask`. Unless `examined` is empty, not each that has them matches: the object must be looked at.
    """

    object_type: int | None = None
    state: int | None = None
    unique_identifier: str | None = None
    usage_mask: int = 0
    terms: list[bytes] = field(default_factory=list)
    ranges: list[TermRange] = field(default_factory=list)
    examined: list[AttributeInstance] = field(default_factory=list)


def terms(obj: ManagedObject) -> set[bytes]:
    """Return every term under which an object is found."""
    found = set(_computed_terms(obj))
    for key, instances in obj.attributes.items():
        known = instances.terms if type(instances) is SharedInstances else None
        found.update(_stored_terms(key, instances) if known is None else known)
    found.update(_due_terms(obj))
    return found


def changed_terms(old: ManagedObject, new: ManagedObject) -> tuple[set[bytes], set[bytes]]:
    """Return the terms that a new generation of an object adds and those that it removes."""
    before: set[bytes] = set()
    after: set[bytes] = set()
    for key in old.attributes.keys() | new.attributes.keys():
        was, becomes = old.attributes.get(key, ()), new.attributes.get(key, ())
        if was is not becomes:
            before.update(_stored_terms(key, was))
            after.update(_stored_terms(key, becomes))
    if old.material is not new.material or any(
        old.attributes.get(tag) is not new.attributes.get(tag) for tag in _COMPUTED_FROM
    ):
        before.update(_computed_terms(old))
        after.update(_computed_terms(new))
    before.update(_due_terms(old))
    after.update(_due_terms(new))
    return after - before, before - after


def _stored_terms(key: AttributeKey, instances: Sequence[AttributeInstance]) -> Sequence[bytes]:
    terms = _terms_of(key, instances)
    if type(instances) is SharedInstances:
        instances.terms = terms
    return terms


def _terms_of(key: AttributeKey, instances: Sequence[AttributeInstance]) -> Sequence[bytes]:
    if isinstance(key, VendorAttribute):
        return [_raw_term(key, value) for _, value, _ in instances if _is_indexed(value)]
    if len(instances) == 1 and isinstance(instances[0].value, SMALL):
        return _small_terms(key, instances[0].value)
    indexed = _INDEXED.get(key)
    if indexed is None:
        return ()
    return [term for instance in instances for term in indexed.terms(instance.value)]


@lru_cache(maxsize=4096)
def _small_terms(key: Tag, value: Any) -> Sequence[bytes]:
    """Return the terms of a number, a member of an enumeration or a date: many objects have the same."""
    indexed = _INDEXED.get(key)
    return () if indexed is None else indexed.terms(value)


def _computed_terms(obj: ManagedObject) -> Iterator[bytes]:
    for computed, indexed in _COMPUTED[obj.object_type]:
        value = computed(obj, _NO_TIME)
        if value is not None:
            yield from indexed.terms(value)


def due_range(now: datetime) -> TermRange:
    """Return the terms of all objects whose rotation is due by `now`."""
    return TermRange(_DUE, _DUE + _date(now))


def sight_terms(groups: Iterable[str], policies: Iterable[str]) -> set[bytes]:
    """Return the terms of members of object groups, and of objects under operation policies (1.x)."""
    made: set[bytes] = set()
    for tag, values in ((Tag.OBJECT_GROUP, groups), (Tag.OPERATION_POLICY_NAME, policies)):
        made.update(*(_stored_terms(tag, (AttributeInstance(tag, value),)) for value in values))
    return made


def _due_terms(obj: ManagedObject) -> tuple[bytes, ...]:
    if Tag.ROTATE_AUTOMATIC not in obj.attributes:
        return ()
    due = rotation_due(obj)
    return () if due is None else (_DUE + _date(due),)


def filter_terms(filters: Iterable[AttributeInstance]) -> Plan | None:
    """Return the plan for the filters of a Locate; None when they contradict each other or are unknown."""
    wanted: dict[AttributeKey, list[Any]] = {}
    for key, value, _ in map(resolved, filters):
        wanted.setdefault(key, []).append(value)
    plan = Plan()
    for key, values in wanted.items():
        if isinstance(key, VendorAttribute):
            _plan_raw(plan, key, values)
            continue
        rule = _ALL.get(key)
        if rule is None:
            return None
        if rule.index is Index.COLUMN:
            if not _plan_column(plan, key, values):
                return None
        elif rule.index is Index.EXAMINED:
            plan.examined += [AttributeInstance(key, value) for value in values]
        else:
            _INDEXED[key].plan(plan, values)
    return plan


def _plan_column(plan: Plan, key: Tag, values: Sequence[Any]) -> bool:
    """Add conditions on a column; return False when no object can meet them all."""
    if key is Tag.CRYPTOGRAPHIC_USAGE_MASK:
        for mask in values:
            plan.usage_mask |= int(mask) & 0xFFFFFFFF
        if not plan.usage_mask:
            # Every row has these bits, but not every object has the attribute.
            plan.examined.append(AttributeInstance(key, values[0]))
        return True
    if any(value != values[0] for value in values):
        return False
    match key:
        case Tag.OBJECT_TYPE:
            plan.object_type = int(values[0])
        case Tag.STATE:
            plan.state = int(values[0])
        case Tag.UNIQUE_IDENTIFIER:
            plan.unique_identifier = str(values[0])
        case _:
            raise TypeError(f"{key.name} has no column")
    return True


def _number(value: int) -> bytes:
    return (value + _BIAS).to_bytes(8, "big")


def _date(value: datetime) -> bytes:
    return _number((value - _EPOCH) // _SECOND)


def _boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def _bytes(value: bytes) -> bytes:
    return value


_ENCODERS: Final[Mapping[Any, Encode]] = {
    str: str.encode,
    bytes: _bytes,
    bool: _boolean,
    int: _number,
    datetime: _date,
}


def _encoder(kind: Any) -> Encode:
    """Return the encoder of a simple type; raises TypeError for what has no order or equality of bytes."""
    kind = getattr(kind, "__supertype__", kind)
    if kind in _ENCODERS:
        return _ENCODERS[kind]
    if isinstance(kind, type) and issubclass(kind, int) and not issubclass(kind, IntFlag):
        return _number
    raise TypeError(f"{kind!r} is not indexed")


def _term(prefix: bytes, part: int, value: bytes) -> bytes:
    if len(value) > MAXIMUM_VALUE:
        return prefix + bytes((part | _DIGESTED,)) + sha256(value).digest()
    return prefix + bytes((part,)) + value


class _Simple:
    """An attribute whose value is one item."""

    def __init__(self, rule: Attribute) -> None:
        self.tag, self.common, self.encode = rule.tag, rule.common, _encoder(rule.kind)
        self.prefix = int(rule.tag).to_bytes(3, "big")

    def terms(self, value: Any) -> Sequence[bytes]:
        if value == self.common:
            return ()
        return (_term(self.prefix, _WHOLE, self.encode(value)),)

    def plan(self, plan: Plan, values: Sequence[Any]) -> None:
        for value in values:
            made = self.terms(value)
            plan.terms += made
            if not made:
                plan.examined.append(AttributeInstance(self.tag, value))


class _Date:
    """A date; two filters on it are a range."""

    def __init__(self, rule: Attribute) -> None:
        self.tag = rule.tag
        self.prefix = _ordered(int(rule.tag).to_bytes(3, "big")) + bytes((_WHOLE,))

    def terms(self, value: datetime) -> Sequence[bytes]:
        return (self.prefix + _date(value),)

    def plan(self, plan: Plan, values: Sequence[datetime]) -> None:
        if max(values) >= NO_DATE:
            # Nothing in the index tells that an attribute is not there.
            plan.examined += [AttributeInstance(self.tag, value) for value in values]
            return
        low, high = self.prefix + _date(min(values)), self.prefix + _date(max(values))
        if low == high:
            plan.terms.append(low)
        else:
            plan.ranges.append(TermRange(low, high))


class _Structure:
    """A structure: a term for the whole where nothing is left out, and one for each field.

    A field at its default has none: too many objects share it.
    """

    def __init__(self, rule: Attribute) -> None:
        kind: StructMeta = rule.kind
        self.tag, self.multiple = rule.tag, rule.multiple
        self.prefix = int(rule.tag).to_bytes(3, "big")
        self.fields: tuple[tuple[int, Field, Encode], ...] = tuple(
            (number, part, _encoder(part.kind)) for number, part in enumerate(kind.fields, 1)
        )
        self.indexed_by = rule.indexed_by
        self.has_whole = rule.indexed_by is None and not any(part.repeated for part in kind.fields)

    def whole(self, value: Struct) -> bytes | None:
        """Return the term of the whole value, None where a field is left out."""
        if not self.has_whole:
            return None
        encoded: list[bytes] = []
        for _, part, encode in self.fields:
            one = getattr(value, part.name)
            if one is None:
                return None
            raw = encode(one)
            encoded += (len(raw).to_bytes(4, "big"), raw)
        return _term(self.prefix, _WHOLE, b"".join(encoded))

    def parts(self, value: Struct) -> tuple[list[bytes], bool]:
        """Return the terms of the fields that are given, and whether they say all that is given."""
        made: list[bytes] = []
        complete = True
        for number, part, encode in self.fields:
            one = getattr(value, part.name)
            if one is None:
                continue
            if one == part.default or self.indexed_by not in (None, part.name):
                complete = complete and part.repeated and not one
                continue
            made += [_term(self.prefix, number, encode(v)) for v in (one if part.repeated else (one,))]
        return made, complete and bool(made)

    def terms(self, value: Struct) -> Sequence[bytes]:
        made, _ = self.parts(value)
        whole = self.whole(value)
        return made if whole is None else [*made, whole]

    def plan(self, plan: Plan, values: Sequence[Struct]) -> None:
        for value in values:
            whole = self.whole(value)
            if whole is not None:
                plan.terms.append(whole)
                continue
            made, complete = self.parts(value)
            plan.terms += made
            # Two fields of a multi-valued attribute may be found in two different instances.
            if not complete or (self.multiple and len(made) > 1):
                plan.examined.append(AttributeInstance(self.tag, value))


def _ordered(prefix: bytes) -> bytes:
    return bytes((prefix[0] | ORDERED,)) + prefix[1:]


@lru_cache(maxsize=1024)
def _vendor_prefix(key: VendorAttribute) -> bytes:
    vendor, name = key.vendor_identification.encode(), key.attribute_name.encode()
    said = len(vendor).to_bytes(4, "big") + vendor + len(name).to_bytes(4, "big") + name
    return _term(int(Tag.ATTRIBUTE_NAME).to_bytes(3, "big"), _WHOLE, said)


_NO_DECIMAL: Final = 10**4300
"""Numbers from here on are not written in decimal, which takes the square of their length; Python refuses."""


def _is_indexed(value: RawValue) -> bool:
    return value.item_type != ItemType.STRUCTURE


def _raw_term(key: VendorAttribute, value: RawValue) -> bytes:
    item_type, raw = value
    prefix = _vendor_prefix(key)
    match raw:
        case str():
            encoded = raw.encode()
        case bytes():
            encoded = raw
        case bool():
            encoded = _boolean(raw)
        case int() if -_BIAS <= raw < _BIAS:
            encoded = _number(raw)
        case int() if abs(raw) >= _NO_DECIMAL:
            encoded = hex(raw).encode()
        case _:
            encoded = str(raw).encode()
    return _term(_ordered(prefix) if item_type in DATE_TYPES else prefix, item_type, encoded)


def _plan_raw(plan: Plan, key: VendorAttribute, values: Sequence[RawValue]) -> None:
    item_type = values[0].item_type
    if item_type in DATE_TYPES and all(value.item_type == item_type for value in values):
        ends = sorted(_raw_term(key, value) for value in values)
        if ends[0] == ends[-1]:
            plan.terms.append(ends[0])
        else:
            plan.ranges.append(TermRange(ends[0], ends[-1]))
        return
    for value in values:
        if _is_indexed(value):
            plan.terms.append(_raw_term(key, value))
        else:
            plan.examined.append(AttributeInstance(key, value))


_DUE: Final = _ordered(int(Tag.ROTATE_AUTOMATIC).to_bytes(3, "big")) + b"\x01"
"""Before the date from which on an object is to be rotated; no filter of a client looks there."""

_Indexed: TypeAlias = _Simple | _Date | _Structure


def _indexed(rule: Attribute) -> _Indexed:
    if isinstance(rule.kind, StructMeta):
        return _Structure(rule)
    return _Date(rule) if rule.kind is datetime else _Simple(rule)


_ALL: Final = all_attributes()
_INDEXED: Final[Mapping[AttributeKey, _Indexed]] = {
    tag: _indexed(rule) for tag, rule in _ALL.items() if rule.index is Index.TERMS and rule.view is None
}
_COMPUTED: Final[Mapping[ObjectType, Sequence[tuple[Computed, _Indexed]]]] = {
    object_type: [
        (rule.computed, _INDEXED[tag])
        for tag, rule in _ALL.items()
        if rule.computed is not None and rule.index is Index.TERMS and object_type in rule.applies_to
    ]
    for object_type in ObjectType
}
