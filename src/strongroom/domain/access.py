"""Who may do what to which object.

Rule: deny by default. The engine asks here before a handler sees an object, and nobody else decides. What may
not be seen is answered like what does not exist.
"""

from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission


def may(caller: ClientIdentity, permission: Permission, obj: ManagedObject) -> bool:
    """Tell whether the caller has the permission on the object: its owner does, nobody else."""
    return obj.tenant == caller.tenant and obj.owner == caller.client


def visible_owner(caller: ClientIdentity) -> int | None:
    """Return the owner whose objects the caller may find; None would mean every owner of the tenant."""
    return caller.client
