"""Attributes inside: one list of instances, whatever they looked like in a message.

Rule: the neutral form and nothing else. How it looks in a message is in `attribute_items.py` (one attribute)
and `attribute_shapes.py` (a field of them); what an attribute means, and who may set it, is decided in
`strongroom.attributes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.model.forms import Decoder, Encoder, Form
from strongroom.model.structures import Name
from strongroom.registry import ItemType, Tag, Version


class VendorAttribute(NamedTuple):
    """The key of a custom attribute. Vendor `x` and `y` are the x- and y- names of KMIP 1.x.

    An empty vendor is a 1.x name that no version defines: nothing can have such an attribute.
    """

    vendor_identification: str
    attribute_name: str


AttributeKey: TypeAlias = Tag | VendorAttribute


class RawValue(NamedTuple):
    """The value of a custom attribute: any item type, kept as it came."""

    item_type: int
    value: Any


class RawForm(Form):
    """A value whose type another field tells; kept as it came."""

    item_types = tuple(int(t) for t in ItemType)

    def decoder(self, version: Version | None) -> Decoder:
        return RawValue

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (value.item_type, value.value)


class AttributeInstance(NamedTuple):
    """One attribute with one value; `index` is the Attribute Index of 1.x, None in the form of 2.x."""

    key: AttributeKey
    value: Any
    index: int | None = None  # type: ignore[assignment]


class SharedInstances(tuple[AttributeInstance, ...]):
    """The instances of an attribute that many objects have; what was made of them once is kept with them.

    `encoded` is their stored form, `terms` what they are found by.
    """

    encoded: bytes | None = None
    terms: Sequence[bytes] | None = None


SMALL: Final = (int, datetime)
"""Types of the values (numbers, flags, members of enumerations, dates) that many objects have in common and
that nobody keeps secret: what is made of one may be remembered."""


class Attributes(tuple[AttributeInstance, ...]):
    """The attributes of a request or answer, in order."""

    __slots__ = ()


NO_ATTRIBUTES: Final = Attributes()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateAttributes:
    """Attributes of a request that makes an object; `names` are the Templates it refers to (1.x)."""

    names: tuple[Name, ...] = ()
    attributes: Attributes = NO_ATTRIBUTES
