"""Audit events are chained: each has one place, and nothing is between two of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from strongroom.domain.chain import link
from strongroom.store.records import AuditRow, Backend, ChangeSet, Conflict
from tests.unit.store.contract.conftest import Store
from tests.unit.store.samples import creation, row, update


@pytest.fixture
async def other(store: Store) -> AsyncIterator[Backend]:
    """Another worker or node on the same store."""
    opened = store.open()
    await opened.start()
    yield opened
    await opened.close()


async def chain(backend: Backend, after: int) -> list[AuditRow]:
    await backend.chain_events()
    return await backend.audit_rows(after, 10_000)


async def end(backend: Backend) -> tuple[int, bytes]:
    await backend.chain_events()
    return await backend.audit_head()


async def test_each_event_follows_the_one_before_it(backend: Backend, tenant: int) -> None:
    position, before = await end(backend)
    events = [f"{tenant} {number}".encode() for number in range(7)]
    await backend.commit(creation(row(tenant), events=events[:3]))
    await backend.commit(ChangeSet(events=events[3:]))
    rows = await chain(backend, position)
    assert [chained.event for chained in rows] == events
    for chained in rows:
        position += 1
        before = link(before, chained.event)
        assert chained == (position, before, chained.event)
    assert await backend.audit_head() == (position, before)


async def test_commits_at_once_on_two_nodes_make_one_chain(
    backend: Backend, other: Backend, tenant: int
) -> None:
    position, before = await end(backend)
    commits = [
        (backend, other)[number % 2].commit(ChangeSet(events=[f"{tenant} {number}".encode()]))
        for number in range(100)
    ]
    chaining = [node.chain_events() for node in (backend, other) * 5]
    await asyncio.gather(*commits[:50], *chaining, *commits[50:])
    rows = await chain(backend, position)
    assert {chained.event for chained in rows} == {f"{tenant} {number}".encode() for number in range(100)}
    assert [chained.position for chained in rows] == list(range(position + 1, position + 101))
    for chained in rows:
        before = link(before, chained.event)
        assert chained.hash == before
    assert await other.audit_head() == rows[-1][:2]


async def test_what_is_not_committed_has_no_place_in_the_chain(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old))
    position, _ = await end(backend)
    stale = ChangeSet(objects=[update(old._replace(generation=9))], events=[b"never"])
    stale.objects.insert(0, creation(row(tenant)).objects[0])
    results = await asyncio.gather(
        backend.commit(ChangeSet(events=[b"one"])),
        backend.commit(stale),
        backend.commit(ChangeSet(events=[b"two"])),
        return_exceptions=True,
    )
    assert isinstance(results[1], Conflict)
    rows = await chain(backend, position)
    assert sorted(chained.event for chained in rows) == [b"one", b"two"]
    assert [chained.position for chained in rows] == [position + 1, position + 2]


async def test_a_page_of_the_chain_begins_behind_a_position(backend: Backend, tenant: int) -> None:
    position, _ = await end(backend)
    await backend.commit(ChangeSet(events=[b"a", b"b", b"c", b"d"]))
    await backend.chain_events()
    page = await backend.audit_rows(position + 1, 2)
    assert [chained.event for chained in page] == [b"b", b"c"]


async def test_events_of_an_older_release_come_first(store: Store, backend: Backend, tenant: int) -> None:
    position, _ = await end(backend)
    older = [f"{tenant} old {number}".encode() for number in range(3)]
    store.leave_unchained(older)
    await backend.commit(ChangeSet(events=[b"new"]))
    assert [chained.event for chained in await chain(backend, position)] == [*older, b"new"]
