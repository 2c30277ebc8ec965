"""Who may do what to which object.

Rule: deny by default. The engine asks here before a handler sees an object, and nobody else decides. What may
not be seen is answered like what does not exist; only the holder of a ticket is told what its rights lack.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from strongroom.domain.errors import PermissionDenied
from strongroom.domain.identity import ClientIdentity, Grant
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rules import GRANTABLE
from strongroom.domain.sight import Sight, own
from strongroom.registry import Operation, Tag

_NAMED_BY: Final = (Tag.OBJECT_GROUP, Tag.OPERATION_POLICY_NAME)
"""Attributes by which restrictions name an object, and which its owner changes."""


def may(caller: ClientIdentity, permission: Permission, obj: ManagedObject, now: datetime) -> bool:
    """Tell whether the caller has the permission on the object: its owner has, and whom a rule grants it.

    `obj` may be as it is stored: what depends on its State is decided as of `now`.
    """
    if obj.tenant != caller.tenant:
        return False
    if caller.access is None:
        return obj.owner == caller.client
    return caller.access.permit(permission, obj, now)


def in_sight(caller: ClientIdentity, permission: Permission) -> Sight | None:
    """Return the objects of the tenant on which the caller can have the permission; None: all of them."""
    return own(caller.client) if caller.access is None else caller.access.sight(permission)


def restricted(caller: ClientIdentity) -> bool:
    """Tell whether `may` can say no to what is in sight."""
    return caller.access is not None and caller.access.restriction is not None


def loosens(caller: ClientIdentity, before: ManagedObject, after: ManagedObject, now: datetime) -> bool:
    """Tell whether restrictions would forbid the caller less once an object has other groups or policies.

    Else whom they bind would step out of them, do what they forbid, and come back. What only hardens an
    object (Sensitive), or moves it along its life cycle, is no way out.
    """
    if not restricted(caller) or all(after.attributes.get(t) == before.attributes.get(t) for t in _NAMED_BY):
        return False
    return any(may(caller, p, after, now) and not may(caller, p, before, now) for p in GRANTABLE)


def covers(grant: Grant, operation: Operation) -> bool:
    """Tell whether a right is for an operation."""
    return grant.operations is None or operation in grant.operations


def allowed(caller: ClientIdentity, operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return those of the operations that the caller may do at all."""
    rights = caller.rights
    return tuple(o for o in operations if rights is None or any(covers(grant, o) for grant in rights))


def scope(caller: ClientIdentity, operation: Operation) -> tuple[Grant, ...] | None:
    """Return the rights that let the caller do an operation, None for one that is not restricted.

    Raises PermissionDenied when no right covers it (KMIP 2.1 §7.34).
    """
    if caller.rights is None:
        return None
    grants = tuple(grant for grant in caller.rights if covers(grant, operation))
    if not grants:
        raise PermissionDenied("the rights of the ticket do not cover this operation")
    # One right without restriction is enough.
    return None if any(grant.objects is None and grant.groups is None for grant in grants) else grants


def require_everything(caller: ClientIdentity, operation: Operation) -> None:
    """Return if the caller may do an operation that concerns all of the client's objects at once.

    Raises PermissionDenied for a ticket whose rights name objects or groups.
    """
    if scope(caller, operation) is not None:
        raise PermissionDenied("the rights of the ticket cover some objects only, and this concerns all")


def reaches(grants: Iterable[Grant], unique_identifier: str, obj: ManagedObject | None) -> bool:
    """Tell whether a right covers an object; `obj` None: as far as the identifier alone tells."""
    return any(
        (grant.objects is None or unique_identifier in grant.objects)
        and (grant.groups is None or (obj is not None and not grant.groups.isdisjoint(_groups(obj))))
        for grant in grants
    )


def _groups(obj: ManagedObject) -> set[str]:
    return {str(one) for tag in (Tag.OBJECT_GROUP, Tag.GROUP_LINK) for one in obj.values(tag)}
