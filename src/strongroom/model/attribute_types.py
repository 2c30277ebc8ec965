"""Which attributes the wire knows, by tag and by name.

Rule: an attribute is known once `strongroom.attributes` has declared its type here, all that is known of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from strongroom.model.attribute_list import AttributeKey, VendorAttribute
from strongroom.registry import V2_0, ItemType, Tag, Version
from strongroom.registry.names import TAGS


@dataclass(frozen=True, slots=True)
class AttributeType:
    """What the wire needs to know of an attribute. `kind` is a Struct or what `form_of` knows."""

    tag: Tag
    name: str
    kind: Any
    marker: ItemType | None
    since: Version
    until: Version | None

    def sayable(self, version: Version | None) -> bool:
        """Tell whether `version` defines the attribute."""
        return version is None or (self.since <= version and (self.until is None or version <= self.until))


_TYPES: Final[dict[int, AttributeType]] = {}
_TAG_BY_NAME: Final[dict[str, Tag]] = {}


def declare_type(declared: AttributeType) -> None:
    """Make an attribute known to the wire; raises TypeError for a second declaration."""
    if declared.tag in _TYPES:
        raise TypeError(f"{declared.name} is declared twice")
    _TYPES[declared.tag] = declared
    _TAG_BY_NAME[declared.name] = declared.tag


def declared_types() -> Mapping[int, AttributeType]:
    """Return every declared attribute by tag."""
    return _TYPES


def key_from_name(name: str) -> AttributeKey:
    """Return the key of a 1.x Attribute Name."""
    tag = _TAG_BY_NAME.get(name)
    if tag is not None:
        return tag
    if name[:2] in ("x-", "y-"):
        return VendorAttribute(name[0], name[2:])
    return VendorAttribute("", name)


def name_of(key: AttributeKey) -> str:
    """Return the 1.x Attribute Name of a key; vendor attributes of 2.x are shown as `vendor-name`."""
    if isinstance(key, VendorAttribute):
        vendor, name = key
        return f"{vendor}-{name}" if vendor else name
    return _TYPES[key].name if key in _TYPES else TAGS[key].spec_name


def sayable(key: AttributeKey, version: Version | None) -> bool:
    """Tell whether an answer of `version` may name the attribute."""
    if isinstance(key, VendorAttribute):
        return version is None or version >= V2_0 or key.vendor_identification in ("x", "y", "")
    declared = _TYPES.get(key)
    return declared is not None and declared.sayable(version)
