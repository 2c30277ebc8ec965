"""What a version cannot say.

Rule: the encoder leaves out what the version does not define, which is right for an answer. A request that
loses a field on the way asks for something else, so here it is refused before it is written.
"""

from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import Any

from strongroom.client.errors import VersionNotSupported
from strongroom.model.attribute_list import (
    AttributeInstance,
    AttributeKey,
    TemplateAttributes,
    VendorAttribute,
)
from strongroom.model.attribute_types import name_of, sayable
from strongroom.model.compat import LINK_TAGS, LINK_TYPES, STAND_INS, TEXT_SINCE_3_0
from strongroom.model.forms import EXTENSION
from strongroom.model.identifiers import BatchReference, NameReference
from strongroom.model.struct import Field, Shape, Struct
from strongroom.model.structures import Link
from strongroom.registry import V2_0, V3_0, Tag, Version
from strongroom.registry.names import (
    TAG_BY_NAME,
    TAGS,
    VALUES,
    defined_tags,
    defined_values,
    enumeration_title,
)


def check_sayable(value: object, version: Version) -> None:
    """Return if `version` can express all of a structure; raises VersionNotSupported for the first gap."""
    for gap in _gaps(value, version):
        raise VersionNotSupported(
            f"KMIP {version} has no {gap}; leave it out, or set `version` to one that has it"
        )


def _gaps(value: object, version: Version) -> Iterator[str]:
    match value:
        case Struct():
            for field in type(value).fields:
                yield from _field_gaps(field, getattr(value, field.name), version)
        case AttributeInstance(key, _, _) if version >= V3_0 and key in TEXT_SINCE_3_0:
            yield from _key_gaps(key, version)  # the text alone, without the fields of the structure
        case AttributeInstance(key, Link(link_type=link_type), _) if version >= V3_0:
            if link_type not in LINK_TAGS:
                yield _named("LinkType", link_type)
        case AttributeInstance(key, inner, _):
            yield from _key_gaps(key, version)
            yield from _gaps(inner, version)
        case Tag() | VendorAttribute():
            yield from _key_gaps(value, version)
        case TemplateAttributes(names=names, attributes=attributes):
            if names and version >= V2_0:
                yield "templates"
            yield from _gaps(tuple(attributes), version)
        case IntFlag():
            title = enumeration_title(type(value))
            # Bit by bit, since a mask of several bits is not a row of the table.
            for bit in range(EXTENSION.bit_length() - 1):
                if int(value) >> bit & 1 and 1 << bit not in defined_values(title, version):
                    yield _named(title, 1 << bit)
        case IntEnum():
            title = enumeration_title(type(value))
            stands_for = {int(value), STAND_INS.get(type(value), {}).get(value, int(value))}
            if int(value) < EXTENSION and not stands_for & defined_values(title, version):
                yield _named(title, int(value))
        case BatchReference() if version < V2_0:
            yield "reference to another item of the batch"
        case NameReference() if version < V3_0:
            yield "reference by name"
        case tuple():
            for each in value:
                yield from _gaps(each, version)
        case _:
            return


def _key_gaps(key: AttributeKey, version: Version) -> Iterator[str]:
    if not sayable(key, version) and not (key in LINK_TYPES and version >= V3_0):
        yield f"attribute {name_of(key)}"


def _field_gaps(field: Field, value: Any, version: Version) -> Iterator[str]:
    if value is None or value == ():
        return
    shown = field.name if field.tag is None else TAGS[field.tag].spec_name
    if not field.in_version(version) or (
        field.tag is not None
        and not isinstance(field.marker, Shape)
        and int(field.tag) not in defined_tags(version)
    ):
        yield f"field {shown}"
    else:
        yield from _gaps(value, version)


def _named(title: str, number: int) -> str:
    entry = VALUES[title].get(number)
    table = TAGS[TAG_BY_NAME[title]].spec_name if title in TAG_BY_NAME else title
    return f"{table} 0x{number:08X}" if entry is None else f"{table} {entry.spec_name}"
