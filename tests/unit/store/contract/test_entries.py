"""Entries: what is kept beside objects."""

import pytest

from strongroom.store.records import Backend, ChangeSet, Conflict, EntryRemoval, EntryRow, EntryUpdate
from tests.unit.store.contract.conftest import Store
from tests.unit.store.samples import creation, entry, row


def update(before: EntryRow, after: EntryRow) -> ChangeSet:
    return ChangeSet(entry_updates=[EntryUpdate(after, before.written)])


def removal(old: EntryRow) -> ChangeSet:
    return ChangeSet(entry_removals=[EntryRemoval(old.tenant, old.kind, old.key, old.written)])


async def test_an_entry_comes_back_as_it_was_committed(backend: Backend, tenant: int) -> None:
    new = entry(tenant, "Schlüssel", owner=2**63 - 1, due=2**40, store_key=2**63 - 1)
    await backend.commit(ChangeSet(entries=[new]))
    assert await backend.entry(tenant, 1, "Schlüssel") == new


@pytest.mark.parametrize("key", ["no such key", "", "a\0b"])
async def test_an_entry_that_is_not_there_is_none(backend: Backend, tenant: int, key: str) -> None:
    assert await backend.entry(tenant, 1, key) is None


async def test_kinds_and_tenants_have_keys_of_their_own(backend: Backend, tenant: int) -> None:
    first, second, third = entry(tenant, "k"), entry(tenant, "k", kind=2), entry(tenant + 1_000_000, "k")
    await backend.commit(ChangeSet(entries=[first, second, third]))
    assert await backend.entry(tenant, 2, "k") == second
    assert await backend.entry(tenant + 1_000_000, 1, "k") == third


async def test_a_key_is_taken_once(backend: Backend, tenant: int) -> None:
    first = entry(tenant, "k")
    await backend.commit(ChangeSet(entries=[first]))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(entries=[entry(tenant, "k", owner=2)]))
    assert await backend.entry(tenant, 1, "k") == first


async def test_an_entry_changes_only_from_the_generation_that_was_read(backend: Backend, tenant: int) -> None:
    first = entry(tenant, "k")
    await backend.commit(ChangeSet(entries=[first]))
    second = entry(tenant, "k", generation=2, owner=7, due=5)
    await backend.commit(update(first, second))
    with pytest.raises(Conflict):
        await backend.commit(update(first, entry(tenant, "k", generation=2)))
    assert await backend.entry(tenant, 1, "k") == second


async def test_an_entry_is_removed_only_in_the_generation_that_was_read(
    backend: Backend, tenant: int
) -> None:
    first, second = entry(tenant, "k"), entry(tenant, "k", generation=2)
    await backend.commit(ChangeSet(entries=[first]))
    with pytest.raises(Conflict):
        await backend.commit(removal(second))
    await backend.commit(removal(first))
    assert await backend.entry(tenant, 1, "k") is None


async def test_the_same_number_of_another_write_is_another_generation(backend: Backend, tenant: int) -> None:
    """What was removed and made again begins at 1 again."""
    first, again = entry(tenant, "k"), entry(tenant, "k")
    await backend.commit(ChangeSet(entries=[first]))
    await backend.commit(removal(first))
    await backend.commit(ChangeSet(entries=[again]))
    for stale in (removal(first), update(first, entry(tenant, "k", generation=2))):
        with pytest.raises(Conflict):
            await backend.commit(stale)
    assert await backend.entry(tenant, 1, "k") == again


async def test_an_entry_that_is_refused_takes_the_object_of_its_change_set_along(
    backend: Backend, tenant: int, store: Store
) -> None:
    await backend.commit(ChangeSet(entries=[entry(tenant, "k")]))
    new, event = row(tenant), f"event {tenant}".encode()
    changes = creation(new, terms=[b"t"], names=["n"], events=[event])
    changes.entries.append(entry(tenant, "k"))
    with pytest.raises(Conflict):
        await backend.commit(changes)
    assert await backend.fetch(new.tenant, new.unique_identifier) is None
    assert event not in store.events()


async def test_what_was_done_already_is_a_conflict_and_no_name_that_is_taken(
    backend: Backend, tenant: int
) -> None:
    """Whoever did it has taken the name; after a conflict the remembered answer is looked for."""
    for answer in (entry(tenant, "answer"), entry(tenant, "answer")):
        changes = creation(row(tenant), names=["n"])
        changes.entries.append(answer)
        if await backend.entry(tenant, 1, "answer") is None:
            await backend.commit(changes)
        else:
            with pytest.raises(Conflict):
                await backend.commit(changes)


async def test_an_owner_has_its_entries_by_key(backend: Backend, tenant: int) -> None:
    mine = [entry(tenant, key) for key in ("a", "b", "c")]
    others = [entry(tenant, "d", owner=2), entry(tenant, "e", kind=2)]
    await backend.commit(ChangeSet(entries=[*reversed(mine), *others]))
    assert await backend.entries(tenant, 1, 1) == mine
    assert await backend.entries(tenant, 1, 1, 1) == mine[:1]
    assert await backend.count_entries(tenant, 1, 1) == len(mine)
    assert await backend.count_entries(tenant, 1, 99) == 0


async def test_what_is_due_comes_soonest_first_and_no_more_than_asked_for(
    backend: Backend, tenant: int
) -> None:
    kind = 1_000 + tenant
    dates = {"late": 30, "soon": 10, "next": 20, "now": 40}
    rows = {key: entry(tenant, key, kind=kind, due=due) for key, due in dates.items()}
    await backend.commit(ChangeSet(entries=[*rows.values(), entry(tenant, "never", kind=kind)]))
    assert await backend.due_entries(kind, 40, 10) == [rows["soon"], rows["next"], rows["late"]]
    assert await backend.due_entries(kind, 40, 1) == [rows["soon"]]
    assert await backend.due_entries(kind, 40, 1, 1) == [rows["next"]]
    assert await backend.due_entries(kind, 40, 10, 3) == []
