"""What a commit does and does not do."""

import asyncio
import os
import random
from collections import Counter

import pytest

from strongroom.domain.generation import Generation
from strongroom.model.identifiers import MAXIMUM_BYTES
from strongroom.store.records import (
    MAX_TERM,
    NONCE_SIZE,
    Backend,
    ChangeSet,
    ClientExists,
    ClientRow,
    Conflict,
    LocateQuery,
    NameRow,
    NameTaken,
    ObjectRemoval,
    ObjectRow,
    StoreKeyRewrap,
    StoreKeyRow,
)
from tests.unit.store.contract.conftest import Store
from tests.unit.store.samples import client, creation, entry, generation_of, row, update


def removal(old: ObjectRow) -> ObjectRemoval:
    return ObjectRemoval(old.sequence, old.unique_identifier, old.written, old.tenant, [], [])


async def names_taken(backend: Backend, tenant: int, *names: str, owner: int = 1) -> list[str]:
    """Return the names that a new object of the owner cannot get."""
    taken = []
    for name in names:
        try:
            await backend.commit(creation(row(tenant, owner=owner), names=[name]))
        except NameTaken:
            taken.append(name)
    return taken


async def test_a_row_comes_back_as_it_was_committed(backend: Backend, tenant: int) -> None:
    new = row(
        tenant,
        owner=2**63 - 1,
        object_type=8,
        state=None,
        storage=2,
        usage_mask=2**31,
        activation_date=-1,
        deactivation_date=2**40,
        store_key=2**63 - 1,
        attributes=bytes(range(256)) * 16,
        sealed=b"",
        unique_identifier="Schlüssel ☃ " + str(tenant),
    )
    await backend.commit(creation(new))
    assert await backend.fetch(new.tenant, new.unique_identifier) == new
    assert await generation_of(backend, new.tenant, new.unique_identifier) == 1


async def test_the_longest_identifier_that_a_client_may_choose_fits_every_index(
    backend: Backend, tenant: int
) -> None:
    # At random: PostgreSQL makes others shorter before it looks at their length.
    chosen = "".join(random.choices([chr(one) for one in range(0x4E00, 0x9FA0)], k=MAXIMUM_BYTES // 3))
    new = row(tenant, unique_identifier=chosen)
    changes = creation(new)
    changes.entries.append(entry(tenant, chosen, due=5))
    await backend.commit(changes)
    assert await backend.fetch(tenant, chosen) == new


@pytest.mark.parametrize("identifier", ["no such object", "", "a\0b"])
async def test_what_is_not_there_is_none(backend: Backend, identifier: str) -> None:
    assert await backend.fetch(1, identifier) is None
    assert await generation_of(backend, 1, identifier) is None


async def test_a_change_replaces_every_column_that_may_change(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old))
    change = update(
        old,
        owner=7,
        state=3,
        storage=4,
        usage_mask=0,
        activation_date=5,
        deactivation_date=6,
        store_key=8,
        attributes=b"other",
    )
    await backend.commit(ChangeSet(objects=[change]))
    assert await backend.fetch(old.tenant, old.unique_identifier) == change.row


async def test_another_connection_sees_what_was_acknowledged(
    store: Store, backend: Backend, tenant: int
) -> None:
    other = store.open()
    await other.start()
    try:
        old = row(tenant)
        await backend.commit(creation(old))
        assert await generation_of(other, old.tenant, old.unique_identifier) == 1
        await backend.commit(ChangeSet(objects=[update(old)]))
        assert await generation_of(other, old.tenant, old.unique_identifier) == 2
    finally:
        await other.close()


async def test_a_change_of_an_older_generation_is_a_conflict(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old))
    first, second = update(old, state=3), update(old, state=4)
    await backend.commit(ChangeSet(objects=[first]))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(objects=[second]))
    assert await backend.fetch(old.tenant, old.unique_identifier) == first.row


async def test_changing_what_is_not_there_is_a_conflict(backend: Backend, tenant: int) -> None:
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(objects=[update(row(tenant))]))


async def test_creating_an_identifier_twice_is_a_conflict(backend: Backend, tenant: int) -> None:
    first = row(tenant)
    await backend.commit(creation(first))
    with pytest.raises(Conflict):
        await backend.commit(creation(row(tenant, unique_identifier=first.unique_identifier)))
    assert await backend.fetch(first.tenant, first.unique_identifier) == first


async def test_creating_a_sequence_twice_is_a_conflict(backend: Backend, tenant: int) -> None:
    first = row(tenant)
    await backend.commit(creation(first))
    with pytest.raises(Conflict):
        await backend.commit(creation(row(tenant, sequence=first.sequence)))


async def test_of_changes_at_the_same_time_one_wins(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old))
    changes = [update(old, usage_mask=mask) for mask in range(20)]
    results = await asyncio.gather(
        *(backend.commit(ChangeSet(objects=[change])) for change in changes), return_exceptions=True
    )
    assert Counter(map(type, results)) == {type(None): 1, Conflict: 19}
    winner = changes[results.index(None)]
    assert await backend.fetch(old.tenant, old.unique_identifier) == winner.row


async def test_a_counter_of_many_writers_loses_no_step(backend: Backend, tenant: int) -> None:
    new = row(tenant, usage_mask=0)
    await backend.commit(creation(new))

    async def count_up() -> None:
        while True:
            current = await backend.fetch(new.tenant, new.unique_identifier)
            assert current is not None
            try:
                await backend.commit(ChangeSet(objects=[update(current, usage_mask=current.usage_mask + 1)]))
                return
            except Conflict:
                continue

    await asyncio.gather(*(count_up() for _ in range(12)))
    final = await backend.fetch(new.tenant, new.unique_identifier)
    assert final is not None
    assert (final.usage_mask, final.generation) == (12, 13)


async def test_a_removed_object_is_gone_with_its_terms_and_names(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old, terms=[b"t"], names=["n"]))
    removal = ObjectRemoval(
        old.sequence, old.unique_identifier, old.written, tenant, [b"t"], [NameRow(tenant, old.owner, "n")]
    )
    await backend.commit(ChangeSet(removals=[removal]))
    assert await backend.fetch(old.tenant, old.unique_identifier) is None
    assert not await names_taken(backend, tenant, "n")
    found = await backend.locate(LocateQuery(tenant=tenant, owner=None, terms=[b"t"]))
    assert found.unique_identifiers == []


async def test_removing_an_older_generation_is_a_conflict(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old))
    await backend.commit(ChangeSet(objects=[update(old)]))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(removals=[removal(old)]))
    assert await generation_of(backend, old.tenant, old.unique_identifier) == 2


async def test_the_same_number_of_another_write_is_another_generation(backend: Backend, tenant: int) -> None:
    """What was removed and made again begins at 1 again."""
    old = row(tenant)
    await backend.commit(creation(old))
    await backend.commit(ChangeSet(removals=[removal(old)]))
    new = row(tenant, unique_identifier=old.unique_identifier)
    await backend.commit(creation(new))
    stored = await backend.written(tenant, old.unique_identifier)
    assert stored == (1, new.written.nonce)
    assert stored != (1, old.written.nonce)
    for stale in (ChangeSet(objects=[update(old, state=4)]), ChangeSet(removals=[removal(old)])):
        with pytest.raises(Conflict):
            await backend.commit(stale)
    assert await backend.fetch(tenant, old.unique_identifier) == new


async def test_a_name_belongs_to_one_object_of_an_owner(backend: Backend, tenant: int) -> None:
    await backend.commit(creation(row(tenant), names=["a", "b"]))
    with pytest.raises(NameTaken) as caught:
        await backend.commit(creation(row(tenant), names=["free", "b"]))
    assert caught.value.name == "b"


async def test_a_name_of_another_owner_or_tenant_does_not_count(backend: Backend, tenant: int) -> None:
    await backend.commit(creation(row(tenant), names=["n"]))
    assert not await names_taken(backend, tenant, "n", owner=2)
    assert not await names_taken(backend, tenant + 1_000_000, "n")


async def test_a_name_is_free_again_when_it_was_given_up(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old, names=["n"]))
    await backend.commit(ChangeSet(objects=[update(old, names_removed=[NameRow(tenant, 1, "n")])]))
    assert not await names_taken(backend, tenant, "n")


async def test_a_name_that_moves_to_another_object_stays_taken(backend: Backend, tenant: int) -> None:
    old, new = row(tenant), row(tenant)
    name = NameRow(tenant, 1, "n")
    await backend.commit(creation(old, names=["n"]))
    move = creation(new, names=["n"])
    move.objects.append(update(old, names_removed=[name]))
    await backend.commit(move)
    assert await names_taken(backend, tenant, "n") == ["n"]


async def test_names_of_any_length_and_content_are_told_apart(backend: Backend, tenant: int) -> None:
    names = ["", "a\0b", "a", "ä", "A", "x" * 300, "x" * 299 + "y", "☃" * 3000]
    assert not await names_taken(backend, tenant, *names)
    assert await names_taken(backend, tenant, *names) == names


async def test_a_change_set_with_one_bad_change_does_nothing(
    store: Store, backend: Backend, tenant: int
) -> None:
    stale = row(tenant)
    await backend.commit(creation(stale))
    await backend.commit(ChangeSet(objects=[update(stale)]))
    other = row(tenant)
    await backend.commit(creation(other))
    new = row(tenant)
    marker = f"half {tenant}".encode()
    changes = creation(new, terms=[b"half"], names=["half"], events=[marker])
    changes.objects += [update(other, state=3), update(stale)]
    changes.clients.append(client(tenant, name="half"))
    with pytest.raises(Conflict):
        await backend.commit(changes)
    assert await backend.fetch(new.tenant, new.unique_identifier) is None
    assert await backend.fetch(other.tenant, other.unique_identifier) == other
    assert not await names_taken(backend, tenant, "half")
    assert marker not in store.events()
    assert not [row for row in await backend.clients() if row.tenant == tenant]


async def test_a_bad_change_set_does_not_harm_those_beside_it(backend: Backend, tenant: int) -> None:
    stale = row(tenant)
    await backend.commit(creation(stale))
    good = [row(tenant) for _ in range(20)]
    bad = creation(row(tenant), names=["n"])
    bad.objects.append(update(stale._replace(generation=5)))
    commits = [backend.commit(creation(new)) for new in good]
    commits.insert(10, backend.commit(bad))
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Conflict]
    assert all([await generation_of(backend, new.tenant, new.unique_identifier) for new in good])


async def test_a_value_that_no_column_takes_is_refused_alone(backend: Backend, tenant: int) -> None:
    good = row(tenant)
    results = await asyncio.gather(
        backend.commit(creation(row(tenant, usage_mask=2**64))),
        backend.commit(creation(good)),
        return_exceptions=True,
    )
    assert isinstance(results[0], ValueError)
    assert await backend.fetch(good.tenant, good.unique_identifier) == good


async def test_a_term_that_is_too_long_for_an_index_is_refused(backend: Backend, tenant: int) -> None:
    await backend.commit(creation(row(tenant), terms=[b"x" * MAX_TERM]))
    with pytest.raises(ValueError, match="index term"):
        await backend.commit(creation(row(tenant), terms=[b"x" * (MAX_TERM + 1)]))


async def test_adding_a_term_again_does_nothing(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old, terms=[b"t", b"t"]))
    await backend.commit(ChangeSet(objects=[update(old, terms_added=[b"t"])]))
    found = await backend.locate(LocateQuery(tenant=tenant, owner=None, terms=[b"t"]))
    assert found.unique_identifiers == [old.unique_identifier]


async def test_events_ride_along_in_their_order(store: Store, backend: Backend, tenant: int) -> None:
    events = [f"{tenant} event {number}".encode() for number in range(5)]
    await backend.commit(creation(row(tenant), events=events[:3]))
    await backend.commit(ChangeSet(events=events[3:]))
    prefix = f"{tenant} event".encode()
    assert [event for event in store.events() if event.startswith(prefix)] == events


async def test_an_empty_change_set_does_nothing(backend: Backend) -> None:
    await backend.commit(ChangeSet())


async def test_clients_come_back_as_they_were_enrolled(backend: Backend, tenant: int) -> None:
    new = client(tenant, username="user", password_hash="$argon2id$", revoked_at=5, groups=())
    await backend.commit(ChangeSet(clients=[new]))
    assert [row for row in await backend.clients() if row.tenant == tenant] == [new._replace(revision=1)]


async def clients_of(backend: Backend, tenant: int) -> list[ClientRow]:
    return [row for row in await backend.clients() if row.tenant == tenant]


async def test_a_client_changes_from_the_revision_that_was_read(backend: Backend, tenant: int) -> None:
    new = client(tenant)
    await backend.commit(ChangeSet(clients=[new]))
    (read,) = await clients_of(backend, tenant)
    revoked = read._replace(revoked_at=9, revision=read.written)
    await backend.commit(ChangeSet(clients=[revoked]))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(clients=[revoked._replace(revoked_at=None)]))
    assert await clients_of(backend, tenant) == [revoked._replace(revision=2)]


async def test_a_client_that_a_failover_has_made_another_one_is_not_written_over(
    backend: Backend, tenant: int
) -> None:
    """The commits that were lost had the same revision as the one that came instead of them."""
    new = client(tenant, store_key=1, sealed=os.urandom(48))
    await backend.commit(ChangeSet(clients=[new]))
    (read,) = await clients_of(backend, tenant)
    lost = Generation(1, os.urandom(NONCE_SIZE))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(clients=[read._replace(groups=("more",), revision=lost)]))
    with pytest.raises(ValueError, match="counted, not read"):
        await backend.commit(ChangeSet(clients=[read._replace(groups=("more",), revision=1)]))
    assert await clients_of(backend, tenant) == [read]
    revoked = read._replace(revoked_at=9, revision=read.written, sealed=os.urandom(48))
    await backend.commit(ChangeSet(clients=[revoked]))
    assert await clients_of(backend, tenant) == [revoked._replace(revision=2)]


async def test_a_public_key_is_enrolled_once(backend: Backend, tenant: int) -> None:
    first = client(tenant, revoked_at=1)
    await backend.commit(ChangeSet(clients=[first]))
    with pytest.raises(ClientExists, match="second"):
        await backend.commit(
            ChangeSet(clients=[client(tenant, name="second", fingerprint=first.fingerprint)])
        )


async def test_a_client_name_is_unique_among_those_in_force(backend: Backend, tenant: int) -> None:
    await backend.commit(ChangeSet(clients=[client(tenant, name="n", revoked_at=1)]))
    await backend.commit(ChangeSet(clients=[client(tenant, name="n")]))
    with pytest.raises(ClientExists, match="n is enrolled"):
        await backend.commit(ChangeSet(clients=[client(tenant, name="n")]))
    other = client(tenant, name="other")
    await backend.commit(ChangeSet(clients=[other]))
    (read,) = [row for row in await clients_of(backend, tenant) if row.client == other.client]
    with pytest.raises(ClientExists):
        await backend.commit(ChangeSet(clients=[read._replace(name="n", revision=read.written)]))


async def test_store_keys_come_back_oldest_first(backend: Backend, tenant: int) -> None:
    keys = [StoreKeyRow(tenant * 10 + 5 - age, b"wrapped", 1_000 * tenant + age) for age in (3, 1, 2)]
    for key in keys:
        await backend.commit(ChangeSet(store_keys=[key]))
    mine = [key for key in await backend.store_keys() if key.store_key // 10 == tenant]
    assert [key.created_at % 1_000 for key in mine] == [1, 2, 3]


async def test_a_store_key_is_never_overwritten(backend: Backend, tenant: int) -> None:
    key = StoreKeyRow(10_000_000 + tenant, b"first", 1)
    await backend.commit(ChangeSet(store_keys=[key]))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(store_keys=[key._replace(wrapped=b"second")]))
    assert key in await backend.store_keys()


async def test_a_store_key_is_wrapped_again_only_as_it_was_found(backend: Backend, tenant: int) -> None:
    key = StoreKeyRow(20_000_000 + tenant, b"first", 1)
    await backend.commit(ChangeSet(store_keys=[key]))
    again = StoreKeyRewrap(key.store_key, b"second", b"first")
    await backend.commit(ChangeSet(store_keys_rewrapped=[again]))
    assert key._replace(wrapped=b"second") in await backend.store_keys()
    for late in (again, StoreKeyRewrap(key.store_key + 1, b"second", b"first")):
        with pytest.raises(Conflict):
            await backend.commit(ChangeSet(store_keys_rewrapped=[late]))
    assert key._replace(wrapped=b"second") in await backend.store_keys()


async def test_store_keys_are_wrapped_again_all_or_none(backend: Backend, tenant: int) -> None:
    keys = [StoreKeyRow(30_000_000 + tenant * 10 + number, b"first", 1) for number in range(3)]
    await backend.commit(ChangeSet(store_keys=keys))
    changes = [StoreKeyRewrap(key.store_key, b"second", b"first") for key in keys]
    changes[2] = changes[2]._replace(before=b"another")
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(store_keys_rewrapped=changes))
    assert set(keys) <= set(await backend.store_keys())


async def test_usage_counts_what_is_not_destroyed_and_the_bytes_of_all(backend: Backend, tenant: int) -> None:
    assert await backend.usage(tenant, None) == (0, 0)
    for owner, storage, size in ((1, 1, 10), (1, 2, 100), (1, 4, 1000), (2, 1, 10_000)):
        new = row(tenant, owner=owner, storage=storage, sealed=bytes(size), attributes=b"12345")
        await backend.commit(creation(new))
    assert await backend.usage(tenant, 1) == (2, 1125)
    assert await backend.usage(tenant, 2) == (1, 10_005)
    assert await backend.usage(tenant, 3) == (0, 0)
    assert await backend.usage(tenant, None) == (3, 11_130)
