"""What becomes of a commit whose answer was lost: it is not taken for what others did meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from strongroom.store.records import (
    Backend,
    ChangeSet,
    Conflict,
    EntryRemoval,
    EntryRow,
    ObjectRemoval,
    OutcomeUnknown,
)
from strongroom.store.sqlite import InlineSqliteBackend
from tests.unit.store.contract.conftest import Store
from tests.unit.store.samples import client, creation, entry, row, update


@pytest.fixture
async def other(store: Store, backend: Backend) -> AsyncIterator[Backend]:
    if isinstance(backend, InlineSqliteBackend):
        pytest.skip("no answer can be lost within a process")
    opened = store.open()
    await opened.start()
    yield opened
    await opened.close()


def lose(backend: Backend, *, done: bool, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    """Let the next commit lose its answer, `done` or before it has begun, and others do something."""
    really: Callable[..., Awaitable[None]] = backend._send  # type: ignore[attr-defined]

    async def send(*arguments: Any) -> None:
        vars(backend)["_send"] = really
        if done:
            await really(*arguments)
        if meanwhile is not None:
            await meanwhile()
        raise OutcomeUnknown("lost")

    vars(backend)["_send"] = send


def removal(old: EntryRow, *events: bytes, **more: Any) -> ChangeSet:
    gone = EntryRemoval(old.tenant, old.kind, old.key, old.written)
    return ChangeSet(entry_removals=[gone], events=list(events), **more)


async def test_a_removal_that_was_done_is_found_by_its_event(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    old, event = entry(tenant, "approval"), f"used {tenant}".encode()
    await backend.commit(ChangeSet(entries=[old]))
    lose(backend, done=True)
    await backend.commit(removal(old, event))
    assert store.events().count(event) == 1


async def test_a_removal_that_was_not_done_is_done(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    old, event = entry(tenant, "approval"), f"used {tenant}".encode()
    await backend.commit(ChangeSet(entries=[old]))
    lose(backend, done=False)
    await backend.commit(removal(old, event))
    assert await other.entry(tenant, 1, "approval") is None
    assert store.events().count(event) == 1


async def test_what_others_removed_is_not_taken_for_ones_own_removal(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    """An approval that one uses up would be honoured for both, and a client would have joined nowhere."""
    old, joining = entry(tenant, "approval"), client(tenant)
    theirs, ours = f"theirs {tenant}".encode(), f"ours {tenant}".encode()
    await backend.commit(ChangeSet(entries=[old]))
    lose(backend, done=False, meanwhile=lambda: other.commit(removal(old, theirs)))
    with pytest.raises(OutcomeUnknown):
        await backend.commit(removal(old, ours, clients=[joining]))
    events = store.events()
    assert (theirs in events, ours in events) == (True, False)
    assert joining.client not in [one.client for one in await other.clients()]


async def test_an_object_that_others_removed_is_not_taken_for_ones_own_removal(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    old, ours = row(tenant), f"removed {tenant}".encode()
    gone = ObjectRemoval(old.sequence, old.unique_identifier, old.written, tenant, [], [])
    await backend.commit(creation(old))
    lose(backend, done=False, meanwhile=lambda: other.commit(ChangeSet(removals=[gone], events=[b"theirs"])))
    with pytest.raises(OutcomeUnknown):
        await backend.commit(ChangeSet(removals=[gone], events=[ours]))
    assert ours not in store.events()


async def test_a_removal_without_an_event_stays_unknown(
    backend: Backend, other: Backend, tenant: int
) -> None:
    old = entry(tenant, "passing")
    await backend.commit(ChangeSet(entries=[old]))
    lose(backend, done=True)
    with pytest.raises(OutcomeUnknown):
        await backend.commit(removal(old))


async def test_a_change_from_which_others_went_on_is_found_by_its_event(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    old, event = row(tenant), f"ours {tenant}".encode()
    await backend.commit(creation(old))
    change = update(old)
    lose(backend, done=True, meanwhile=lambda: other.commit(ChangeSet(objects=[update(change.row)])))
    await backend.commit(ChangeSet(objects=[change], events=[event]))
    assert store.events().count(event) == 1


async def test_a_change_that_others_were_ahead_of_is_a_conflict(
    backend: Backend, other: Backend, store: Store, tenant: int
) -> None:
    old, event = row(tenant), f"ours {tenant}".encode()
    await backend.commit(creation(old))
    lose(backend, done=False, meanwhile=lambda: other.commit(ChangeSet(objects=[update(old)])))
    with pytest.raises(Conflict):
        await backend.commit(ChangeSet(objects=[update(old)], events=[event]))
    assert event not in store.events()
