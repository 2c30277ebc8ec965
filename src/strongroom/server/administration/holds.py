"""`hold`: what nobody may lose.

Rule: whoever administers may put a hold on; taking one off is policy, and needs the votes that policy needs.
"""

import contextlib
import time
from collections.abc import Sequence
from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.holds import Hold, Matter, group_key, new_name, object_key
from strongroom.domain.identity import TenantId
from strongroom.domain.objects import ARCHIVED, DESTROYED, ON_LINE, ManagedObject
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace, ObjectQuery
from strongroom.domain.store_failures import TamperedRecord
from strongroom.domain.tenants import tenants_of
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Tag
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.kept import ATTEMPTS, OF_THE_TENANT, decided, drop, put
from strongroom.server.messages import Message, optional_text, text
from strongroom.server.naming import tenant_named

_MOST_MATTERS: Final = 64
_LONGEST_REASON: Final = 500
_PAGE: Final = 64
"""Objects in one commit."""

_TURN: Final = 1.0
"""Seconds after which an answer is given, whatever is left; the supervisor waits for a few."""

_ANYWHERE: Final = ON_LINE | ARCHIVED | DESTROYED


@command("hold.add", roles={Role.ADMINISTRATOR})
async def add(admin: Administrator, request: Message) -> object:
    """Put a hold on an object or a group; what is under way at this moment comes first or finds it."""
    reason, group = text(request, "reason").strip(), optional_text(request, "group")
    identifier = optional_text(request, "unique_identifier")
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise InvalidOption(f"--reason: 1 to {_LONGEST_REASON} printable characters")
    if (group is None) == (identifier is None):
        raise InvalidOption("name an object, or a group with --group: one of the two")
    who = None if admin.caller is None else admin.caller.person
    matter = Matter(name=new_name(), reason=reason, placed_at=admin.now, placed_by=who)
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    key = group_key(group) if group is not None else object_key(identifier or "")
    for _ in range(ATTEMPTS):
        objects = []
        if identifier is not None:
            obj = await admin.store.load(tenant, identifier)
            if obj is None:
                raise NotFound(f"there is no object {identifier} in the tenant")
            # Whoever is about to destroy this one has to look again.
            objects = [_next_generation(obj)]
        before = await admin.store.load_entry(Hold, tenant, key)
        old = () if before is None else before.value.matters
        if len(old) >= _MOST_MATTERS:
            raise OperatorError(f"{_MOST_MATTERS} matters hold it already")
        value = Hold(matters=(*old, matter), unique_identifier=identifier, group=group)
        try:
            await admin.store.commit(
                Changes(objects=objects, entries=[put(Hold, tenant, key, value, before)])
            )
        except LostRace:
            continue
        reached = None if group is None else await _overtake(admin, tenant, group)
        return {"hold": matter.name, "reached": reached}
    raise OperatorError("the object keeps changing; try again")


@command("hold.overtake", roles={Role.ADMINISTRATOR})
async def overtake(admin: Administrator, request: Message) -> object:
    """Go on with a group that is held, behind the object that `hold.add`, or this command, has reached."""
    group, after = text(request, "group"), text(request, "after")
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    if await admin.store.load_entry(Hold, tenant, group_key(group)) is None:
        raise NotFound("the group is not held any more; list the holds: strongroom hold list")
    return {"reached": await _overtake(admin, tenant, group, after)}


async def _overtake(admin: Administrator, tenant: TenantId, group: str, after: str = "") -> str | None:
    """Give what is in a group its next generation: whoever is about to destroy it has to look again.

    The hold is stored, so what changes or comes into the group from now on was looked at after it. Return
    the last identifier that was reached when there are more than one answer has time for, else None.
    """
    give_up = time.monotonic() + _TURN
    members: dict[str, None] = {}
    for belongs in (
        AttributeInstance(Tag.OBJECT_GROUP, group),
        AttributeInstance(Tag.GROUP_LINK, UniqueIdentifier(group)),
    ):
        found = await admin.store.locate(
            ObjectQuery(tenant=tenant, sight=None, now=admin.now, filters=[belongs], storage=_ANYWHERE)
        )
        members.update(dict.fromkeys(found.unique_identifiers))
    identifiers = sorted(one for one in members if one > after)
    for start in range(0, len(identifiers), _PAGE):
        if start and time.monotonic() >= give_up:
            return identifiers[start - 1]
        page = identifiers[start : start + _PAGE]
        if not await _touch(admin, tenant, page):
            for identifier in page:
                await _touch(admin, tenant, [identifier])
    return None


async def _touch(admin: Administrator, tenant: TenantId, identifiers: Sequence[str]) -> bool:
    """Count up the generations of objects, all or none; False when one of them has changed meanwhile."""
    touched = []
    for identifier in identifiers:
        with contextlib.suppress(TamperedRecord):  # nobody can load it, so nobody is about to destroy it
            obj = await admin.store.load(tenant, identifier)
            if obj is not None:
                touched.append(_next_generation(obj))
    try:
        if touched:
            await admin.store.commit(Changes(objects=touched))
    except LostRace:
        return False
    return True


def _next_generation(obj: ManagedObject) -> ManagedObject:
    touched = obj.copy()
    touched.changed = True
    return touched


@command("hold.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    return [
        {
            "hold": matter.name,
            "tenant": tenant,
            "unique_identifier": kept.value.unique_identifier,
            "group": kept.value.group,
            "reason": matter.reason,
            "placed_at": matter.placed_at.isoformat(timespec="seconds"),
            "placed_by": matter.placed_by,
        }
        for tenant, kept in await _all(admin)
        for matter in kept.value.matters
    ]


async def _held(admin: Administrator, request: Message) -> Message:
    """Return what a hold keeps, and why; nothing where there is none."""
    name = text(request, "hold")
    for tenant, kept in await _all(admin):
        for matter in kept.value.matters:
            if matter.name == name:
                return {
                    "holds": {
                        "tenant": tenant,
                        "unique_identifier": kept.value.unique_identifier,
                        "group": kept.value.group,
                        "reason": matter.reason,
                    }
                }
    return {}


@command("hold.remove", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, facts=_held)
async def remove(admin: Administrator, request: Message) -> object:
    name = text(request, "hold")

    async def decide() -> tuple[list[EntryChange], None]:
        for _, kept in await _all(admin):
            rest = tuple(matter for matter in kept.value.matters if matter.name != name)
            if len(rest) < len(kept.value.matters):
                if not rest:
                    return [drop(kept)], None
                return [put(Hold, kept.tenant, kept.key, kept.value.replace(matters=rest), kept)], None
        raise NotFound(f"there is no hold {name}; list them: strongroom hold list")

    await decided(admin.store, decide)
    return None


async def _all(admin: Administrator) -> list[tuple[str, Kept[Hold]]]:
    return [
        (tenant, kept)
        for tenant, number in sorted((await tenants_of(admin.store)).items())
        for kept in await admin.store.entries_of(Hold, number, OF_THE_TENANT)
    ]
