"""A client's defaults and constraints, applied to the objects that it makes (KMIP 2.1 §6.1.52-6.1.53).

Rule: what an operation was asked for comes first, then the defaults for the object's group, then those for
its type. An object that is made, or imported in the place of another, must fit one of the constraints for its
type and group; constraints that name its group take the place of those that name none. Both belong to the
client that set them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from strongroom.attributes.rules import current_values
from strongroom.attributes.vendor import resolved
from strongroom.domain.context import Context
from strongroom.domain.entries import Entries, Entry
from strongroom.domain.errors import ConstraintViolation, InvalidField
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.convert import encoder
from strongroom.model.factory import Constraint, Constraints, DefaultsInformation
from strongroom.model.rights import ObjectGroups
from strongroom.registry import CryptographicUsageMask, ObjectType, Tag
from strongroom.wire import binary

_GROUPS: Final = (Tag.OBJECT_GROUP, Tag.GROUP_LINK)


class FactoryDefaults(Entry, kind=4):
    """The defaults of a client; the key is its number."""

    defaults_information: DefaultsInformation


class FactoryConstraints(Entry, kind=5):
    """The constraints of a client; the key is its number."""

    constraints: Constraints


LARGEST: Final = 64 * 1024
"""Bytes of each: they are read with every object that is made."""


def check_size(value: FactoryDefaults | FactoryConstraints) -> None:
    """Return if so much may be kept; raises InvalidField."""
    size = len(binary.encode((int(Tag.VENDOR_EXTENSION), 1, encoder(type(value), None)(value))))
    if size > LARGEST:
        raise InvalidField(f"they have {size} bytes; at most {LARGEST} are kept")


def key_of(caller: ClientIdentity) -> str:
    """Return the key of what a client has set."""
    return str(caller.client)


async def defaults(
    ctx: Context, object_type: ObjectType, given: Sequence[AttributeInstance]
) -> list[AttributeInstance]:
    """Return the attributes that an object gets unless the request says otherwise, in order of weight."""
    kept = await ctx.entries.get(FactoryDefaults, key_of(ctx.caller))
    if kept is None:
        return []
    groups = _groups(given)
    fitting = [
        one
        for one in kept.value.defaults_information.object_defaults
        if object_type in one.types and includes(one.object_groups, groups)
    ]
    fitting.sort(key=lambda one: one.object_groups is not None)
    found: dict[object, list[AttributeInstance]] = {}
    for one in fitting:
        said: dict[object, list[AttributeInstance]] = {}
        for instance in one.attributes.attributes:
            said.setdefault(instance.key, []).append(instance)
        found |= said
    return [instance for instances in found.values() for instance in instances]


async def has_defaults(ctx: Context) -> bool:
    """Tell whether the client has set any."""
    return await ctx.entries.get(FactoryDefaults, key_of(ctx.caller)) is not None


async def check_constraints(
    entries: Entries, caller: ClientIdentity, made: Iterable[ManagedObject], now: datetime
) -> None:
    """Return if new objects fit the constraints of the caller; raises ConstraintViolation."""
    kept = await entries.get(FactoryConstraints, key_of(caller))
    if kept is None:
        return
    for obj in made:
        _check(obj, kept.value.constraints.constraint, now)


def _check(obj: ManagedObject, constraints: Iterable[Constraint], now: datetime) -> None:
    groups = frozenset(str(one) for tag in _GROUPS for one in obj.values(tag))
    fitting = [
        one
        for one in constraints
        if (one.object_types is None or obj.object_type in one.object_types.object_type)
        and includes(one.object_groups, groups)
    ]
    closest = [one for one in fitting if one.object_groups is not None] or fitting
    lacking = [_lacking(obj, one, now) for one in closest]
    if lacking and None not in lacking:
        raise ConstraintViolation(
            f"the {lacking[0]} of the new object is not what the constraints of this client allow;"
            " Get Constraints lists them"
        )


def _lacking(obj: ManagedObject, constraint: Constraint, now: datetime) -> str | None:
    """Return the name of an attribute that does not fit, None when all do."""
    if constraint.attributes is None:
        return None
    for instance in constraint.attributes.attributes:
        key, wanted, _ = resolved(instance)
        values = current_values(obj, key, now)
        if isinstance(wanted, CryptographicUsageMask):
            # A mask says what a key may be good for at most.
            fits = not any(int(value) & ~int(wanted) for value in values)
        else:
            fits = wanted in values
        if not fits:
            return (
                instance.key.name.replace("_", " ").title()
                if isinstance(instance.key, Tag)
                else str(instance.key)
            )
    return None


def _groups(given: Iterable[AttributeInstance]) -> frozenset[str]:
    return frozenset(str(one.value) for one in given if one.key in _GROUPS)


def includes(wanted: ObjectGroups | None, groups: frozenset[str]) -> bool:
    """Tell whether what is for `wanted` groups (None: all) is for one of these."""
    if wanted is None:
        return True
    return not groups.isdisjoint((*wanted.object_group, *map(str, wanted.group_link)))
