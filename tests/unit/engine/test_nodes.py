"""What two nodes are asked at the same moment; on PostgreSQL, where both read before either writes."""

from typing import Any

import pytest

from strongroom.domain.identity import Connection
from strongroom.domain.operation import Request
from strongroom.engine import backlog
from strongroom.engine.answers import joined
from strongroom.model.convert import decoder
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.structures import UsageLimits
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.poll import PollRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    CredentialType,
    Operation,
    ResultReason,
    ResultStatus,
    Tag,
    UsageLimitsUnit,
    Version,
)
from strongroom.wire import binary
from tests.expect import refusal, values
from tests.kms import ALICE, TestKms, request_message
from tests.nodes import Nodes, nodes, postgres_server
from tests.unit.engine import test_tickets, test_users
from tests.unit.engine.test_later import create, do_all, names_found, poll, send
from tests.unit.engine.test_tickets import QUERY
from tests.unit.engine.test_users import code, credential, hotp, user

__all__ = ["nodes", "postgres_server"]

pytestmark = pytest.mark.postgres

SUCCESS = ResultStatus.SUCCESS


async def asked(kms: TestKms, request: Request[Any], version: Version, **header: Any) -> ResponseBatchItem:
    """Return the only batch item of the answer."""
    message = binary.encode(request_message(request, version=version, **header))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    answer = binary.decode(joined(await kms.dispatcher.handle(message, connection)))
    item: ResponseBatchItem = decoder(ResponseBatchItem, version)(answer[2][1][2])
    return item


def test_two_nodes_begin_on_an_empty_store_at_once_and_read_what_the_other_wrote(nodes: Nodes) -> None:
    """The first commit of all makes the store key."""
    answers = nodes.at_once(*(asked(node, create(), V2_1) for node in nodes))
    assert [answer.result_status for answer in answers] == [SUCCESS] * 2
    for node in nodes:
        for made in nodes.one.call(LocateRequest(), version=V2_1).unique_identifier:
            assert node.call(GetRequest(unique_identifier=made), version=V2_1).managed_object is not None
    assert count(nodes) == 2


# Requests that wait


@pytest.mark.parametrize("polled", [0, 1])
def test_what_a_node_left_behind_is_done_by_the_other_and_either_answers_once(
    nodes: Nodes, polled: int
) -> None:
    (value,) = send(nodes.one, create("k"))
    nodes.one.dispatcher.transactions.backlog.close()
    assert poll(nodes.two, value).result_status is ResultStatus.OPERATION_PENDING
    do_all(nodes.two)
    done = poll(nodes[polled], value)
    assert (done.operation, done.result_status) == (Operation.CREATE, SUCCESS)
    assert names_found(nodes.one, "k") == 1
    do_all(nodes.one)
    assert count(nodes) == 1
    for node in nodes:
        refused = refusal(node, PollRequest(asynchronous_correlation_value=value), version=V2_1)
        assert refused.reason is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE


def test_what_both_nodes_take_up_at_once_is_done_once(nodes: Nodes) -> None:
    first, second = send(nodes.one, create(), create()), send(nodes.two, create())
    nodes.one.clock.pass_time(seconds=backlog.TAKE_UP.total_seconds() + 1)
    now = nodes.one.clock.now()
    nodes.at_once(*(node.dispatcher.transactions.backlog.tidy(now) for node in nodes))
    assert count(nodes) == 3
    for node, value in zip((nodes.two, nodes.one, nodes.two), [*first, *second], strict=True):
        assert poll(node, value).result_status is SUCCESS


def test_a_request_that_both_nodes_are_at_is_done_once(nodes: Nodes) -> None:
    """As when the worker that took it in begins while another node is told to hurry (Process)."""
    (value,) = send(nodes.one, create())
    key = value[:16].hex()
    nodes.at_once(*(node.dispatcher.transactions.backlog.finish(ALICE.tenant, key, 0) for node in nodes))
    assert count(nodes) == 1
    assert poll(nodes.two, value).result_status is SUCCESS


def count(nodes: Nodes) -> int:
    found = [len(node.call(LocateRequest(), version=V2_1).unique_identifier) for node in nodes]
    assert found[0] == found[1]
    return found[0]


# Tickets


def test_the_last_request_of_a_ticket_is_spent_on_one_node(nodes: Nodes) -> None:
    ticket = test_tickets.login(nodes.one, request_count=1)
    header = test_tickets.header(ticket)
    answers = nodes.at_once(*(asked(node, QUERY, V2_1, authentication=header) for node in nodes))
    assert sorted(answer.result_status for answer in answers) == [SUCCESS, ResultStatus.OPERATION_FAILED]
    assert {answer.result_reason for answer in answers} == {None, ResultReason.USAGE_LIMIT_EXCEEDED}


def test_a_ticket_used_on_two_nodes_at_once_lasts_as_long_as_it_says(nodes: Nodes) -> None:
    """Nothing is lost either: whoever comes second tries again."""
    ticket = test_tickets.login(nodes.one, request_count=5)
    header = test_tickets.header(ticket)
    statuses = []
    for _ in range(2):
        answers = nodes.at_once(*(asked(node, QUERY, V2_1, authentication=header) for node in nodes))
        statuses += [answer.result_status for answer in answers]
    assert statuses == [SUCCESS] * 4
    last = [nodes.one.run(asked(node, QUERY, V2_1, authentication=header)) for node in nodes]
    assert [answer.result_reason for answer in last] == [None, ResultReason.USAGE_LIMIT_EXCEEDED]


def test_the_usage_limits_of_a_ticket_are_counted_over_both_nodes(nodes: Nodes) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    header = test_tickets.header(test_tickets.login(nodes.one, usage_limits=limits))
    answers = nodes.at_once(*(asked(node, QUERY, V2_1, authentication=header) for node in nodes))
    assert {answer.result_reason for answer in answers} == {None, ResultReason.USAGE_LIMIT_EXCEEDED}


# One time passwords


def test_a_code_that_is_used_on_two_nodes_at_once_logs_in_once(nodes: Nodes) -> None:
    made = credential(nodes.one, CredentialType.ONE_TIME_PASSWORD, hotp())
    user(nodes.one, made)
    for number, text in enumerate((b"755224", b"287082")):
        header = test_users.header(code(text))
        answers = nodes.at_once(
            *(asked(node, DiscoverVersionsRequest(), V3_0, authentication=header) for node in nodes)
        )
        assert {answer.result_reason for answer in answers} == {
            None,
            ResultReason.AUTHENTICATION_NOT_SUCCESSFUL,
        }
        assert values(nodes.two, made, Tag.OTP_COUNTER, version=V3_0) == [number.to_bytes(8)]
    for node in nodes:
        assert not test_users.log_in(node, code(b"287082"))
