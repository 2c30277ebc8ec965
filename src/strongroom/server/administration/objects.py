"""`object`: what administrators do to objects that nobody can use any more.

Rule: nothing here shows material. What is restored is as it was before it was destroyed, but for a Name that
somebody else has taken since.
"""

from datetime import timedelta
from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.parking import Parked, restored
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace, NameInUse
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import tenants_of
from strongroom.registry import Tag
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import ATTEMPTS, unreadable
from strongroom.server.messages import Message, optional_text, text
from strongroom.server.naming import tenant_named

_FAR: Final = timedelta(days=36_500)
_MOST_SHOWN: Final = 1000


async def _tenant_of(admin: Administrator, request: Message) -> TenantId:
    return await tenant_named(admin.store, optional_text(request, "tenant"))


@command("object.restore", roles={Role.ADMINISTRATOR}, approval=Act.RESTORE, concerns=_tenant_of)
async def restore(admin: Administrator, request: Message) -> object:
    """Bring back what was destroyed, as long as its deletion window lasts."""
    identifier, tenant = text(request, "unique_identifier"), await _tenant_of(admin, request)
    left_out: list[str] = []
    for _ in range(ATTEMPTS + _NAMES):
        obj, parked = await _parked(admin, tenant, identifier)
        back = restored(obj, parked.value)
        for name in left_out:
            _leave_out(back, name)
        # Everything is as it was, except that this, too, is a change.
        back.set(Tag.LAST_CHANGE_DATE, admin.now)
        change = EntryChange(Parked, parked.tenant, parked.key, parked.generation, None)
        try:
            await admin.store.commit(Changes(objects=[back], entries=[change]))
        except NameInUse as taken:
            left_out.append(str(taken))
            continue
        except LostRace:
            continue
        return {
            "unique_identifier": identifier,
            "state": None if back.state is None else back.state.name,
            "names_left_out": left_out,
        }
    raise OperatorError(f"the object {identifier} keeps changing; try again")


_NAMES: Final = 256
"""Names of one object that may have been taken."""


@command("object.parked", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def parked_(admin: Administrator, request: Message) -> object:
    """List what could be restored."""
    names = {number: name for name, number in (await tenants_of(admin.store)).items()}
    damaged: list[DamagedEntry] = []
    found = await admin.store.due_entries(Parked, admin.now + _FAR, _MOST_SHOWN, damaged=damaged.append)
    rows: list[Message] = [
        {
            "unique_identifier": kept.key,
            "tenant": names.get(TenantId(kept.tenant), str(kept.tenant)),
            "destroyed_at": kept.value.destroyed_at.isoformat(timespec="seconds"),
            "until": None if kept.due is None else kept.due.isoformat(timespec="seconds"),
        }
        for kept in found
    ]
    return rows + unreadable(damaged)


async def _parked(
    admin: Administrator, tenant: TenantId, identifier: str
) -> tuple[ManagedObject, Kept[Parked]]:
    obj = await admin.store.load(tenant, identifier)
    parked = await admin.store.load_entry(Parked, tenant, identifier)
    if obj is None or parked is None or not obj.destroyed or (parked.due or admin.now) <= admin.now:
        raise NotFound(
            f"nothing is kept of an object {identifier}: list what can be restored: strongroom object parked"
        )
    return obj, parked


def _leave_out(obj: ManagedObject, name: str) -> None:
    kept = tuple(one for one in obj.attributes.get(Tag.NAME, ()) if one.value.name_value != name)
    if len(kept) == len(obj.attributes.get(Tag.NAME, ())):
        raise OperatorError("a name of the object is in use, and it is not one that it has; look at the log")
    obj.put(Tag.NAME, kept)
