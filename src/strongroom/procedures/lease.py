"""Leases: how long a client may use what it knows of an object (KMIP 1.4 §3.20 and §4.17, 2.1 §6.1.35).

Rule: whether one is given, and how long, is decided here, for Obtain Lease and for who asks beforehand.
"""

from strongroom.domain.context import Context
from strongroom.domain.errors import PermissionDenied
from strongroom.domain.objects import ManagedObject
from strongroom.model.struct import Seconds
from strongroom.registry import State, Tag


def lease_of(ctx: Context, obj: ManagedObject) -> Seconds:
    """Return how long a lease lasts, 0: without an end; raises PermissionDenied where none is given."""
    if obj.state is State.COMPROMISED:
        raise PermissionDenied("no lease is given for a compromised object")
    lease_time: Seconds | None = obj.value(Tag.LEASE_TIME)
    return Seconds(ctx.policy.lease_time) if lease_time is None else lease_time
