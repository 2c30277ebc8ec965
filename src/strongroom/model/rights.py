"""Rights: what the holder of a ticket may do (KMIP 2.1 §7.21-7.25, §7.34-7.35).

Rule: declarations only. Whether a request is within its rights is decided in `domain/access.py`.
"""

from typing import Annotated

from strongroom.model.identifiers import ObjectReference
from strongroom.model.struct import Since, Struct, Until
from strongroom.model.structures import UsageLimits
from strongroom.registry import V2_1, V3_0, Operation


class Operations(Struct):
    operation: tuple[Operation, ...] = ()


class Objects(Struct):
    unique_identifier: tuple[ObjectReference, ...] = ()


class ObjectGroups(Struct):
    object_group: Annotated[tuple[str, ...], Until(V2_1)] = ()
    group_link: Annotated[tuple[ObjectReference, ...], Since(V3_0)] = ()


class Right(Struct):
    """So many of these operations on these objects; a field that is left out restricts nothing."""

    usage_limits: UsageLimits | None = None
    operations: Operations | None = None
    objects: Objects | None = None
    object_groups: Annotated[ObjectGroups | None, Since(V2_1)] = None


class Rights(Struct):
    right: tuple[Right, ...] = ()
