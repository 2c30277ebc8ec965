"""Legal holds: what nobody may lose, whatever their rights.

Rule: a hold is on an object or on a group of objects, each an entry in the tenant under its target, so that
the question whether there is one costs a single read. Several matters may hold the same thing; it is free
when the last of them is removed.
"""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

from strongroom.domain.entries import Entry
from strongroom.domain.objects import ManagedObject
from strongroom.model.struct import Own, Struct
from strongroom.registry import Tag

_GROUPED: Final = (Tag.OBJECT_GROUP, Tag.GROUP_LINK)


class Matter(Struct):
    """One reason to hold something; `name` is what it is removed by."""

    name: Annotated[str, Own(1)]
    reason: Annotated[str, Own(2)]
    placed_at: Annotated[datetime, Own(3)]
    placed_by: Annotated[str | None, Own(4)] = None


class Hold(Entry, kind=43):
    """All that holds one object, or one group."""

    matters: Annotated[tuple[Matter, ...], Own(1)]
    unique_identifier: Annotated[str | None, Own(2)] = None
    group: Annotated[str | None, Own(3)] = None


def object_key(unique_identifier: str) -> str:
    """Return the key of the hold on an object."""
    return f"object/{unique_identifier}"


def group_key(group: str) -> str:
    """Return the key of the hold on a group: of any name, so by its digest."""
    return f"group/{hashlib.sha256(group.encode()).hexdigest()}"


def groups_of(obj: ManagedObject) -> set[str]:
    """Return the groups that an object is in, by name and by identifier."""
    return {str(one) for tag in _GROUPED for one in obj.values(tag)}


def keys_of(obj: ManagedObject) -> Iterator[str]:
    """Yield the keys of the holds that would hold an object."""
    yield object_key(obj.unique_identifier)
    yield from map(group_key, sorted(groups_of(obj)))


def new_name() -> str:
    """Return what a matter is called."""
    return secrets.token_hex(6)
