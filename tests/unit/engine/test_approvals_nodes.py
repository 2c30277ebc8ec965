"""Approvals and deletion windows on two nodes of one PostgreSQL database, at work at the same moment."""

from collections.abc import Awaitable
from typing import Any

import pytest

from strongroom.domain.identity import DEFAULT_TENANT, Connection
from strongroom.domain.operation import Request
from strongroom.domain.parking import Parked
from strongroom.engine.answers import joined
from strongroom.model.convert import decoder
from strongroom.model.messages import ResponseBatchItem
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.registry import V2_1, ResultReason, ResultStatus
from strongroom.server.voting import cast
from strongroom.wire import binary
from tests.kms import ALICE, Refused, TestKms, request_message
from tests.nodes import Nodes, nodes, postgres_server
from tests.safeguards import CAROL, DAN, lay_down, only_name, people, vote, waiting
from tests.unit.engine.test_deletion_window import WINDOW
from tests.unit.engine.test_deletion_window import restore as restored

__all__ = ["nodes", "postgres_server"]

pytestmark = pytest.mark.postgres

SUCCESS, FAILED = ResultStatus.SUCCESS, ResultStatus.OPERATION_FAILED


@pytest.fixture
def pair(nodes: Nodes) -> Nodes:
    for node in nodes:
        people(node)
    return nodes


def agree(nodes: Nodes, **laid_down: Any) -> None:
    lay_down(nodes.one, **laid_down)
    nodes.two.run(nodes.two.dispatcher.refresh())


async def asked(kms: TestKms, request: Request[Any]) -> ResponseBatchItem:
    message = binary.encode(request_message(request, version=V2_1))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    answer = binary.decode(joined(await kms.dispatcher.handle(message, connection)))
    item: ResponseBatchItem = decoder(ResponseBatchItem, V2_1)(answer[2][1][2])
    return item


def approved(nodes: Nodes, request: Request[Any]) -> None:
    """Have a request refused, and approved by one person."""
    with pytest.raises(Refused):
        nodes.one.call(request, version=V2_1)
    vote(nodes.two, only_name(nodes.two), "carol", CAROL)


def test_an_approval_is_used_once_by_two_nodes(pair: Nodes) -> None:
    agree(pair, export=1)
    key = pair.one.create_symmetric_key()
    request = GetRequest(unique_identifier=key)
    for node in pair:  # what a Get notes by the way is noted
        agree(pair)
        node.call(request)
    agree(pair, export=1)
    approved(pair, request)
    before = only_name(pair.one)
    answers = pair.at_once(*(asked(node, request) for node in pair))
    assert sorted(str(answer.result_status) for answer in answers) == sorted([str(SUCCESS), str(FAILED)])
    (refused,) = (answer for answer in answers if answer.result_status is FAILED)
    assert refused.result_reason is ResultReason.PERMISSION_DENIED
    assert refused.response_payload is None
    assert only_name(pair.one) != before


def test_an_object_is_destroyed_once_and_the_other_node_is_told_that_it_is_gone(pair: Nodes) -> None:
    agree(pair, destroy=1)
    request = DestroyRequest(unique_identifier=pair.one.create_symmetric_key())
    approved(pair, request)
    answers = pair.at_once(*(asked(node, request) for node in pair))
    reasons = {answer.result_reason for answer in answers}
    assert reasons == {None, ResultReason.OBJECT_DESTROYED}
    assert waiting(pair.one) == []


def test_the_same_request_to_two_nodes_waits_once(pair: Nodes) -> None:
    agree(pair, destroy=1)
    request = DestroyRequest(unique_identifier=pair.one.create_symmetric_key())
    answers = pair.at_once(*(asked(node, request) for node in pair))
    assert {answer.result_reason for answer in answers} == {ResultReason.PERMISSION_DENIED}
    name = only_name(pair.one)
    assert all(name in (answer.result_message or "") for answer in answers)


def test_two_people_who_vote_at_once_on_two_nodes_are_two_votes(pair: Nodes) -> None:
    agree(pair, destroy=2)
    request = DestroyRequest(unique_identifier=pair.one.create_symmetric_key())
    with pytest.raises(Refused):
        pair.one.call(request)
    name = only_name(pair.one)

    def say(kms: TestKms, person: str, client: int) -> Awaitable[Any]:
        return cast(kms.repository, name, person=person, client=client, approves=True, now=kms.clock.now())

    pair.at_once(say(pair.one, "carol", CAROL), say(pair.two, "dan", DAN))  # type: ignore[arg-type]
    pair.two.call(request)


def test_one_person_who_votes_at_once_on_two_nodes_is_one_vote(pair: Nodes) -> None:
    agree(pair, destroy=2)
    request = DestroyRequest(unique_identifier=pair.one.create_symmetric_key())
    with pytest.raises(Refused):
        pair.one.call(request)
    name = only_name(pair.one)
    pair.at_once(
        *(
            cast(
                node.repository,
                name,
                person="carol",
                client=CAROL,
                approves=True,
                now=node.clock.now(),
            )
            for node in pair
        )
    )
    with pytest.raises(Refused):
        pair.two.call(request)
    assert len(waiting(pair.one)[0].value.votes) == 1


def test_the_end_of_a_window_comes_once(pair: Nodes) -> None:
    agree(pair, window=WINDOW)
    key = pair.one.create_symmetric_key()
    pair.two.call(DestroyRequest(unique_identifier=key))
    pair.one.clock.time += WINDOW
    pair.one.clock.pass_time(seconds=1)
    pair.at_once(*(node.dispatcher.transactions.guard.tidy(node.clock.now()) for node in pair))
    for node in pair:
        assert node.run(node.repository.load_entry(Parked, DEFAULT_TENANT, key)) is None


def test_what_was_restored_at_the_last_moment_stays(pair: Nodes) -> None:
    """The job of the other node comes a moment later and finds nothing to remove."""
    agree(pair, window=WINDOW)
    key = pair.one.create_symmetric_key()
    pair.one.call(DestroyRequest(unique_identifier=key))
    due = pair.one.clock.now() + WINDOW
    pair.two.clock.time = due
    pair.two.clock.pass_time(seconds=-1)
    restored(pair.one, key)
    pair.two.clock.pass_time(seconds=5)
    pair.two.run(pair.two.dispatcher.transactions.guard.tidy(pair.two.clock.now()))
    obj = pair.two.run(pair.two.repository.load(DEFAULT_TENANT, key))
    assert obj is not None
    assert obj.material is not None
    assert not obj.destroyed
