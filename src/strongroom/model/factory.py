"""What holds for objects that are made: defaults and constraints (KMIP 2.1 §7.6-7.7, §7.11, §7.22-7.24).

Rule: declarations only. `procedures/factory.py` applies them.
"""

from typing import Annotated

from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.rights import ObjectGroups
from strongroom.model.struct import Since, Struct
from strongroom.registry import V2_1, ObjectType, Tag


class ObjectTypes(Struct):
    object_type: tuple[ObjectType, ...] = ()


class ObjectDefaults(Struct):
    """Attributes that objects of some types get, in some groups; no groups are all groups."""

    object_type: ObjectType | None = None
    object_types: Annotated[ObjectTypes | None, Since(V2_1)] = None
    attributes: Annotated[TemplateAttributes, AttributesShape(Tag.ATTRIBUTES, None, always=True)]
    object_groups: Annotated[ObjectGroups | None, Since(V2_1)] = None

    @property
    def types(self) -> frozenset[ObjectType]:
        """Return the types that are meant, however they are written."""
        listed = () if self.object_types is None else self.object_types.object_type
        return frozenset(listed) | (frozenset() if self.object_type is None else {self.object_type})


class DefaultsInformation(Struct):
    object_defaults: tuple[ObjectDefaults, ...] = ()


class Constraint(Struct):
    """Attributes that objects of some types have to have, in some groups; what is left out means all."""

    object_types: ObjectTypes | None = None
    object_groups: ObjectGroups | None = None
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None)] = None


class Constraints(Struct):
    constraint: tuple[Constraint, ...] = ()
