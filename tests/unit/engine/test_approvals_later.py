"""Requests that need approval and whose clients accept to wait: pending until enough people have said yes."""

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.approvals import LIFETIME, name_of
from strongroom.domain.asynchronous import WaitingBatch
from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.operation import Request
from strongroom.engine import backlog
from strongroom.model.messages import UsernameAndPassword
from strongroom.model.rights import Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.operations.cancel import CancelRequest
from strongroom.operations.delegated_login import DelegatedLoginRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.poll import PollRequest
from strongroom.operations.process import ProcessRequest
from strongroom.operations.query_asynchronous_requests import QueryAsynchronousRequestsRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    CancellationResult,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
)
from strongroom.server.administration.command import perform
from strongroom.server.errors import Denied
from strongroom.server.voting import cast
from tests.expect import named, revoke, stored
from tests.kms import ALICE, BOB, Refused, TestKms, template
from tests.safeguards import ALICE_LAPTOP, CAROL, DAN, lay_down, only_name, people, waiting
from tests.unit.engine import test_users as users
from tests.unit.engine.test_later import create, poll, send
from tests.unit.engine.test_tickets import header
from tests.unit.server.test_administration import administrator, recorded

PENDING, SUCCESS, FAILED = (
    ResultStatus.OPERATION_PENDING,
    ResultStatus.SUCCESS,
    ResultStatus.OPERATION_FAILED,
)


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    people(kms)
    lay_down(kms, destroy=2, export=2)
    yield kms
    kms.close()


def tick(kms: TestKms) -> None:
    """Do what any worker does each second."""
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))


def begin(kms: TestKms) -> None:
    """Let the worker that took the request in begin with it, and do what it can."""

    async def begun() -> None:
        await asyncio.gather(*kms.dispatcher.transactions.backlog._running)

    kms.run(begun())
    kms.clock.pass_time(seconds=1)


def say(kms: TestKms, person: str, client: int, *, approves: bool = True) -> None:
    """Vote as the command does."""
    kms.run(
        cast(
            kms.repository,
            only_name(kms),
            person=person,
            client=client,
            approves=approves,
            now=kms.clock.now(),
        )
    )
    kms.clock.pass_time(seconds=1)


def test_it_is_pending_until_enough_people_have_approved_and_then_done(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    for person, client in (("carol", CAROL), ("dan", DAN)):
        assert poll(kms, value).result_status is PENDING
        tick(kms)
        assert not stored(kms, key).destroyed
        say(kms, person, client)
    tick(kms)
    assert poll(kms, value).result_status is SUCCESS
    assert stored(kms, key).destroyed
    assert waiting(kms) == []


def test_the_material_is_fetched_with_poll_once(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, GetRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    say(kms, "dan", DAN)
    tick(kms)
    answer = poll(kms, value)
    assert answer.result_status is SUCCESS
    assert answer.response_payload
    assert poll(kms, value).result_status is FAILED
    with pytest.raises(Refused):
        kms.call(GetRequest(unique_identifier=key))


def test_a_worker_that_looks_again_and_again_asks_nobody_twice(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    name = only_name(kms)
    for _ in range(2 * backlog.MOST_TRIES):
        kms.clock.time += backlog.TAKE_UP + backlog.CLAIM
        tick(kms)
        kms.call(ProcessRequest(asynchronous_correlation_value=value), version=V2_1)
    assert only_name(kms) == name
    assert poll(kms, value).result_status is PENDING


def test_process_does_it_at_once_when_it_is_approved(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    say(kms, "dan", DAN)
    kms.call(ProcessRequest(asynchronous_correlation_value=value), version=V2_1)
    assert poll(kms, value).result_status is SUCCESS


def test_the_requester_does_not_approve(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    with pytest.raises(Denied):
        say(kms, "alice", ALICE_LAPTOP)
    tick(kms)
    assert poll(kms, value).result_status is PENDING


def test_what_was_rejected_fails(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL, approves=False)
    tick(kms)
    answer = poll(kms, value)
    assert (answer.result_status, answer.result_reason) == (FAILED, ResultReason.PERMISSION_DENIED)
    assert "carol" in (answer.result_message or "")
    assert not stored(kms, key).destroyed


@pytest.mark.parametrize("tidied", [False, True])
def test_what_nobody_approved_in_time_fails(kms: TestKms, tidied: bool) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    kms.clock.time += LIFETIME
    assert poll(kms, value).result_status is PENDING
    if tidied:
        kms.clock.pass_time(seconds=5)
        kms.run(kms.dispatcher.transactions.guard.approvals.tidy(kms.clock.now()))
    kms.clock.pass_time(seconds=5)
    tick(kms)
    answer = poll(kms, value)
    assert (answer.result_status, answer.result_reason) == (FAILED, ResultReason.PERMISSION_DENIED)
    assert not stored(kms, key).destroyed


def test_cancel_ends_it_and_a_later_vote_does_nothing(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    cancelled = kms.call(CancelRequest(asynchronous_correlation_value=value), version=V2_1)
    assert cancelled.cancellation_result is CancellationResult.CANCELED
    say(kms, "dan", DAN)
    tick(kms)
    assert not stored(kms, key).destroyed
    # The approval is still there, for the same request, once.
    kms.call(DestroyRequest(unique_identifier=key), version=V2_1)
    assert waiting(kms) == []


def test_the_items_before_are_done_and_those_behind_wait_with_it(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    first, second, third = send(
        kms, create("before"), DestroyRequest(unique_identifier=key), create("behind")
    )
    begin(kms)
    assert poll(kms, first).result_status is SUCCESS
    assert poll(kms, second).result_status is PENDING
    assert poll(kms, third).result_status is PENDING
    say(kms, "carol", CAROL)
    say(kms, "dan", DAN)
    tick(kms)
    assert [poll(kms, value).result_status for value in (second, third)] == [SUCCESS, SUCCESS]


def test_it_goes_on_after_a_restart(kms: TestKms, tmp_path: Path) -> None:
    key = kms.create_symmetric_key()
    (value,) = send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    say(kms, "carol", CAROL)
    kms.dispatcher.transactions.backlog.close()
    other = TestKms(tmp_path, beside=kms)
    other.clients = kms.clients
    other.dispatcher = other._dispatcher()
    other.run(other.dispatcher.refresh())
    say(other, "dan", DAN)
    tick(other)
    assert poll(other, value).result_status is SUCCESS
    other.close()


def test_two_requests_for_the_same_share_one_approval_which_does_one_of_them(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    values = [send(kms, GetRequest(unique_identifier=key))[0] for _ in range(2)]
    begin(kms)
    assert len(waiting(kms)) == 1
    before = name_of(waiting(kms)[0])
    say(kms, "carol", CAROL)
    say(kms, "dan", DAN)
    tick(kms)
    assert sorted(str(poll(kms, value).result_status) for value in values) == sorted(
        [str(SUCCESS), str(PENDING)]
    )
    assert only_name(kms) != before


def test_a_request_that_is_damaged_keeps_nobody_from_voting_for_the_others(kms: TestKms) -> None:
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    (damaged,) = send(kms, get)
    begin(kms)
    (value,) = send(kms, get)
    begin(kms)
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        key = damaged[:16].hex()
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 1 AND key = ?", (key,))
    editor.close()
    approve(kms)
    tick(kms)
    assert poll(kms, value).result_status is SUCCESS


def test_the_entry_of_what_waits_is_due_when_the_approval_ends(kms: TestKms) -> None:
    """No worker looks at it each second for a day."""
    key = kms.create_symmetric_key()
    send(kms, DestroyRequest(unique_identifier=key))
    begin(kms)
    (kept,) = kms.run(kms.repository.due_entries(WaitingBatch, kms.clock.now() + timedelta(days=2), 10))
    assert kept.due is not None
    assert kept.due - kms.clock.now() > LIFETIME - timedelta(minutes=1)


# Users of the client


def as_user(kms: TestKms, name: str) -> dict[str, Any]:
    """Return what a request of a user has in its header; the user is made if there is none."""
    proof = users.header(UsernameAndPassword(username=name, password=SecretBytes(name.encode())))
    if not kms.call(LocateRequest(attributes=template(named(name))), version=V3_0).unique_identifier:
        users.user(kms, users.password(kms, name.encode()), name=name)
    return {"authentication": proof, "version": V3_0}


def approve(kms: TestKms) -> None:
    for person, client in (("carol", CAROL), ("dan", DAN)):
        say(kms, person, client)


def test_what_was_approved_for_one_user_is_not_done_for_another(kms: TestKms) -> None:
    """Nor for the client itself; and the audit log names the user whose request was done."""
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    ann, carl = as_user(kms, "ann"), as_user(kms, "carl")
    (value,) = send(kms, get, **ann)
    begin(kms)
    kms.call(CancelRequest(asynchronous_correlation_value=value), **ann)
    approve(kms)
    for other in (carl, {}):
        (another,) = send(kms, get, **other)
        begin(kms)
        tick(kms)
        assert poll(kms, another, **other).result_status is PENDING
    (value,) = send(kms, get, **ann)
    begin(kms)
    assert poll(kms, value, **ann).result_status is SUCCESS
    (found,) = kms.call(LocateRequest(attributes=template(named("ann"))), version=V3_0).unique_identifier
    assert [one.get("user") for one in recorded(kms) if one["operation"] == "Get"] == [found]


def test_people_see_which_user_asks_and_whose_connection_it_came_over(kms: TestKms) -> None:
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    send(kms, get, **as_user(kms, "ann"))
    begin(kms)
    (found,) = kms.call(LocateRequest(attributes=template(named("ann"))), version=V3_0).unique_identifier
    admin = replace(administrator(kms), now=kms.clock.now())
    listed: Any = kms.run(perform(admin, {"command": "approval.list"}))
    assert [(one["user"], one["acting"]) for one in listed] == [(found, None)]
    ticket = kms.call(DelegatedLoginRequest(rights=Rights(right=(Right(),))), version=V2_1).ticket
    with pytest.raises(Refused):
        kms.call(get, caller=BOB, version=V2_1, authentication=header(ticket))
    listed = kms.run(perform(admin, {"command": "approval.list"}))
    assert {(one["user"], one["acting"]) for one in listed} == {(found, None), (None, str(BOB.client))}


def test_what_waits_is_of_the_user_who_sent_it(kms: TestKms) -> None:
    """Another one sees nothing of it, fetches nothing and ends nothing."""
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    ann, carl = as_user(kms, "ann"), as_user(kms, "carl")
    (value,) = send(kms, get, **ann)
    begin(kms)
    approve(kms)
    tick(kms)
    for other in (carl, {"version": V3_0}):
        listed = kms.call(QueryAsynchronousRequestsRequest(), **other)
        assert listed.asynchronous_request == ()
        for request in (PollRequest, CancelRequest, ProcessRequest):
            attempt: Request[Any] = request(asynchronous_correlation_value=value)
            with pytest.raises(Refused) as refused:
                kms.call(attempt, **other)
            assert refused.value.reason is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    assert len(kms.call(QueryAsynchronousRequestsRequest(), **ann).asynchronous_request) == 1
    assert poll(kms, value, **ann).result_status is SUCCESS


def test_what_a_user_has_sent_is_not_done_once_the_user_is_gone(kms: TestKms) -> None:
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    ann = as_user(kms, "ann")
    send(kms, get, **ann)
    begin(kms)
    (found,) = kms.call(LocateRequest(attributes=template(named("ann"))), version=V3_0).unique_identifier
    kms.call(revoke(found, RevocationReasonCode.KEY_COMPROMISE), version=V3_0)
    approve(kms)
    tick(kms)
    (kept,) = kms.run(kms.repository.entries_of(WaitingBatch, DEFAULT_TENANT, ALICE.client))
    answer = kept.value.items[0].answer
    assert answer is not None
    assert b"may not log in any more" in answer.reveal()
