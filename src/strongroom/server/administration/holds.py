"""`hold`: what nobody may lose.

Rule: whoever administers may put a hold on; taking one off is policy, and needs the votes that policy needs.
"""

from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.holds import Hold, Matter, group_key, new_name, object_key
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tenants import tenants_of
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import ATTEMPTS, OF_THE_TENANT, decided, drop, put
from strongroom.server.messages import Message, optional_text, text
from strongroom.server.naming import tenant_named

_MOST_MATTERS: Final = 64
_LONGEST_REASON: Final = 500


@command("hold.add", roles={Role.ADMINISTRATOR})
async def add(admin: Administrator, request: Message) -> object:
    """Put a hold on an object or a group; what is under way at this moment comes first or finds it."""
    reason, group = text(request, "reason").strip(), optional_text(request, "group")
    identifier = optional_text(request, "unique_identifier")
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise OperatorError(f"--reason: 1 to {_LONGEST_REASON} printable characters")
    if (group is None) == (identifier is None):
        raise OperatorError("name an object, or a group with --group: one of the two")
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
            # The next generation: whoever is about to destroy this one has to look again.
            touched = obj.copy()
            touched.changed = True
            objects = [touched]
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
        return {"hold": matter.name}
    raise OperatorError("the object keeps changing; try again")


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
