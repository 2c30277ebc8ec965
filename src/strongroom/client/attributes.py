"""Attributes of requests, in few words.

Rule: builds what `model` defines. That every attribute is known to the wire follows from the catalogue being
imported here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.attributes.catalogue import all_attributes
from strongroom.client.errors import InvalidRequest
from strongroom.model.attribute_list import (
    AttributeInstance,
    AttributeKey,
    Attributes,
    RawValue,
    TemplateAttributes,
    VendorAttribute,
)
from strongroom.model.attribute_types import key_from_name
from strongroom.model.forms import form_of
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import CryptographicDomainParameters, Name
from strongroom.registry import ItemType, RecommendedCurve, Tag

AttributeLike: TypeAlias = AttributeKey | str
"""A tag (`Tag.CONTACT_INFORMATION`), its name ("Contact Information"), or one of your own ("x-purpose")."""

_ITEM_TYPES: Final[Mapping[type, ItemType]] = {
    bool: ItemType.BOOLEAN,
    int: ItemType.INTEGER,
    str: ItemType.TEXT_STRING,
    bytes: ItemType.BYTE_STRING,
    datetime: ItemType.DATE_TIME,
}
_INTEGERS: Final = range(-(2**31), 2**31)

_TAGS: Final[Mapping[str, Tag]] = {
    "".join(filter(str.isalnum, rule.name)).lower(): tag for tag, rule in all_attributes().items()
}


class KeyPair(NamedTuple):
    """The identifiers of a private key and its public key."""

    private_key_unique_identifier: UniqueIdentifier
    public_key_unique_identifier: UniqueIdentifier


def key_of(name: AttributeLike) -> AttributeKey:
    """Return the key of an attribute; raises InvalidRequest for a name that is neither known nor custom.

    Case, spaces, hyphens and underscores make no difference in the names of the specification.
    """
    if not isinstance(name, str):
        return name
    tag = _TAGS.get("".join(filter(str.isalnum, name)).lower())
    key = key_from_name(name) if tag is None else tag
    if isinstance(key, VendorAttribute) and not key.vendor_identification:
        raise InvalidRequest(f"no attribute is called {name!r}; names of your own begin with x-")
    return key


def attribute(name: AttributeLike, value: Any) -> AttributeInstance:
    """Return an attribute with a value.

    A custom attribute takes a bool, int, str, bytes or datetime as it is, and a RawValue where the item type
    matters. A Name takes its text alone.
    """
    key = key_of(name)
    if isinstance(key, VendorAttribute):
        return AttributeInstance(key, value if isinstance(value, RawValue) else _raw(value))
    if key is Tag.NAME and isinstance(value, str):
        return AttributeInstance(key, Name(name_value=value))
    return AttributeInstance(key, value)


def template(
    attributes: Iterable[AttributeInstance] = (),
    *,
    name: str | None = None,
    recommended_curve: RecommendedCurve | None = None,
    **values: Any,
) -> TemplateAttributes:
    """Return attributes for a request: those whose value is not None, by field name, then `attributes`."""
    made = [attribute(Tag[field.upper()], value) for field, value in values.items() if value is not None]
    if recommended_curve is not None:
        domain = CryptographicDomainParameters(recommended_curve=recommended_curve)
        made.append(attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain))
    if name is not None:
        made.append(attribute(Tag.NAME, name))
    return TemplateAttributes(attributes=Attributes((*made, *attributes)))


def _raw(value: Any) -> RawValue:
    item_type = _ITEM_TYPES.get(type(value))
    if item_type is None:
        raise InvalidRequest(f"a custom attribute cannot hold a {type(value).__name__}; give a RawValue")
    if item_type is ItemType.INTEGER and value not in _INTEGERS:
        item_type = ItemType.LONG_INTEGER
    if item_type is ItemType.DATE_TIME:
        return RawValue(*form_of(datetime).encoder(None)(value))
    return RawValue(int(item_type), value)
