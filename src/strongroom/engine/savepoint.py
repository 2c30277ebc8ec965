"""What a unit of work goes back to when a part of it is undone.

Rule: all that a handler can change is here; what is left out would outlive what was refused.
"""

from typing import NamedTuple

from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import Entry, Kept
from strongroom.domain.identity import Grant
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import UniqueIdentifier


class Savepoint(NamedTuple):
    """A unit of work as it was at one moment."""

    loaded: dict[str, ManagedObject]
    entries: dict[tuple[type[Entry], str], Kept[Entry] | None]
    permission: Permission
    scope: tuple[Grant, ...] | None
    placed: tuple[UniqueIdentifier | None] | None
    placeholder: UniqueIdentifier | None
    reached: dict[UniqueIdentifier, ManagedObject]
    fresh: list[ManagedObject]
    brought: list[ManagedObject]
    adopted: dict[str, ManagedObject | None]
    replaced: dict[str, ManagedObject]
    clients: list[ClientRecord]
