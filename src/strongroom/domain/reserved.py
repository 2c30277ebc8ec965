"""What the right to change attributes does not cover.

Rule: no right implies another one. Whoever could change what rules reach an object by, when it begins and
ends, or when the server renews it, would have all rights on it with that one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from strongroom.domain.access import may
from strongroom.domain.errors import PermissionDenied
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.registry import Tag

REACHED_BY: Final = (Tag.OBJECT_GROUP, Tag.GROUP_LINK, Tag.OPERATION_POLICY_NAME)
"""Attributes by which rules, and the rights of tickets, reach an object. They are its owner's to say."""

_NEEDS: Final[Mapping[Tag, Permission]] = {
    Tag.ACTIVATION_DATE: Permission.ACTIVATE,
    Tag.DEACTIVATION_DATE: Permission.REVOKE,
    Tag.ROTATE_AUTOMATIC: Permission.RE_KEY,
    Tag.ROTATE_INTERVAL: Permission.RE_KEY,
    Tag.ROTATE_OFFSET: Permission.RE_KEY,
}
"""What does the same as the operation with this permission, now or later."""

_CHANGING: Final = frozenset({Permission.CHANGE_ATTRIBUTES, Permission.IMPORT})
"""Permissions with which attributes are what the caller says; other operations set what belongs to them."""


def check_changes(
    caller: ClientIdentity,
    permission: Permission,
    before: ManagedObject,
    after: ManagedObject,
    now: datetime,
) -> None:
    """Return if the caller may have changed an object like this; raises PermissionDenied.

    Who has the rights of a ticket acts as the owner and is not the owner.
    """
    owner = after.owner == caller.client
    if owner and caller.rights is None:
        return
    if any(_changed(before, after, tag) for tag in REACHED_BY):
        raise PermissionDenied("only the owner of an object changes its groups and its operation policy")
    if owner or permission not in _CHANGING:
        return
    if _changed(before, after, Tag.NAME):
        # Names are unique among the objects of an owner: a refusal would tell of others.
        raise PermissionDenied("only the owner of an object changes its Names")
    for tag, needed in _NEEDS.items():
        if _changed(before, after, tag) and not may(caller, needed, before, now):
            raise PermissionDenied(
                f"to change {tag.name.replace('_', ' ').title()} needs the right to {needed.value}, too"
            )


def _changed(before: ManagedObject, after: ManagedObject, tag: Tag) -> bool:
    return list(before.values(tag)) != list(after.values(tag))
