"""Values of attributes as people read them, and JSON takes them.

Rule: everything has the name of the specification, in the form that `values.py` takes. A secret is not shown.
"""

from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any

from strongroom.cli.values import ONE_TEXT
from strongroom.model.attribute_list import AttributeKey, RawValue, VendorAttribute
from strongroom.model.attribute_types import name_of
from strongroom.model.forms import form_of
from strongroom.model.keys import SecretItems
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Struct
from strongroom.registry import ItemType
from strongroom.registry.names import TAGS, VALUES, enumeration_title


def shown_key(key: AttributeKey) -> str:
    """Return the name of an attribute, as `parse_key` takes it."""
    if isinstance(key, VendorAttribute) and key.vendor_identification not in ("x", "y", ""):
        return f"{key.vendor_identification}:{key.attribute_name}"
    return name_of(key)


def shown(value: Any) -> Any:
    """Return a value as JSON takes it: names for numbers, ISO 8601 for dates, hexadecimal for bytes."""
    match value:
        case SecretBytes() | SecretItems():
            return "not shown"
        case IntFlag():
            return _shown_mask(value)
        case IntEnum():
            entry = VALUES[enumeration_title(type(value))].get(int(value))
            return value.name if entry is None else entry.spec_name
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case bytes():
            return value.hex()
        case RawValue(item_type, raw):
            return _shown_raw(item_type, raw)
        case Struct():
            if type(value) in ONE_TEXT:
                return getattr(value, ONE_TEXT[type(value)])
            return {
                field.name: shown(inner)
                for field, inner in zip(type(value).fields, value.values(), strict=True)
                if inner is not None and inner != ()
            }
        case tuple() | list():
            return [shown(one) for one in value]
        case _:
            return value


def _shown_mask(mask: IntFlag) -> list[str]:
    table = VALUES[enumeration_title(type(mask))]
    bits = [1 << n for n in range(32) if int(mask) >> n & 1]
    return [table[bit].spec_name if bit in table else f"0x{bit:08X}" for bit in bits]


def _shown_raw(item_type: int, raw: Any) -> Any:
    match item_type:
        case ItemType.DATE_TIME:
            return shown(form_of(datetime).decoder(None)(item_type, raw))
        case ItemType.STRUCTURE:
            return {TAGS[t].spec_name if t in TAGS else f"0x{t:06X}": _shown_raw(k, v) for t, k, v in raw}
        case _:
            return shown(raw)
