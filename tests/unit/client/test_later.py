"""Requests that are answered later: what is sent, and what an answer is taken for."""

import pytest

from strongroom.client.compose import RawRequest
from strongroom.client.conversation import Conversation
from strongroom.client.errors import InvalidRequest, ObjectNotFound, OperationPending, ProtocolError
from strongroom.client.methods.later import Later, RequestsForLater
from strongroom.domain.operation import Request
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.cancel import CancelRequest, CancelResponse
from strongroom.registry import (
    V1_4,
    V2_1,
    AsynchronousIndicator,
    CancellationResult,
    Operation,
    ResultReason,
    ResultStatus,
    Tag,
)
from strongroom.wire import binary
from strongroom.wire.item import BYTE_STRING, ENUMERATION, STRUCTURE, Item
from tests.unit.client.messages import activated, identifier, message, refusal, success
from tests.unit.client.no_server import NoServer
from tests.unit.client.talk import result_of, talk

ACTIVATE = ActivateRequest(unique_identifier=UniqueIdentifier("7d0b"))
DONE = ActivateResponse(unique_identifier=UniqueIdentifier("7d0b"))
PENDING = OperationPending(Operation.ACTIVATE, b"value")


def pending(operation: Operation, value: bytes | None = b"value") -> bytes:
    fields: list[Item] = [
        (Tag.OPERATION, ENUMERATION, int(operation)),
        (Tag.RESULT_STATUS, ENUMERATION, int(ResultStatus.OPERATION_PENDING)),
    ]
    if value is not None:
        fields.append((Tag.ASYNCHRONOUS_CORRELATION_VALUE, BYTE_STRING, value))
    return message((Tag.BATCH_ITEM, STRUCTURE, fields))


def sent_indicator(message: bytes) -> tuple[int, object]:
    header = binary.decode(message)[2][0][2]
    ((_, kind, value),) = [item for item in header if item[0] == Tag.ASYNCHRONOUS_INDICATOR]
    return kind, value


def test_the_indicator_is_what_the_version_has_for_it() -> None:
    """KMIP 1.4 §6.7: a Boolean; 2.1 §9.2: an enumeration."""
    outcome, (sent,) = talk(Conversation(version=V1_4).submit(ACTIVATE), [pending(Operation.ACTIVATE)])
    assert isinstance(outcome, OperationPending)
    assert sent_indicator(sent.message) == (6, True)
    (_, (sent,)) = talk(Conversation(version=V2_1).submit(ACTIVATE), [activated()])
    assert sent_indicator(sent.message) == (ENUMERATION, AsynchronousIndicator.OPTIONAL)


def test_a_server_that_does_it_at_once_has_answered() -> None:
    assert result_of(Conversation(version=V1_4).submit(ACTIVATE), activated()) == DONE


def test_a_refusal_at_once_is_raised_at_once() -> None:
    refused = message(refusal(Operation.ACTIVATE, ResultReason.ITEM_NOT_FOUND))
    with pytest.raises(ObjectNotFound):
        result_of(Conversation(version=V1_4).submit(ACTIVATE), refused)


def test_the_answer_to_poll_is_that_of_the_operation() -> None:
    assert result_of(Conversation(version=V1_4).poll(ACTIVATE, PENDING), activated()) == DONE


@pytest.mark.parametrize("value", [b"value", None])
def test_what_is_still_pending_keeps_its_value(value: bytes | None) -> None:
    answer = pending(Operation.POLL, value)
    assert result_of(Conversation(version=V1_4).poll(ACTIVATE, PENDING), answer) is PENDING


def test_the_answer_of_another_operation_is_an_error_of_the_server() -> None:
    answer = message(success(Operation.POLL, identifier()))
    with pytest.raises(ProtocolError, match="no answer to ActivateRequest"):
        result_of(Conversation(version=V1_4).poll(ACTIVATE, PENDING), answer)


def test_a_server_that_names_no_value_cannot_be_polled() -> None:
    unnamed = OperationPending(Operation.ACTIVATE, None)
    with pytest.raises(ProtocolError, match="did not say how"):
        result_of(Conversation(version=V1_4).poll(ACTIVATE, unnamed))


def test_a_raw_request_is_not_sent() -> None:
    raw = RawRequest(operation=Operation.ACTIVATE, request_payload=[])
    with pytest.raises(InvalidRequest):
        result_of(Conversation(version=V1_4).submit(raw))


class Shell(NoServer, RequestsForLater):
    """A shell whose server has these outcomes, and whose time passes at once."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.pauses: list[float] = []

    def submit(self, request: Request[ActivateResponse]) -> object:  # type: ignore[override]
        return self._next()

    def poll(self, request: object, pending: object) -> object:  # type: ignore[override]
        return self._next()

    def call(self, request: Request[CancelResponse]) -> CancelResponse:  # type: ignore[override]
        assert isinstance(request, CancelRequest)
        return CancelResponse(
            asynchronous_correlation_value=request.asynchronous_correlation_value,
            cancellation_result=CancellationResult.CANCELED,
        )

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _next(self) -> object:
        outcome = self.outcomes.pop(0)
        if callable(outcome):
            outcome = outcome()
        if isinstance(outcome, ObjectNotFound):
            raise outcome
        return outcome


def not_found(operation: Operation | None) -> ObjectNotFound:
    return ObjectNotFound(
        "", operation=operation, status=ResultStatus.OPERATION_FAILED, reason=ResultReason.ITEM_NOT_FOUND
    )


def test_waiting_asks_less_and_less_often() -> None:
    shell = Shell(*[PENDING] * 9, DONE)
    assert shell.later(ACTIVATE).wait() == DONE
    assert shell.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_the_answer_is_fetched_once() -> None:
    later = Shell(PENDING, PENDING, DONE).later(ACTIVATE)
    assert later.asynchronous_correlation_value == b"value"
    assert later.poll() is None
    assert [later.poll(), later.poll(), later.wait()] == [DONE] * 3


def test_a_failure_is_fetched_once() -> None:
    later = Shell(PENDING, not_found(Operation.ACTIVATE)).later(ACTIVATE)
    for _ in range(2):
        with pytest.raises(ObjectNotFound):
            later.poll()


@pytest.mark.parametrize("operation", [Operation.POLL, None], ids=["poll", "message"])
def test_a_question_that_was_refused_may_be_asked_again(operation: Operation | None) -> None:
    later = Shell(PENDING, not_found(operation), DONE).later(ACTIVATE)
    with pytest.raises(ObjectNotFound):
        later.poll()
    assert later.poll() == DONE


@pytest.mark.parametrize("late", [not_found(Operation.POLL), PENDING], ids=["given out", "pending"])
def test_of_several_that_ask_at_once_none_puts_the_answer_away(late: object) -> None:
    shell = Shell(PENDING)
    later = shell.later(ACTIVATE)
    seen: list[object] = []

    def meanwhile() -> object:
        seen.append(later.poll())
        return late

    shell.outcomes = [meanwhile, DONE]
    assert later.poll() == DONE
    assert [*seen, later.poll()] == [DONE, DONE]


@pytest.mark.parametrize("operation", [Operation.ACTIVATE, Operation.POLL])
def test_a_failure_tells_whether_the_operation_failed_or_the_question(operation: Operation) -> None:
    refused = message(refusal(operation, ResultReason.ITEM_NOT_FOUND))
    with pytest.raises(ObjectNotFound) as caught:
        result_of(Conversation(version=V1_4).poll(ACTIVATE, PENDING), refused)
    assert caught.value.operation is operation


def test_who_waits_long_enough_is_told_that_it_is_pending() -> None:
    later = Shell(*[PENDING] * 3, DONE).later(ACTIVATE)
    with pytest.raises(OperationPending):
        later.wait(timeout=0)
    assert later.poll() is None
    assert later.wait() == DONE


def test_cancelling_asks_the_server_unless_it_has_answered() -> None:
    assert Shell(PENDING).later(ACTIVATE).cancel() is CancellationResult.CANCELED
    assert Later(NoServer(), ACTIVATE, DONE).cancel() is CancellationResult.COMPLETED
