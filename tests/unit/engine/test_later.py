"""Requests that are answered later (KMIP 1.4 §4.27-4.28 and §6.7, 2.1 §6.1.38-6.1.41 and §9.2)."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.asynchronous import WaitingBatch
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import Request
from strongroom.domain.store import Changes
from strongroom.domain.store_failures import StoreFailure
from strongroom.engine import backlog
from strongroom.engine.later import LARGEST_ANSWERS, MOST_ITEMS
from strongroom.model.convert import decoder
from strongroom.model.identifiers import BatchReference
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.rights import Objects, Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Link
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.cancel import CancelRequest
from strongroom.operations.create import CreateRequest, CreateResponse
from strongroom.operations.delegated_login import DelegatedLoginRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.hash import HashRequest, HashResponse
from strongroom.operations.locate import LocateRequest
from strongroom.operations.poll import PollRequest
from strongroom.operations.process import ProcessRequest
from strongroom.operations.query_asynchronous_requests import (
    AsynchronousCorrelationValues,
    Operations,
    QueryAsynchronousRequestsRequest,
)
from strongroom.operations.register import RegisterRequest
from strongroom.operations.rng_retrieve import RNGRetrieveRequest, RNGRetrieveResponse
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CancellationResult,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DataEnumeration,
    Ephemeral,
    HashingAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    PaddingMethod,
    ProcessingStage,
    ResultReason,
    ResultStatus,
    State,
    Tag,
    UniqueIdentifierEnumeration,
    Version,
)
from strongroom.wire.item import Item
from tests.expect import MISSING, active_key, named, opaque, refusal, revoke, state_of, values
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

MANDATORY, OPTIONAL = AsynchronousIndicator.MANDATORY, AsynchronousIndicator.OPTIONAL
CBC = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
)
PENDING, SUCCESS, FAILED = (
    ResultStatus.OPERATION_PENDING,
    ResultStatus.SUCCESS,
    ResultStatus.OPERATION_FAILED,
)


def create(name: str | None = None) -> CreateRequest:
    given = [
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
    ]
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*given, *([named(name)] if name else []))
    )


def items(
    kms: TestKms,
    *requests: Request[Any],
    version: Version = V2_1,
    caller: ClientIdentity = ALICE,
    **header: Any,
) -> list[ResponseBatchItem]:
    """Return the batch items of the answer."""
    answer = kms.send(request_message(*requests, version=version, **header), caller)
    return [decoder(ResponseBatchItem, version)(child[2]) for child in answer[2][1:]]


def send(kms: TestKms, *requests: Request[Any], **header: Any) -> list[bytes]:
    """Send a request that waits and return its correlation values."""
    header.setdefault("asynchronous_indicator", MANDATORY)
    found = items(kms, *requests, **header)
    assert [i.result_status for i in found] == [PENDING] * len(requests)
    values = [i.asynchronous_correlation_value for i in found]
    assert all(i.response_payload is None for i in found)
    return [value for value in values if value is not None]


def poll(kms: TestKms, value: bytes, **given: Any) -> ResponseBatchItem:
    (item,) = items(kms, PollRequest(asynchronous_correlation_value=value), **given)
    return item


def do_all(kms: TestKms) -> None:
    """Let so much time pass that whatever waits is taken up."""
    kms.clock.pass_time(seconds=backlog.TAKE_UP.total_seconds() + 1)
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))


def names_found(kms: TestKms, name: str) -> int:
    found = kms.call(LocateRequest(attributes=template(named(name))), version=V2_1)
    return len(found.unique_identifier)


@pytest.fixture(autouse=True)
def _what_waits_is_done_when_a_test_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not half a second later, which a test may take to send it all."""
    monkeypatch.setattr(backlog, "DELAY", 3600)


@pytest.fixture
def second(kms: TestKms, tmp_path: Path) -> Iterator[TestKms]:
    """Another process on the same store, with the same clock."""
    other = TestKms(tmp_path, clock=kms.clock)
    yield other
    other.close()


@pytest.mark.parametrize(
    ("version", "indicator"), [(V1_0, OPTIONAL), (V1_4, OPTIONAL), (V2_1, OPTIONAL), (V2_1, MANDATORY)]
)
def test_the_answer_comes_with_poll_and_names_the_operation(
    kms: TestKms, version: Version, indicator: AsynchronousIndicator
) -> None:
    (value,) = send(kms, create("k"), version=version, asynchronous_indicator=indicator)
    pending = poll(kms, value, version=version)
    assert (pending.result_status, pending.response_payload) == (PENDING, None)
    assert pending.asynchronous_correlation_value == value
    assert not kms.batch(LocateRequest(), version=version)[0].unique_identifier  # type: ignore[union-attr]
    do_all(kms)
    done = poll(kms, value, version=version)
    assert (done.operation, done.result_status) == (Operation.CREATE, SUCCESS)
    assert names_found(kms, "k") == 1


def test_without_the_indicator_nothing_waits(kms: TestKms) -> None:
    for indicator in (None, AsynchronousIndicator.PROHIBITED):
        (item,) = items(kms, create(), asynchronous_indicator=indicator)
        assert item.result_status is SUCCESS


def test_a_worker_does_it_by_itself(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "DELAY", 0)
    (value,) = send(kms, create())
    for _ in range(20):
        item = poll(kms, value)
        if item.result_status is SUCCESS:
            break
    assert item.operation is Operation.CREATE


def test_an_answer_is_given_once(kms: TestKms) -> None:
    (value,) = send(kms, create())
    do_all(kms)
    assert poll(kms, value).result_status is SUCCESS
    refused = refusal(kms, PollRequest(asynchronous_correlation_value=value), version=V2_1)
    assert refused.reason is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    assert (
        refusal(kms, PollRequest(asynchronous_correlation_value=value), version=V1_4).reason
        is ResultReason.ITEM_NOT_FOUND
    )


@pytest.mark.parametrize("kind", [PollRequest, CancelRequest, ProcessRequest])
def test_what_another_client_waits_for_is_unknown(kms: TestKms, kind: Any) -> None:
    (value,) = send(kms, create())
    foreign = refusal(kms, kind(asynchronous_correlation_value=value), version=V2_1, caller=BOB)
    unknown = refusal(kms, kind(asynchronous_correlation_value=bytes(20)), version=V2_1, caller=BOB)
    assert foreign.reason is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    assert (foreign.reason, foreign.message) == (unknown.reason, unknown.message)


@pytest.mark.parametrize("value", [b"", bytes(19), bytes(21), bytes(500)])
def test_a_value_of_another_size_is_unknown(kms: TestKms, value: bytes) -> None:
    assert refusal(kms, PollRequest(asynchronous_correlation_value=value), version=V2_1).reason is (
        ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    )


def test_a_cancelled_request_is_not_done(kms: TestKms) -> None:
    (value,) = send(kms, create("k"))
    answer = kms.call(CancelRequest(asynchronous_correlation_value=value))
    assert answer.cancellation_result is CancellationResult.CANCELED
    assert answer.asynchronous_correlation_value == value
    do_all(kms)
    assert names_found(kms, "k") == 0
    assert (
        refusal(kms, PollRequest(asynchronous_correlation_value=value)).reason is ResultReason.ITEM_NOT_FOUND
    )


def test_what_is_done_cannot_be_cancelled_and_its_answer_stays(kms: TestKms) -> None:
    (value,) = send(kms, create("k"))
    do_all(kms)
    answer = kms.call(CancelRequest(asynchronous_correlation_value=value))
    assert answer.cancellation_result is CancellationResult.COMPLETED
    assert poll(kms, value).result_status is SUCCESS


def test_what_has_failed_is_told_so_and_its_answer_stays(kms: TestKms) -> None:
    """KMIP 2.1 §11.7: the pending operation completed with a failure before."""
    (value,) = send(kms, GetRequest(unique_identifier=MISSING))
    do_all(kms)
    answer = kms.call(CancelRequest(asynchronous_correlation_value=value))
    assert answer.cancellation_result is CancellationResult.FAILED
    assert poll(kms, value).result_status is FAILED


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_in_1_x_what_nobody_waits_for_is_unavailable(kms: TestKms, version: Version) -> None:
    """KMIP 1.4 §4.27: the server responds with a Cancellation Result; §11.28 has no errors."""
    (value,) = send(kms, create(), version=version, asynchronous_indicator=OPTIONAL)
    for unknown, caller in ((bytes(20), ALICE), (b"", ALICE), (value, BOB)):
        request = CancelRequest(asynchronous_correlation_value=unknown)
        answer = kms.call(request, version=version, caller=caller)
        assert answer.cancellation_result is CancellationResult.UNAVAILABLE
        assert answer.asynchronous_correlation_value == unknown
    assert poll(kms, value, version=version).result_status is PENDING


def test_process_does_it_before_it_answers(kms: TestKms) -> None:
    (value,) = send(kms, create("k"))
    kms.call(ProcessRequest(asynchronous_correlation_value=value), version=V2_1)
    assert names_found(kms, "k") == 1
    assert poll(kms, value).result_status is SUCCESS


def test_what_waits_is_listed_by_value_and_operation(kms: TestKms) -> None:
    (first,) = send(kms, create())
    kms.clock.pass_time(seconds=1)
    (second,) = send(kms, LocateRequest())
    kms.call(ProcessRequest(asynchronous_correlation_value=first), version=V2_1)

    def listed(**filters: Any) -> list[tuple[bytes, Operation, ProcessingStage]]:
        answer = kms.call(QueryAsynchronousRequestsRequest(**filters), version=V2_1)
        return [
            (one.asynchronous_correlation_value, one.operation, one.processing_stage)
            for one in answer.asynchronous_request
        ]

    create_, locate = (
        (first, Operation.CREATE, ProcessingStage.COMPLETED),
        (second, Operation.LOCATE, ProcessingStage.SUBMITTED),
    )
    assert listed() == [create_, locate]
    values = AsynchronousCorrelationValues(asynchronous_correlation_value=(second,))
    assert listed(asynchronous_correlation_values=values) == [locate]
    assert listed(operations=Operations(operation=(Operation.CREATE, Operation.GET))) == [create_]
    assert kms.call(QueryAsynchronousRequestsRequest(), version=V2_1, caller=BOB).asynchronous_request == ()


def test_a_request_survives_a_restart(kms: TestKms, tmp_path: Path) -> None:
    (value,) = send(kms, create("k"))
    again = TestKms(tmp_path, clock=kms.clock)
    do_all(again)
    item = poll(again, value)
    assert (item.operation, item.result_status) == (Operation.CREATE, SUCCESS)
    assert names_found(again, "k") == 1
    again.close()


def test_two_processes_do_it_once(kms: TestKms, second: TestKms) -> None:
    values = send(kms, *[create() for _ in range(3)])
    do_all(second)
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))
    kms.run(kms.dispatcher.transactions.backlog.finish(ALICE.tenant, values[0][:16].hex(), 2))
    assert len(kms.call(LocateRequest(), version=V2_1).unique_identifier) == 3


def test_later_items_see_what_earlier_ones_made_also_after_a_restart(kms: TestKms, second: TestKms) -> None:
    created, activated, got = send(kms, create(), ActivateRequest(), GetRequest())
    kms.call(ProcessRequest(asynchronous_correlation_value=created), version=V2_1)
    do_all(second)
    assert [poll(kms, value).result_status for value in (created, activated, got)] == [SUCCESS] * 3


@pytest.mark.parametrize("number", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("at_once", [False, True], ids=["all wait", "one is done at once"])
def test_a_number_counts_what_it_counts_when_nothing_waits(
    kms: TestKms, second: TestKms, number: int, at_once: bool
) -> None:
    """KMIP 2.1 §6.1.38: the answer is identical to that of the same request done synchronously."""
    first, other = active_key(kms), active_key(kms)
    encrypt = EncryptRequest(
        unique_identifier=first, cryptographic_parameters=CBC, data=SecretBytes(b"protect me")
    )
    requests = [
        encrypt if at_once else GetRequest(unique_identifier=first),
        GetRequest(unique_identifier=other),
        create(),
        GetRequest(unique_identifier=BatchReference(number)),
    ]
    root = request_message(*requests, version=V2_1, asynchronous_indicator=MANDATORY)
    if at_once:
        root[2][1][2].insert(1, (int(Tag.EPHEMERAL), 6, True))
    found = [decoder(ResponseBatchItem, V2_1)(child[2]) for child in kms.send(root)[2][1:]]
    do_all(second)
    made, got = (
        decoder(answer, V2_1)(poll(kms, item.asynchronous_correlation_value or b"").response_payload or [])
        for answer, item in ((CreateResponse, found[2]), (GetResponse, found[3]))
    )
    assert got.unique_identifier == [first, other, made.unique_identifier][number]


def test_the_name_of_what_was_done_at_once_is_known_to_what_waits(kms: TestKms) -> None:
    root = request_message(
        create(),
        GetRequest(unique_identifier=UniqueIdentifierEnumeration.CREATE),
        version=V3_0,
        asynchronous_indicator=MANDATORY,
    )
    root[2][1][2].insert(1, (int(Tag.EPHEMERAL), 5, int(Ephemeral.EMPTY)))
    _, waits = (decoder(ResponseBatchItem, V3_0)(child[2]) for child in kms.send(root)[2][1:])
    do_all(kms)
    assert poll(kms, waits.asynchronous_correlation_value or b"", version=V3_0).result_status is SUCCESS


def without_answers(root: Item, *positions: int) -> Item:
    """Return a request message of 3.0 in which items ask for an empty answer."""
    for position in positions:
        root[2][1 + position][2].insert(1, (int(Tag.EPHEMERAL), 5, int(Ephemeral.EMPTY)))
    return root


def test_what_follows_an_item_that_waits_is_done_after_it(kms: TestKms, second: TestKms) -> None:
    """Although nobody wants its answer: number 0 is the key that is made, not the one that is looked at."""
    other = active_key(kms)
    requests: list[Request[Any]] = [
        create("made"),
        GetRequest(unique_identifier=other),
        ActivateRequest(unique_identifier=BatchReference(0)),
    ]
    root = request_message(*requests, version=V3_0, asynchronous_indicator=MANDATORY)
    found = [
        decoder(ResponseBatchItem, V3_0)(child[2]) for child in kms.send(without_answers(root, 1, 2))[2][1:]
    ]
    assert [item.result_status for item in found] == [PENDING] * 3
    do_all(second)
    (made,) = kms.call(LocateRequest(attributes=template(named("made"))), version=V2_1).unique_identifier
    assert state_of(kms, made) is State.ACTIVE
    _, got, _ = (poll(kms, item.asynchronous_correlation_value or b"", version=V3_0) for item in found)
    assert (got.result_status, got.response_payload) == (SUCCESS, [])


def test_what_follows_an_item_that_fails_is_not_done_before_it(kms: TestKms) -> None:
    other = active_key(kms)
    requests: list[Request[Any]] = [GetRequest(unique_identifier=MISSING), revoke(other)]
    root = request_message(*requests, version=V3_0, asynchronous_indicator=MANDATORY)
    kms.send(without_answers(root, 1))
    do_all(kms)
    assert state_of(kms, other) is State.ACTIVE


def test_what_must_not_wait_refers_to_nothing_that_does(kms: TestKms) -> None:
    """Else the ticket would be for an older object than the one that is meant."""
    other = active_key(kms)
    rights = Rights(right=(Right(objects=Objects(unique_identifier=(BatchReference(0),))),))
    requests: list[Request[Any]] = [
        GetRequest(unique_identifier=other),
        create(),
        DelegatedLoginRequest(rights=rights),
    ]
    root = request_message(*requests, version=V3_0, asynchronous_indicator=MANDATORY)
    *_, refused = (
        decoder(ResponseBatchItem, V3_0)(child[2]) for child in kms.send(without_answers(root, 0))[2][1:]
    )
    assert refused.result_reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize("option", [None, BatchErrorContinuationOption.UNDO], ids=["stop", "undo"])
def test_a_number_counts_what_a_poll_has_given(
    kms: TestKms, option: BatchErrorContinuationOption | None
) -> None:
    """KMIP 2.1 §4.58: the nth Unique Identifier in the response, which that of the polled operation is."""
    other = active_key(kms)
    (waits,) = send(kms, create())
    kms.call(ProcessRequest(asynchronous_correlation_value=waits), version=V2_1)
    polled, _, got = items(
        kms,
        PollRequest(asynchronous_correlation_value=waits),
        GetRequest(unique_identifier=other),
        GetRequest(unique_identifier=BatchReference(0)),
        batch_error_continuation_option=option,
    )
    made = decoder(CreateResponse, V2_1)(polled.response_payload or [])
    assert decoder(GetResponse, V2_1)(got.response_payload or []).unique_identifier == made.unique_identifier


def test_a_number_counts_data_that_a_poll_has_given(kms: TestKms) -> None:
    """By the name of its operation they are not meant: the batch itself has done none."""
    (waits,) = send(kms, RNGRetrieveRequest(data_length=8))
    kms.call(ProcessRequest(asynchronous_correlation_value=waits), version=V2_1)
    sha = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    hashing = HashRequest(cryptographic_parameters=sha, data=SecretBytes(b"to be replaced"))
    poll_it = PollRequest(asynchronous_correlation_value=waits)
    root = request_message(
        poll_it,
        hashing,
        hashing,
        version=V2_1,
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    root[2][2][2][-1][2][-1] = (int(Tag.DATA), 2, 0)
    root[2][3][2][-1][2][-1] = (int(Tag.DATA), 5, int(DataEnumeration.RNG_RETRIEVE))
    polled, hashed, refused = (decoder(ResponseBatchItem, V2_1)(child[2]) for child in kms.send(root)[2][1:])
    data = decoder(RNGRetrieveResponse, V2_1)(polled.response_payload or []).data
    digest = decoder(HashResponse, V2_1)(hashed.response_payload or []).data
    assert digest == hashlib.sha256(data.reveal()).digest()
    assert refused.result_reason is ResultReason.INVALID_FIELD


def test_after_a_failure_the_rest_of_the_batch_is_not_done(kms: TestKms) -> None:
    values = send(kms, GetRequest(unique_identifier=MISSING), create("k"))
    do_all(kms)
    first, rest = [poll(kms, value) for value in values]
    assert first.result_reason is ResultReason.OBJECT_NOT_FOUND
    assert (rest.operation, rest.result_status) == (Operation.CREATE, FAILED)
    assert "earlier item" in (rest.result_message or "")
    assert names_found(kms, "k") == 0


def test_continue_does_the_rest_after_a_failure(kms: TestKms) -> None:
    values = send(
        kms,
        GetRequest(unique_identifier=MISSING),
        create("k"),
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    do_all(kms)
    assert [poll(kms, value).result_status for value in values] == [FAILED, SUCCESS]


@pytest.mark.parametrize("when", ["at once", "later"])
def test_what_failed_to_make_an_object_leaves_none_that_is_older_in_its_place(
    kms: TestKms, when: str
) -> None:
    kms.call(create("taken"))
    root = request_message(
        create("first"),
        create("taken"),
        DestroyRequest(),
        version=V2_1,
        asynchronous_indicator=MANDATORY,
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    if when == "at once":  # its payload cannot be read
        root[2][2][2][-1] = (int(Tag.REQUEST_PAYLOAD), 1, [])
    kms.send(root)
    do_all(kms)
    assert names_found(kms, "first") == 1


def test_process_is_refused_where_it_would_have_to_be_undone(kms: TestKms) -> None:
    """What it does is committed for itself."""
    (value,) = send(kms, create("k"))
    processed, *_ = kms.batch(
        ProcessRequest(asynchronous_correlation_value=value),
        GetRequest(unique_identifier=MISSING),
        version=V2_1,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert isinstance(processed, Refused)
    assert processed.reason is ResultReason.FEATURE_NOT_SUPPORTED
    assert names_found(kms, "k") == 0


def test_undo_does_not_wait(kms: TestKms) -> None:
    first, *_ = items(
        kms,
        create(),
        create(),
        asynchronous_indicator=MANDATORY,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert first.result_reason is ResultReason.FEATURE_NOT_SUPPORTED


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_what_cannot_wait_is_done_at_once_where_the_client_leaves_it_to_the_server(
    kms: TestKms, version: Version
) -> None:
    """KMIP 2.1 §11.3, Optional: the server may do it at once; so in 1.x, where it is True (1.4 §6.7)."""
    undone = items(
        kms,
        create(),
        create(),
        version=version,
        asynchronous_indicator=OPTIONAL,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert [item.result_status for item in undone] == [SUCCESS, SUCCESS]
    part = EncryptRequest(
        unique_identifier=active_key(kms), cryptographic_parameters=CBC, init_indicator=True
    )
    (first,) = items(kms, part, version=version, asynchronous_indicator=OPTIONAL)
    assert first.result_status is SUCCESS


@pytest.mark.parametrize(
    ("indicator", "reason"), [(OPTIONAL, None), (MANDATORY, ResultReason.FEATURE_NOT_SUPPORTED)], ids=str
)
def test_what_refers_to_data_does_not_wait(
    kms: TestKms, indicator: AsynchronousIndicator, reason: ResultReason | None
) -> None:
    hashing = HashRequest(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=SecretBytes(b"to be replaced"),
    )
    root = request_message(
        RNGRetrieveRequest(data_length=8), hashing, version=V2_1, asynchronous_indicator=indicator
    )
    payload = root[2][2][2][-1][2]
    payload[-1] = (int(Tag.DATA), 2, 0)
    *_, last = (decoder(ResponseBatchItem, V2_1)(child[2]) for child in kms.send(root)[2][1:])
    assert last.result_reason is reason


def test_a_link_of_what_waits_may_lead_to_what_the_batch_has_made(kms: TestKms, second: TestKms) -> None:
    child = active_key(kms)
    link = Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=MISSING)
    add = AddAttributeRequest(unique_identifier=child, new_attribute=attribute(Tag.LINK, link))
    root = request_message(create("parent"), add, version=V2_1, asynchronous_indicator=MANDATORY)
    linked = root[2][2][2][-1][2][-1][2][0][2]
    linked[1] = (int(Tag.LINKED_OBJECT_IDENTIFIER), 5, int(UniqueIdentifierEnumeration.CREATE))
    kms.send(root)
    do_all(second)
    parent = kms.call(LocateRequest(attributes=template(named("parent")))).unique_identifier[0]
    assert [one.linked_object_identifier for one in values(kms, child, Tag.LINK)] == [parent]


def test_an_operation_that_must_not_wait_is_done_at_once(kms: TestKms) -> None:
    (item,) = items(kms, QueryAsynchronousRequestsRequest(), asynchronous_indicator=MANDATORY)
    assert (item.operation, item.result_status) == (Operation.QUERY_ASYNCHRONOUS_REQUESTS, SUCCESS)


def test_a_payload_that_cannot_be_read_is_refused_at_once(kms: TestKms) -> None:
    root = request_message(create(), version=V2_1, asynchronous_indicator=MANDATORY)
    root[2][1][2][-1] = (int(Tag.REQUEST_PAYLOAD), 1, [])
    item = decoder(ResponseBatchItem, V2_1)(kms.send(root)[2][1][2])
    assert item.result_reason is ResultReason.INVALID_MESSAGE


def test_the_name_of_another_object_fails_when_it_is_done(kms: TestKms) -> None:
    (value,) = send(kms, create("k"))
    kms.create_symmetric_key(name="k")
    do_all(kms)
    assert poll(kms, value).result_reason is ResultReason.NON_UNIQUE_NAME_ATTRIBUTE


def test_a_client_that_was_revoked_meanwhile_gets_nothing_done(kms: TestKms) -> None:
    (value,) = send(kms, create("k"))
    del kms.clients[ALICE.client]
    do_all(kms)
    assert poll(kms, value).result_reason is ResultReason.PERMISSION_DENIED
    assert names_found(kms, "k") == 0


def test_nobody_has_more_than_so_many_requests_waiting(kms: TestKms) -> None:
    for _ in range(backlog.MOST):
        send(kms, LocateRequest())
    (item,) = items(kms, LocateRequest(), asynchronous_indicator=MANDATORY)
    assert item.result_reason is ResultReason.SERVER_LIMIT_EXCEEDED
    send(kms, LocateRequest(), caller=BOB)


def test_what_was_done_at_once_is_answered_also_when_the_rest_is_not_kept(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer that Poll has fetched is nowhere else by then."""
    (value,) = send(kms, create("k"))
    do_all(kms)
    monkeypatch.setattr(backlog, "MOST_BYTES", 0)
    request = PollRequest(asynchronous_correlation_value=value)
    fetched, refused = items(kms, request, create("m"), asynchronous_indicator=MANDATORY)
    assert (fetched.operation, fetched.result_status) == (Operation.CREATE, SUCCESS)
    assert (refused.operation, refused.result_reason) == (
        Operation.CREATE,
        ResultReason.SERVER_LIMIT_EXCEEDED,
    )
    assert names_found(kms, "m") == 0


def test_answers_are_kept_up_to_a_limit_and_what_is_kept_can_be_read(kms: TestKms) -> None:
    """What is let in must be readable afterwards."""
    request = RegisterRequest(
        object_type=ObjectType.OPAQUE_OBJECT, managed_object=opaque(bytes(LARGEST_ANSWERS // 2 - 1000))
    )
    large = kms.call(request).unique_identifier
    values = send(
        kms,
        *[GetRequest(unique_identifier=large) for _ in range(4)],
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    do_all(kms)
    found = [poll(kms, value) for value in values]
    assert [one.result_status for one in found] == [SUCCESS, SUCCESS, FAILED, FAILED]
    assert found[-1].result_reason is ResultReason.RESPONSE_TOO_LARGE


def test_a_batch_that_waits_has_so_many_items(kms: TestKms) -> None:
    given: dict[str, Any] = {"version": V3_0, "asynchronous_indicator": MANDATORY}
    (item,) = items(kms, *[LocateRequest()] * (MOST_ITEMS + 1), **given)
    assert item.result_reason is ResultReason.SERVER_LIMIT_EXCEEDED
    send(kms, *[LocateRequest()] * MOST_ITEMS, **given)


def test_what_waits_has_so_many_bytes_in_all(kms: TestKms) -> None:
    request = HashRequest(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=SecretBytes(bytes((4 << 20) - 1000)),
    )
    for _ in range(backlog.MOST_BYTES // (4 << 20)):
        send(kms, request)
    (item,) = items(kms, request, asynchronous_indicator=MANDATORY)
    assert item.result_reason is ResultReason.SERVER_LIMIT_EXCEEDED
    send(kms, request, caller=BOB)


def test_a_batch_that_cannot_be_done_does_not_keep_the_others_back(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad,) = send(kms, create("bad"))
    kms.clock.pass_time(seconds=1)
    (good,) = send(kms, create("good"))
    commit = kms.repository.commit

    async def failing(changes: Changes) -> None:
        if any(entry.key == bad[:16].hex() for entry in changes.entries):
            raise StoreFailure("not today")
        await commit(changes)

    monkeypatch.setattr(kms.repository, "commit", failing)
    with pytest.raises(StoreFailure, match="not today"):
        do_all(kms)
    assert poll(kms, good).result_status is SUCCESS
    assert poll(kms, bad).result_status is PENDING
    monkeypatch.undo()
    do_all(kms)
    assert poll(kms, bad).result_status is SUCCESS


def test_what_ends_its_worker_each_time_is_given_up(
    kms: TestKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly, harmless = send(
        kms,
        create("deadly"),
        create("harmless"),
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )

    async def end(*_: object) -> None:
        raise SystemExit

    for _ in range(backlog.MOST_TRIES):
        worker = TestKms(tmp_path, clock=kms.clock)
        monkeypatch.setattr(worker.dispatcher.transactions.backlog, "_do_one", end)
        kms.clock.pass_time(seconds=backlog.CLAIM.total_seconds() + 1)
        with pytest.raises(SystemExit):
            worker.run(worker.dispatcher.transactions.backlog.tidy(kms.clock.now()))
        worker.close()
    do_all(kms)
    assert poll(kms, deadly).result_status is PENDING  # whoever has it may be at it still
    kms.clock.pass_time(seconds=backlog.CLAIM.total_seconds() + 1)
    do_all(kms)
    given_up = poll(kms, deadly)
    assert (given_up.result_status, given_up.result_reason) == (
        FAILED,
        ResultReason.INTERNAL_SERVER_ERROR,
    )
    assert poll(kms, harmless).result_status is SUCCESS
    assert names_found(kms, "deadly") == 0


def test_a_long_batch_is_not_taken_up_by_others_while_it_goes_on(kms: TestKms) -> None:
    first, _ = send(kms, create(), create())
    kms.clock.pass_time(seconds=backlog.TAKE_UP.total_seconds() - 1)
    kms.call(ProcessRequest(asynchronous_correlation_value=first), version=V2_1)
    kms.clock.pass_time(seconds=backlog.TAKE_UP.total_seconds() - 1)
    due = kms.run(kms.repository.due_entries(WaitingBatch, kms.clock.now(), 9))
    assert due == []


def test_an_answer_that_nobody_fetches_is_forgotten(kms: TestKms) -> None:
    (value,) = send(kms, create())
    do_all(kms)
    kms.clock.pass_time(seconds=(backlog.RETENTION + timedelta(seconds=1)).total_seconds())
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))
    assert kms.run(kms.repository.entries_of(WaitingBatch, ALICE.tenant, ALICE.client)) == []
    assert (
        refusal(kms, PollRequest(asynchronous_correlation_value=value)).reason is ResultReason.ITEM_NOT_FOUND
    )


def test_what_a_poll_gave_that_is_undone_is_withheld_and_still_waits(kms: TestKms) -> None:
    (value,) = send(kms, GetRequest(unique_identifier=kms.create_symmetric_key()))
    do_all(kms)
    polled, _ = items(
        kms,
        PollRequest(asynchronous_correlation_value=value),
        GetRequest(unique_identifier=MISSING),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert (polled.result_status, polled.response_payload) == (ResultStatus.OPERATION_UNDONE, None)
    assert poll(kms, value).result_status is SUCCESS


@pytest.mark.parametrize("done", [False, True], ids=["pending", "failed"])
def test_a_poll_that_is_undone_says_what_it_said(kms: TestKms, done: bool) -> None:
    (value,) = send(kms, GetRequest(unique_identifier=MISSING))
    if done:
        do_all(kms)
    polled, failed = items(
        kms,
        PollRequest(asynchronous_correlation_value=value),
        GetRequest(unique_identifier=MISSING),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert polled.result_status is (FAILED if done else PENDING)
    assert failed.result_reason is ResultReason.OBJECT_NOT_FOUND
    assert poll(kms, value).result_status is polled.result_status


def test_poll_is_in_the_version_of_the_request(kms: TestKms) -> None:
    (value,) = send(kms, create(), version=V1_4, asynchronous_indicator=OPTIONAL)
    do_all(kms)
    (refused,) = kms.batch(PollRequest(asynchronous_correlation_value=value), version=V2_1)
    assert isinstance(refused, Refused)
    assert refused.reason is ResultReason.INVALID_FIELD
    assert poll(kms, value, version=V1_4).result_status is SUCCESS


def test_what_waits_is_sealed(kms: TestKms, tmp_path: Path) -> None:
    send(kms, create("a name that is easy to find"))
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("strongroom.db*"))
    assert b"easy to find" not in stored


def test_the_unique_batch_item_id_is_that_of_the_poll(kms: TestKms) -> None:
    (value,) = send(kms, create(), version=V1_4, asynchronous_indicator=OPTIONAL)
    do_all(kms)
    polled, _ = items(kms, PollRequest(asynchronous_correlation_value=value), LocateRequest(), version=V1_4)
    assert (polled.operation, polled.unique_batch_item_id) == (Operation.CREATE, bytes([1]))


def test_a_part_that_is_refused_among_what_waits_ends_its_stream(kms: TestKms) -> None:
    """Items without an answer are done at once, and one of them does not keep what another has spoilt."""
    key, other = (active_key(kms) for _ in range(2))
    how = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
    first = EncryptRequest(unique_identifier=key, cryptographic_parameters=how, init_indicator=True)
    stream = kms.call(first).correlation_value
    part = EncryptRequest(unique_identifier=key, correlation_value=stream, data=SecretBytes(bytes(16)))
    kms.call(part)
    message = request_message(
        part.replace(unique_identifier=other),
        first,
        version=V3_0,
        asynchronous_indicator=OPTIONAL,
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    for item in message[2][1:]:
        item[2].insert(1, (int(Tag.EPHEMERAL), 5, int(Ephemeral.EMPTY)))
    answers = [decoder(ResponseBatchItem, V3_0)(child[2]) for child in kms.send(message)[2][1:]]
    assert [answer.result_status for answer in answers] == [FAILED, SUCCESS]
    assert refusal(kms, part, version=V3_0).reason is ResultReason.INVALID_CORRELATION_VALUE
