"""The rules of attributes, applied.

Rule: whoever sets, changes, deletes, reads or compares attributes for a client does it through this file. The
declarations say what the rules are; who may call is decided before, and the unit of work writes afterwards.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntFlag
from functools import lru_cache
from typing import Any, Final

from strongroom.attributes.adjustment import ZERO, adjusted
from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.conditions import check_dates
from strongroom.attributes.declaration import (
    CLIENT,
    DELETE,
    MODIFY,
    SERVER,
    Attribute,
    Computed,
    Condition,
    Setter,
)
from strongroom.attributes.matching import agreement
from strongroom.attributes.vendor import resolved, rule_of
from strongroom.domain.attribute_errors import (
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttribute,
    InvalidAttributeValue,
    InvalidDataType,
    MultiValuedAttribute,
    NonUniqueNameAttribute,
    ReadOnlyAttribute,
    TooManyValues,
)
from strongroom.domain.errors import InvalidField, KmipError
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_items import decode_value, encode_value
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, RawValue
from strongroom.model.attribute_types import name_of
from strongroom.model.compat import LINK_TAGS
from strongroom.model.forms import form_of
from strongroom.model.struct import StructMeta
from strongroom.registry import LinkType, ObjectType, Tag

MAXIMUM_INSTANCES: Final = 1000
"""Attribute values of one object; no client that is known comes near."""

_ALL: Final = all_attributes()
_RANK: Final[Mapping[AttributeKey, int]] = {tag: rank for rank, tag in enumerate(_ALL)}
_COMPUTED: Final[Mapping[ObjectType, Mapping[AttributeKey, Computed]]] = {
    object_type: {
        tag: attribute.computed
        for tag, attribute in _ALL.items()
        if attribute.computed is not None and object_type in attribute.applies_to
    }
    for object_type in ObjectType
}
_VIEWS: Final[Mapping[AttributeKey, LinkType]] = {
    tag: attribute.view for tag, attribute in _ALL.items() if attribute.view is not None
}
_ORDERED_DATES: Final = frozenset(
    {Tag.ACTIVATION_DATE, Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE}
)
_FOLLOWERS: Final[Mapping[AttributeKey, tuple[bool, Tag]]] = {
    Tag.SENSITIVE: (False, Tag.ALWAYS_SENSITIVE),
    Tag.EXTRACTABLE: (True, Tag.NEVER_EXTRACTABLE),
}
"""A value that, once seen, makes the other attribute False for good (KMIP 2.1 §4.3 and §4.33)."""


@lru_cache(maxsize=4096)
def _plan(
    object_type: ObjectType, stored: tuple[AttributeKey, ...]
) -> tuple[tuple[AttributeKey, Computed | None], ...]:
    """Return what an object that stores these attributes has to show, in order; None: it is stored."""
    shown: dict[AttributeKey, Computed | None] = dict.fromkeys(stored)
    shown.update(_COMPUTED[object_type])
    last = len(_RANK)
    return tuple(sorted(shown.items(), key=lambda entry: _RANK.get(entry[0], last)))


def visible(obj: ManagedObject, now: datetime) -> list[AttributeInstance]:
    """Return every attribute of an object: in the order of declaration, vendor attributes last."""
    attributes = obj.attributes
    found: list[AttributeInstance] = []
    for key, computed in _plan(obj.object_type, tuple(attributes)):
        if computed is None:
            found += attributes[key]
        elif (value := computed(obj, now)) is not None:
            found.append(AttributeInstance(key, value))
    return found


def select(obj: ManagedObject, keys: Iterable[AttributeKey], now: datetime) -> list[AttributeInstance]:
    """Return the attributes asked for, in that order; what the object does not have is left out."""
    found: list[AttributeInstance] = []
    for key in keys:
        stored = obj.attributes.get(key)
        if stored is not None:
            found += stored
        elif (computed := _COMPUTED[obj.object_type].get(key)) is not None:
            value = computed(obj, now)
            if value is not None:
                found.append(AttributeInstance(key, value))
        elif key in _VIEWS:
            found += _links(obj, _VIEWS[key])
    return found


def keys(obj: ManagedObject, now: datetime) -> list[AttributeKey]:
    """Return the key of every attribute of an object; beside Link stand the tags that say the same in 3.0."""
    found: list[AttributeKey] = []
    for key, computed in _plan(obj.object_type, tuple(obj.attributes)):
        if computed is not None and computed(obj, now) is None:
            continue
        found.append(key)
        if key is Tag.LINK:
            types = dict.fromkeys(link.link_type for link in obj.values(key))
            found += [LINK_TAGS[link_type] for link_type in types if link_type in LINK_TAGS]
    return found


def _links(obj: ManagedObject, link_type: LinkType) -> tuple[AttributeInstance, ...]:
    return tuple(i for i in obj.attributes.get(Tag.LINK, ()) if i.value.link_type == link_type)


def current_values(obj: ManagedObject, key: AttributeKey, now: datetime) -> list[Any]:
    """Return the values of an attribute, computed or stored."""
    computed = _COMPUTED[obj.object_type].get(key)
    if computed is not None:
        value = computed(obj, now)
        return [] if value is None else [value]
    return list(obj.values(key))


def matches(obj: ManagedObject, filters: Iterable[AttributeInstance], now: datetime) -> bool:
    """Tell whether an object meets every filter of a Locate; `matching.py` says what each means."""
    wanted: dict[AttributeKey, list[Any]] = {}
    for key, value, _ in map(resolved, filters):
        wanted.setdefault(key, []).append(value)
    for key, values in wanted.items():
        have = current_values(obj, key, now)
        if not agreement(key)(have, values):
            return False
    return True


def initial(
    obj: ManagedObject, given: Iterable[AttributeInstance], *, now: datetime, by: Setter = CLIENT
) -> None:
    """Give a fresh object the attributes of the request that makes it.

    What the server has set from the request already may be said again, not contradicted. With `by` SERVER the
    attributes come from another server (Import): nothing is read-only then.
    """
    given = list(given)
    require_few(len(given))  # before any work: what follows compares each value with the others
    given_once: set[AttributeKey] = set()
    for key, value, index in map(resolved, given):
        rule = rule_of(key)
        _require_applicable(obj, key, rule)
        if by is not SERVER:
            require_requestable(key, rule)
        value = accepted(rule, value, by=by)
        if index and not rule.multiple:
            raise InvalidField(f"{name_of(key)} has one value, so its Attribute Index is 0")
        before = current_values(obj, key, now)
        if value in before:
            given_once.add(key)
        elif rule.multiple and not (before and rule.requestable):
            obj.add(key, value)
        elif before and key in given_once:
            raise AttributeSingleValued(f"{name_of(key)} has one value; the request gives two")
        elif before or rule.computed is not None:
            raise InvalidAttributeValue(f"the {name_of(key)} in the request is not that of the object")
        else:
            obj.set(key, value)
            given_once.add(key)
    _require_room(obj, 0)
    if by is not SERVER:
        check_dates(obj, now, given_once)


def add(obj: ManagedObject, instance: AttributeInstance, *, now: datetime) -> AttributeInstance:
    """Add an attribute value (KMIP 2.1 §6.1.2); return it with its index.

    A value that the object has already is not added again; a Name is refused.
    """
    key, value, index = resolved(instance)
    rule = rule_of(key)
    _require_applicable(obj, key, rule)
    _require_settable(key, rule)
    if index:
        raise InvalidField("the server assigns the Attribute Index; leave it out of Add Attribute")
    value = accepted(rule, value)
    before = obj.attributes.get(key, ())
    same = next((i for i in before if i.value == value), None)
    if same is not None:
        if key is Tag.NAME:
            raise NonUniqueNameAttribute("the object has this Name already")
        return same
    if before and not rule.multiple:
        raise AttributeSingleValued(f"{name_of(key)} has a value already; use Modify Attribute to change it")
    return _put(obj, rule, key, value, replaced=None, now=now)


def modify(
    obj: ManagedObject, current: AttributeInstance | None, new: AttributeInstance, *, now: datetime
) -> AttributeInstance:
    """Change one value (KMIP 2.1 §6.1.34); return it with its index.

    `current` tells which of several; in 1.x the Attribute Index of `new` does.
    """
    key, value, index = resolved(new)
    rule = _rule_of_existing(key)
    _require_permitted(key, rule, MODIFY in rule.client_may)
    stored = obj.attributes.get(key, ())
    if not stored:
        raise AttributeNotFound(f"the object has no {name_of(key)} yet; use Add Attribute")
    value = accepted(rule, value)
    candidates = _alike(obj, key, value) or stored
    if current is not None:
        replaced = _instance_with_value(key, stored, resolved(current))
    elif index is not None:
        replaced = _instance_with_index(key, stored, index)
    elif len(candidates) == 1:
        replaced = candidates[0]
    else:
        raise AttributeInstanceNotFound(
            f"the object has {len(candidates)} values of {name_of(key)}; say which with Current Attribute"
        )
    if key is Tag.NAME and any(i.value == value for i in stored if i is not replaced):
        raise NonUniqueNameAttribute("the object has this Name already")
    return _put(obj, rule, key, value, replaced=replaced, now=now, read_only=AttributeReadOnly)


def set_attribute(obj: ManagedObject, instance: AttributeInstance, *, now: datetime) -> AttributeInstance:
    """Give an attribute its only value (KMIP 2.1 §6.1.51); return it.

    Of links, this is about those of the same Link Type, which are an attribute of their own in KMIP 3.0.
    """
    key, value, _ = resolved(instance)
    rule = rule_of(key)
    _require_applicable(obj, key, rule)
    _require_settable(key, rule)
    value = accepted(rule, value)
    candidates = _alike(obj, key, value)
    if not candidates:
        return _put(obj, rule, key, value, replaced=None, now=now)
    if len(candidates) > 1:
        raise MultiValuedAttribute(f"the object has {len(candidates)} values of {name_of(key)}, not one")
    if candidates[0].value == value:
        return candidates[0]
    if MODIFY not in rule.client_may:
        raise ReadOnlyAttribute(f"{name_of(key)} cannot be changed once it is set")
    return _put(obj, rule, key, value, replaced=candidates[0], now=now)


def adjust(
    obj: ManagedObject,
    key: AttributeKey,
    adjustment_type: int,
    adjustment_value: RawValue | None,
    *,
    now: datetime,
) -> AttributeInstance:
    """Increment, decrement or negate the value of an attribute (KMIP 2.1 §6.1.3); return the new one."""
    rule = rule_of(key)
    _require_applicable(obj, key, rule)
    _require_settable(key, rule)
    before = obj.attributes.get(key, ())
    if len(before) > 1:
        raise MultiValuedAttribute(f"the object has {len(before)} values of {name_of(key)}, not one")
    if before and MODIFY not in rule.client_may:
        raise ReadOnlyAttribute(f"{name_of(key)} cannot be changed once it is set")
    current = RawValue(*encode_value(key, before[0].value, None)) if before else _zero(key, rule)
    if isinstance(rule.kind, type) and issubclass(rule.kind, IntFlag):
        raise InvalidDataType(f"{name_of(key)} is a mask, not a number")
    result = adjusted(current, adjustment_type, adjustment_value)
    value = accepted(rule, decode_value(key, result.item_type, result.value, None))
    return _put(obj, rule, key, value, replaced=before[0] if before else None, now=now)


def delete(
    obj: ManagedObject,
    *,
    key: AttributeKey,
    index: int | None = None,
    value: Any = None,
    only: bool = False,
    now: datetime,
) -> AttributeInstance:
    """Delete the instance with this index or value, else every instance (KMIP 2.1 §6.1.13).

    With `only` there must not be several then. Return the deleted one, the first of several.
    """
    link_type = _VIEWS.get(key)
    if link_type is not None:
        if value is not None:
            key, value, _ = resolved(AttributeInstance(key, value))
        key = Tag.LINK
    rule = _rule_of_existing(key)
    _require_permitted(key, rule, DELETE in rule.client_may)
    stored = obj.attributes.get(key, ())
    doomed = stored if link_type is None else _links(obj, link_type)
    if not doomed:
        raise AttributeNotFound(f"the object has no {name_of(key)}")
    if value is not None:
        doomed = (_instance_with_value(key, doomed, AttributeInstance(key, value)),)
    elif index is not None:
        doomed = (_instance_with_index(key, doomed, index),)
    elif only and len(doomed) > 1:
        raise InvalidField(f"the object has {len(doomed)} values of {name_of(key)}; give the Attribute Index")
    _require_open(rule.deletable_while, obj, now, AttributeReadOnly)
    gone = set(map(id, doomed))
    obj.put(key, tuple(instance for instance in stored if id(instance) not in gone))
    return doomed[0]


def _rule_of_existing(key: AttributeKey) -> Attribute:
    """Return the rule of an attribute that the object should have; raises AttributeNotFound."""
    try:
        return rule_of(key)
    except InvalidAttribute as exc:
        raise AttributeNotFound(exc.message) from None


def _require_applicable(obj: ManagedObject, key: AttributeKey, rule: Attribute) -> None:
    if obj.object_type not in rule.applies_to:
        object_type = obj.object_type.name.replace("_", " ").title()
        raise InvalidAttribute(f"a {object_type} has no {name_of(key)}")


def require_requestable(key: AttributeKey, rule: Attribute) -> None:
    """Return if a request that makes an object may give the attribute; raises ReadOnlyAttribute."""
    if not rule.requestable and CLIENT not in rule.initially_set_by:
        raise ReadOnlyAttribute(f"only the server sets {name_of(key)}; leave it out of the request")


def _require_settable(key: AttributeKey, rule: Attribute) -> None:
    if rule.computed is not None or CLIENT not in rule.initially_set_by:
        raise ReadOnlyAttribute(f"only the server sets {name_of(key)}")


def _require_permitted(key: AttributeKey, rule: Attribute, permitted: bool) -> None:
    if rule.computed is not None or not permitted:
        raise AttributeReadOnly(f"{name_of(key)} cannot be changed like this by a client")


def _require_open(
    condition: Condition | None, obj: ManagedObject, now: datetime, read_only: type[KmipError]
) -> None:
    """Return if a condition holds; `read_only` is the operation's word for what is closed for good."""
    if condition is None:
        return
    try:
        condition(obj, now)
    except AttributeReadOnly as exc:
        raise read_only(exc.message) from None


def _require_room(obj: ManagedObject, more: int) -> None:
    require_few(sum(map(len, obj.attributes.values())) + more)


def require_few(count: int) -> None:
    """Return if an object may have so many attribute values; raises TooManyValues."""
    if count > MAXIMUM_INSTANCES:
        raise TooManyValues(f"an object has at most {MAXIMUM_INSTANCES} attribute values")


def accepted(rule: Attribute, value: Any, *, by: Setter = CLIENT) -> Any:
    """Return a value, a client's completed; raises the KmipError that says what is wrong with it."""
    if rule.check is not None:
        rule.check(value)
    return value if rule.completed is None or by is SERVER else rule.completed(value)


def _alike(obj: ManagedObject, key: AttributeKey, value: Any) -> tuple[AttributeInstance, ...]:
    """Return the instances in whose place `value` may come: of links, those of the same type."""
    stored = obj.attributes.get(key, ())
    if key is Tag.LINK:
        return _links(obj, value.link_type)
    return stored


def _instance_with_value(
    key: AttributeKey, candidates: tuple[AttributeInstance, ...], wanted: AttributeInstance
) -> AttributeInstance:
    if wanted.key != key:
        raise InvalidField("Current Attribute and New Attribute are different attributes")
    for instance in candidates:
        if instance.value == wanted.value:
            return instance
    raise AttributeInstanceNotFound(f"the object has no {name_of(key)} with the value of Current Attribute")


def _instance_with_index(
    key: AttributeKey, candidates: tuple[AttributeInstance, ...], index: int
) -> AttributeInstance:
    for instance in candidates:
        if (instance.index or 0) == index:
            return instance
    raise AttributeInstanceNotFound(f"the object has no {name_of(key)} with the Attribute Index {index}")


def _zero(key: AttributeKey, rule: Attribute) -> RawValue:
    """Return what an attribute without a value is adjusted from."""
    if rule.kind is not None and not isinstance(rule.kind, StructMeta):
        item_type = form_of(rule.kind, rule.marker).item_types[0]
        if item_type in ZERO:
            return RawValue(item_type, ZERO[item_type])
    raise AttributeNotFound(f"the object has no {name_of(key)}, and there is nothing to start from")


def _put(
    obj: ManagedObject,
    rule: Attribute,
    key: AttributeKey,
    value: Any,
    *,
    replaced: AttributeInstance | None,
    now: datetime,
    read_only: type[KmipError] = ReadOnlyAttribute,
) -> AttributeInstance:
    """Add a value or put it in the place of another, with what follows from it."""
    _require_open(rule.modifiable_while, obj, now, read_only)
    if key in _ORDERED_DATES:
        check_dates(obj, now, {key}, value)
    if replaced is not None:
        instance = replaced._replace(value=value)
        obj.put(key, tuple(instance if i is replaced else i for i in obj.attributes[key]))
    elif rule.multiple:
        _require_room(obj, 1)
        instance = obj.add(key, value)
    else:
        _require_room(obj, 1)
        instance = AttributeInstance(key, value)
        obj.put(key, (instance,))
    if key in _FOLLOWERS and value is _FOLLOWERS[key][0]:
        obj.set(_FOLLOWERS[key][1], value=False)
    obj.settle(now)
    return instance
