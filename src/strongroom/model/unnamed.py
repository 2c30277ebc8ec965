"""An Attribute of 1.x that came without its name.

Rule: the name is guessed from nothing but the fields of the value, and only when one attribute alone has them
all. INTEROP(OASIS CS-AC-M-3-12, CS-AC-M-8-12): Cryptographic Parameters without an Attribute Name.
"""

from collections.abc import Iterable
from typing import Any

from strongroom.model.struct import StructMeta
from strongroom.registry import ItemType, Tag


def meant_by(kinds: Iterable[tuple[Tag, Any]], item_type: int, value: Any) -> Tag | None:
    """Return the one attribute whose structure has every field of `value`; None when it is not clear.

    `kinds` are the attributes with what their values are made of.
    """
    if item_type != ItemType.STRUCTURE or not value:
        return None
    tags = {item[0] for item in value}
    fitting = [
        tag
        for tag, kind in kinds
        if isinstance(kind, StructMeta) and tags <= {int(f.tag) for f in kind.fields if f.tag is not None}
    ]
    return fitting[0] if len(fitting) == 1 else None
