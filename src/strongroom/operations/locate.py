"""Locate (KMIP 1.x §4.9, 2.x §6.1.28)."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from strongroom.domain.context import Context, Locate, Sought
from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.domain.objects import ON_LINE
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Implied, Int32, Since, Until
from strongroom.procedures.groups import default_member, fresh_members
from strongroom.procedures.likeness import name_in, named
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_3,
    V2_1,
    V3_0,
    ObjectClass,
    ObjectClassMask,
    ObjectGroupMember,
    Operation,
    StorageStatusMask,
    Tag,
)

COUNTED = 1000
"""Located Items are counted up to this many; more are not said."""

MAXIMUM_FILTERS = 100
"""Databases refuse statements with some hundred conditions, or take long to plan them."""


class LocateResponse(Response):
    located_items: Annotated[Int32 | None, Since(V1_3)] = None
    unique_identifier: tuple[UniqueIdentifier, ...] = ()


class LocateRequest(Request[LocateResponse]):
    maximum_items: Int32 | None = None
    offset_items: Annotated[Int32 | None, Since(V1_3)] = None
    storage_status_mask: StorageStatusMask | None = None
    object_group_member: Annotated[ObjectGroupMember | None, Since(V1_1), Until(V2_1)] = None
    object_class_mask: Annotated[ObjectClassMask | None, Since(V3_0)] = None
    attributes: Annotated[
        TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None, always=True, partial=True)
    ] = None
    # SPEC(KMIP 2.1 §6.1.28): newest first. 1.3, the first to have pages, says nothing, and its published
    # cases begin a page with the oldest.
    pages_from_oldest: Annotated[bool, Implied(V1_3, V1_3)] = False


@operation(Operation.LOCATE, since=V1_0, needs=Permission.LOCATE, repeatable=True)
async def locate(ctx: Context, request: LocateRequest) -> LocateResponse:
    maximum, offset = request.maximum_items, request.offset_items or 0
    if offset < 0 or (maximum is not None and maximum < 0):
        raise InvalidField("Maximum Items and Offset Items are not negative")
    filters = [] if request.attributes is None else list(request.attributes.attributes)
    if len(filters) > MAXIMUM_FILTERS:
        raise ServerLimitExceeded(f"a Locate has at most {MAXIMUM_FILTERS} filters")
    ceiling = ctx.policy.maximum_locate_items
    wanted = ceiling if maximum is None else min(maximum, ceiling)
    classes = request.object_class_mask
    if classes is not None and classes and not classes & ObjectClassMask.USER:
        filters.append(AttributeInstance(Tag.OBJECT_CLASS, value=ObjectClass.SYSTEM))
    storage = int(request.storage_status_mask or ON_LINE)
    member = request.object_group_member
    if member is ObjectGroupMember.GROUP_MEMBER_FRESH:
        found = await fresh_members(ctx, filters, storage=storage, maximum=wanted, offset=offset)
    elif member is ObjectGroupMember.GROUP_MEMBER_DEFAULT:
        found = await default_member(ctx, filters, storage=storage, maximum=wanted, offset=offset)
    else:
        oldest_first = request.pages_from_oldest and maximum is not None
        found = await ctx.objects.locate(
            filters, storage=storage, maximum=wanted, offset=offset, oldest_first=oldest_first
        )
        name = name_in(request.attributes)
        if name is not None and request.offset_items is None:
            ctx.sought = Sought(name, partial(_seek, filters, storage, wanted, oldest_first))
    total = found.total
    if total is None and request.offset_items is not None:
        # Who pages wants to know how far; beyond some pages, counting costs more than the answer is worth.
        every = await ctx.objects.locate(filters, storage=storage, maximum=COUNTED + 1, offset=0)
        total = len(every.unique_identifiers) if len(every.unique_identifiers) <= COUNTED else None
    identifiers = found.unique_identifiers
    # SPEC(KMIP 2.1 §6.1.28): one hit fills the ID Placeholder, anything else empties it.
    ctx.objects.place(identifiers[0] if len(identifiers) == 1 else None)
    return LocateResponse(located_items=total, unique_identifier=tuple(identifiers))


async def _seek(
    filters: Sequence[AttributeInstance],
    storage: int,
    maximum: int,
    oldest_first: bool,
    find: Locate,
    name: str,
) -> LocateResponse:
    """Do a request that differs in the text of the Name only."""
    found = await find(named(filters, name), storage=storage, maximum=maximum, oldest_first=oldest_first)
    return LocateResponse(located_items=found.total, unique_identifier=tuple(found.unique_identifiers))
