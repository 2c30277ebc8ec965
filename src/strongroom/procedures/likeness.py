"""More objects like one that was made.

Rule: a client that makes many objects asks for the same again and again, but for the Name. What came of the
attributes of the first such request comes of those of the next one, too, unless it depends on the time, on
Templates, or on defaults that the client has set. What each object has of its own is made for each: its
identifiers, dates, Name, material and Digest.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from strongroom.attributes.rules import accepted
from strongroom.attributes.vendor import rule_of
from strongroom.domain.context import Context
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance, Attributes, SharedInstances, TemplateAttributes
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.structures import Name
from strongroom.procedures.creation import first
from strongroom.procedures.factory import has_defaults
from strongroom.registry import Tag

_OWN: Final = frozenset({Tag.INITIAL_DATE, Tag.ORIGINAL_CREATION_DATE, Tag.NAME})
"""Attributes that each object has of its own, beside the Digest, which comes last."""


def name_in(given: TemplateAttributes | None) -> str | None:
    """Return the Name that a request gives to its object."""
    name = first(() if given is None else given.attributes, Tag.NAME)
    return name.name_value if isinstance(name, Name) else None


def renamed(given: TemplateAttributes | None, name: str | None) -> TemplateAttributes | None:
    """Return the same with another text in the Name."""
    if given is None or name is None:
        return given
    return replace(given, attributes=Attributes(named(given.attributes, name)))


def named(instances: Iterable[AttributeInstance], name: str) -> list[AttributeInstance]:
    """Return the same attributes with another text in the Name."""
    return [
        AttributeInstance(a.key, a.value.replace(name_value=name), a.index) if a.key is Tag.NAME else a
        for a in instances
    ]


async def model_of(
    ctx: Context, obj: ManagedObject, given: TemplateAttributes | None
) -> ManagedObject | None:
    """Return what all objects have in common that come of attributes like these, `obj` among them; None when
    the attributes do not tell."""
    attributes = () if given is None else given.attributes
    if (
        (given is not None and given.names)
        or any(isinstance(a.value, datetime) for a in attributes)
        or sum(a.key is Tag.NAME for a in attributes) > 1
        or await has_defaults(ctx)
    ):
        return None
    model = obj.copy()
    model.material = None
    # What is its own keeps its place, and the Name what it says beside its text.
    model.attributes = {
        key: instances if key in _OWN else SharedInstances(instances)
        for key, instances in obj.attributes.items()
        if key is not Tag.DIGEST
    }
    return model


def make_like(
    ctx: Context, model: ManagedObject, made: ManagedObjectStruct, name: str | None
) -> ManagedObject:
    """Return a new object of this material that is like the others but for what is its own."""
    obj = ctx.objects.create(model.object_type, like=model)
    obj.material = made
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    if name is not None:
        (before,) = model.attributes[Tag.NAME]
        value = accepted(rule_of(Tag.NAME), before.value.replace(name_value=name))
        obj.put(Tag.NAME, (before._replace(value=value),))
    obj.set(Tag.DIGEST, ctx.crypto.digest(made))
    return obj
