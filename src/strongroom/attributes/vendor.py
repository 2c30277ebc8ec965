"""Custom attributes: x- and y- of KMIP 1.x, vendor attributes of 2.x (KMIP 1.4 §3.39, 2.1 §4.60).

Rule: they have no declaration each, but one rule for all: the client's are the client's to change, those of
vendor `y` are the server's. `rule_of` is how every other module finds the rule of an attribute.
"""

import re
from dataclasses import replace
from typing import Any, Final

from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.declaration import (
    ALL_OBJECTS,
    CLIENT,
    DELETE,
    MODIFY,
    NOTHING,
    SERVER,
    Attribute,
    Index,
)
from strongroom.domain.attribute_errors import InvalidAttribute, InvalidAttributeValue
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, VendorAttribute
from strongroom.model.attribute_types import name_of
from strongroom.model.structures import Link
from strongroom.registry import V1_0, ItemType, Tag

SERVERS_VENDOR: Final = "y"
_VENDOR_IDENTIFICATION: Final = re.compile(r"[A-Za-z0-9_.]+")
_ALL: Final = all_attributes()


def _check_flat(value: Any) -> None:
    """KMIP 1.4 §3.39: a structure holds no structures."""
    if value.item_type == ItemType.STRUCTURE and any(
        item_type == ItemType.STRUCTURE for _, item_type, _ in value.value
    ):
        raise InvalidAttributeValue("a structure in a custom attribute holds no further structures")


CLIENT_ATTRIBUTE: Final = Attribute(
    tag=Tag.CUSTOM_ATTRIBUTE,
    name="Custom Attribute",
    kind=None,
    marker=None,
    since=V1_0,
    until=None,
    spec="1.4 §3.39, 2.1 §4.60",
    always_has_value=False,
    initially_set_by=CLIENT,
    multiple=True,
    server_may=NOTHING,
    client_may=MODIFY | DELETE,
    applies_to=ALL_OBJECTS,
    implicitly_set_by=frozenset(),
    requestable=False,
    modifiable_while=None,
    deletable_while=None,
    computed=None,
    check=_check_flat,
    completed=None,
    view=None,
    index=Index.TERMS,
    common=None,
    indexed_by=None,
)
SERVER_ATTRIBUTE: Final = replace(
    CLIENT_ATTRIBUTE, initially_set_by=SERVER, server_may=MODIFY, client_may=NOTHING
)


def rule_of(key: AttributeKey) -> Attribute:
    """Return the rule of an attribute; raises InvalidAttribute for one that nothing can have."""
    if not isinstance(key, VendorAttribute):
        rule = _ALL.get(key)
        if rule is None:
            raise InvalidAttribute(f"{name_of(key)} is not an attribute")
        return rule
    vendor, name = key
    if not vendor:
        raise InvalidAttribute(
            f"no attribute is called {name!r}; the names of your own attributes begin with x-"
        )
    if not name:
        raise InvalidAttribute("the name of a custom attribute is empty")
    if _VENDOR_IDENTIFICATION.fullmatch(vendor) is None:
        raise InvalidAttribute("a Vendor Identification has letters, digits, underscore and period only")
    return SERVER_ATTRIBUTE if vendor == SERVERS_VENDOR else CLIENT_ATTRIBUTE


def resolved(instance: AttributeInstance) -> AttributeInstance:
    """Return the instance under the key that it is kept under: views of Link become Links."""
    key = instance.key
    if isinstance(key, VendorAttribute):
        return instance
    rule = _ALL.get(key)
    if rule is None or rule.view is None:
        return instance
    link = Link(link_type=rule.view, linked_object_identifier=instance.value)
    return AttributeInstance(Tag.LINK, link, instance.index)
