"""What a request does to objects that cannot be undone, or that gives a key away.

Rule: an act is told by what becomes of the objects, never by the operation that was asked for: Destroy,
Obliterate, Import over an object, a PKCS#11 function and whatever comes next all end here. What is not in
the list of public object types counts as secret.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from strongroom.domain.acts import Act
from strongroom.domain.holds import groups_of
from strongroom.domain.objects import ManagedObject
from strongroom.registry import ObjectType, State

PUBLIC: Final = frozenset(
    {
        ObjectType.CERTIFICATE,
        ObjectType.CERTIFICATE_REQUEST,
        ObjectType.PUBLIC_KEY,
        ObjectType.TEMPLATE,
        ObjectType.USER,
        ObjectType.GROUP,
    }
)
"""Types whose objects hold nothing secret."""

_COMPROMISED: Final = frozenset({State.COMPROMISED, State.DESTROYED_COMPROMISED})


class Kind(Enum):
    """What happened to an object. `act` is what that is, None for what only matters to a hold."""

    DESTROYED = "destroyed", Act.DESTROY
    REMOVED = "removed", Act.DESTROY
    REPLACED = "replaced", Act.DESTROY
    COMPROMISED = "compromised", Act.REVOKE_COMPROMISED
    REVEALED = "revealed", Act.EXPORT
    LEFT_GROUP = "left-group", None

    def __init__(self, word: str, act: Act | None) -> None:
        self.word = word
        self.act = act


LOSSES: Final = frozenset({Kind.DESTROYED, Kind.REMOVED, Kind.REPLACED, Kind.LEFT_GROUP})
"""What a hold forbids; leaving the group that is held would be the way round it."""


ENDS: Final = frozenset({Kind.DESTROYED, Kind.REMOVED, Kind.REPLACED})
"""What the material of an object does not outlast."""


class Effect(NamedTuple):
    """One of them: the object as it was stored, and as the request leaves it."""

    kind: Kind
    before: ManagedObject
    after: ManagedObject


def effects_of(
    loaded: Iterable[ManagedObject],
    revealed: Iterable[ManagedObject],
    before: Mapping[str, ManagedObject],
    replaced: Mapping[str, ManagedObject],
) -> list[Effect]:
    """Return what a unit of work does to the objects that it has.

    `revealed` are objects given out by a part that was undone; `before` are objects as they were, and
    `replaced` those in whose place others stand.
    """
    found = [Effect(Kind.REVEALED, obj, obj) for obj in revealed if obj.object_type not in PUBLIC]
    for obj in loaded:
        if obj.revealed and obj.object_type not in PUBLIC:
            found.append(Effect(Kind.REVEALED, obj, obj))
        if not obj.changed or not obj.generation:
            continue
        if obj.unique_identifier in replaced:
            found += _replacement(replaced[obj.unique_identifier], obj)
        else:
            found += _changes(before[obj.unique_identifier], obj)
    return found


def _replacement(before: ManagedObject, after: ManagedObject) -> Iterable[Effect]:
    yield Effect(Kind.REPLACED, before, after)
    yield from _compromise(before, after)


def _changes(before: ManagedObject, after: ManagedObject) -> Iterable[Effect]:
    if after.removed:
        yield Effect(Kind.REMOVED, before, after)
        return
    lost = before.material is not None and after.material is not before.material
    if lost or (after.destroyed and not before.destroyed):
        yield Effect(Kind.DESTROYED, before, after)
    yield from _compromise(before, after)
    if before.attributes is not after.attributes and groups_of(before) - groups_of(after):
        yield Effect(Kind.LEFT_GROUP, before, after)


def _compromise(before: ManagedObject, after: ManagedObject) -> Iterable[Effect]:
    if after.state in _COMPROMISED and before.state not in _COMPROMISED:
        yield Effect(Kind.COMPROMISED, before, after)


def acts_of(effects: Collection[Effect]) -> set[Act]:
    """Return the acts among them."""
    return {effect.kind.act for effect in effects if effect.kind.act is not None}
