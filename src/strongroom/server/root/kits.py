"""The recovery kit, where several servers use one store: each wraps for the same one.

Rule: whose kit it is stands in the store, sealed like everything there; `recovery.pub` is what a server has
read of it. Kits are numbered, and a later one takes the place of an earlier one, never the other way round:
not even where somebody has put an older record back into the database.
"""

from typing import Annotated, Final

from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.ports import RootKeyError
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int64, Own
from strongroom.server.ports import RootKeys
from strongroom.server.root.waiting import wait_for_others

_KEY: Final = "recovery kit"


class RecoveryRecipient(Entry, kind=61):
    """Whom the recovery kit of all servers belongs to, and which kit it is."""

    recipient: Annotated[str, Own(1)]
    number: Annotated[Int64, Own(2)]


async def give_to_nodes(recipient: str, root_key: RootKeys, store: ObjectStore) -> int:
    """Let every node wrap for a new kit, and return its number. Raises StoreFailure and RootKeyError."""
    kept = await _kept(store)
    number = max(root_key.recovery_number, 0 if kept is None else kept.value.number) + 1
    await _put(RecoveryRecipient(recipient=recipient, number=number), kept, store)
    return number


async def follow_nodes(root_key: RootKeys, store: ObjectStore) -> bool:
    """Wrap for the kit that the other nodes wrap for; tell whether it was another one.

    Raises StoreFailure, TamperedRecord and RootKeyError, which a kit that is here and not proven is, too.
    """
    kept = await _kept(store)
    recipient = root_key.prove_recovery()
    number = root_key.recovery_number
    if kept is None or kept.value.number < number:
        if recipient is not None:
            # Made by an older release, or an older record was put back.
            await _put(RecoveryRecipient(recipient=recipient, number=number), kept, store)
        return False
    if kept.value.recipient == recipient:
        return False
    if recipient is not None and kept.value.number == number:
        raise RootKeyError(
            "the servers of this store wrap for different recovery kits, and none of them opens everything;"
            " make a new one: strongroom server recovery create --data DIR --out OUT"
        )
    await wait_for_others(root_key)
    root_key.set_recovery(kept.value.recipient, kept.value.number)
    return True


async def _kept(store: ObjectStore) -> Kept[RecoveryRecipient] | None:
    return await store.load_entry(RecoveryRecipient, SYSTEM_TENANT, _KEY)


async def _put(value: RecoveryRecipient, before: Kept[RecoveryRecipient] | None, store: ObjectStore) -> None:
    generation = 0 if before is None else before.generation
    after = Kept(tenant=SYSTEM_TENANT, key=_KEY, owner=0, value=value, generation=generation)
    try:
        await store.commit(
            Changes(entries=[EntryChange(RecoveryRecipient, SYSTEM_TENANT, _KEY, generation, after)])
        )
    except LostRace:
        raise RootKeyError("another server makes a recovery kit at this moment; try again") from None
