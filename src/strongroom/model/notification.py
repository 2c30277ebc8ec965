"""What Notify says of attributes: the values that changed, and the names of those that were deleted.

Rule: in 1.x both stand in Attribute structures, of which one without Attribute Value is of a deleted
attribute; 2.x has Attributes and Attribute References (KMIP 1.4 §5.1, 2.1 §6.2.2).
"""

from collections.abc import Callable
from typing import Any

from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.attribute_types import key_from_name, name_of, sayable
from strongroom.model.struct import Field
from strongroom.registry import V2_0, Tag, Version
from strongroom.wire.item import Item


class NotifiedShape(AttributesShape):
    """Attributes of which one with the value None was deleted; from 2.0 on another field names those."""

    def __init__(self) -> None:
        super().__init__(Tag.ATTRIBUTES, None)

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        changed = super().absorber(field, version)

        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            if tag == Tag.ATTRIBUTE and item_type == 1 and [i[0] for i in value] == [Tag.ATTRIBUTE_NAME]:
                gathered = before or TemplateAttributes()
                deleted = AttributeInstance(key_from_name(value[0][2]), None)
                return TemplateAttributes(attributes=Attributes((*gathered.attributes, deleted)))
            return changed(tag, item_type, value, before)

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        emit_changed = super().emitter(field, version)
        names_deleted = version is not None and version < V2_0

        def emit(value: TemplateAttributes, out: list[Item]) -> None:
            changed = (one for one in value.attributes if one.value is not None)
            emit_changed(TemplateAttributes(attributes=Attributes(changed)), out)
            if names_deleted:
                for key, gone, _ in value.attributes:
                    if gone is None and sayable(key, version):
                        out.append((Tag.ATTRIBUTE, 1, [(Tag.ATTRIBUTE_NAME, 7, name_of(key))]))

        return emit
