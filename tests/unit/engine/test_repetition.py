"""A batch item that points at several objects is done for each of them (KMIP 2.1 §11.58)."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.context import Policy
from strongroom.domain.operation import Request
from strongroom.engine.repetition import LISTING
from strongroom.model.convert import decoder
from strongroom.model.identifiers import BatchReference, UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.rights import Objects, Right, Rights
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.catalogue import all_operations
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.delegated_login import DelegatedLoginRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.join_split_key import JoinSplitKeyRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    ObjectType,
    ResultReason,
    ResultStatus,
    SplitKeyMethod,
    State,
    Tag,
    UniqueIdentifierEnumeration,
    Version,
)
from strongroom.wire import binary
from tests.expect import EVERY_USE, active_key, key, mask, named, pair_request, state_of
from tests.kms import TestKms, attribute, request_message, template

NAMES = UniqueIdentifierEnumeration
SUCCESS, FAILED, UNDONE = (
    ResultStatus.SUCCESS,
    ResultStatus.OPERATION_FAILED,
    ResultStatus.OPERATION_UNDONE,
)
EVERYTHING = LocateRequest()
DESTROY = DestroyRequest(unique_identifier=NAMES.LOCATE)


def send(
    kms: TestKms, *requests: Request[Any], version: Version = V2_1, **header: Any
) -> list[ResponseBatchItem]:
    """Return the batch items of the answer, of which the header has the number."""
    answer = kms.send(request_message(*requests, version=version, **header))
    found = [decoder(ResponseBatchItem, version)(child[2]) for child in answer[2][1:]]
    if version < V3_0:
        assert (int(Tag.BATCH_COUNT), 2, len(found)) in answer[2][0][2]
    return found


def identifiers(item: ResponseBatchItem) -> list[str]:
    tags = {Tag.UNIQUE_IDENTIFIER, Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER, Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER}
    return [value for tag, _, value in item.response_payload or [] if tag in tags]


@pytest.mark.parametrize("version", [V2_0, V2_1, V3_0], ids=str)
@pytest.mark.parametrize("option", [None, BatchErrorContinuationOption.UNDO], ids=["stop", "undo"])
def test_the_pair_that_was_made_is_both_keys(
    kms: TestKms, version: Version, option: BatchErrorContinuationOption | None
) -> None:
    pair, *each = send(
        kms,
        pair_request(),
        ActivateRequest(unique_identifier=NAMES.CREATE_KEY_PAIR),
        version=version,
        batch_error_continuation_option=option,
    )
    assert [item.result_status for item in each] == [SUCCESS, SUCCESS]
    assert [one for item in each for one in identifiers(item)] == identifiers(pair)
    assert {state_of(kms, UniqueIdentifier(one)) for one in identifiers(pair)} == {State.ACTIVE}
    if version < V3_0:
        assert {item.unique_batch_item_id for item in each} == {b"\x02"}


def test_what_was_located_is_every_object(kms: TestKms) -> None:
    made = [key(kms) for _ in range(3)]
    located, *each = send(kms, EVERYTHING, DESTROY)
    assert [one for item in each for one in identifiers(item)] == identifiers(located)
    assert {state_of(kms, one) for one in made} == {State.DESTROYED}


def test_the_last_one_counts_and_one_object_is_one(kms: TestKms) -> None:
    made = [key(kms, name=f"k{number}") for number in range(2)]
    only = LocateRequest(attributes=template(named("k0")))
    *_, got = results = send(kms, EVERYTHING, only, GetRequest(unique_identifier=NAMES.LOCATE))
    assert len(results) == 3
    assert identifiers(got) == [made[0]]
    nothing = LocateRequest(attributes=template(named("no such")))
    *_, refused = results = send(kms, EVERYTHING, nothing, GetRequest(unique_identifier=NAMES.LOCATE))
    assert len(results) == 3
    assert refused.result_reason is ResultReason.OBJECT_NOT_FOUND


def test_what_takes_a_list_gets_them_all_at_once(kms: TestKms) -> None:
    split = CreateSplitKeyRequest(
        object_type=ObjectType.SPLIT_KEY,
        split_key_parts=3,
        split_key_threshold=3,
        split_key_method=SplitKeyMethod.XOR,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            mask(EVERY_USE),
        ),
    )
    join = JoinSplitKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY, unique_identifier=(NAMES.CREATE_SPLIT_KEY,)
    )
    parts, joined = send(kms, split, join)
    assert (len(identifiers(parts)), joined.result_status) == (3, SUCCESS)


def test_what_takes_a_list_is_what_takes_a_list() -> None:
    taking = {
        spec.operation
        for spec in all_operations().values()
        if any(field.name == "unique_identifier" and field.repeated for field in spec.request.fields)
    }
    assert taking == LISTING


@pytest.mark.parametrize(
    ("option", "statuses", "left"),
    [
        (None, [SUCCESS, SUCCESS, FAILED], State.PRE_ACTIVE),
        (BatchErrorContinuationOption.CONTINUE, [SUCCESS, SUCCESS, FAILED, SUCCESS], State.DESTROYED),
        (BatchErrorContinuationOption.UNDO, [UNDONE, UNDONE, FAILED], State.PRE_ACTIVE),
    ],
    ids=["stop", "continue", "undo"],
)
def test_each_may_fail_like_an_item_of_its_own(
    kms: TestKms,
    option: BatchErrorContinuationOption | None,
    statuses: list[ResultStatus],
    left: State,
) -> None:
    oldest, _, newest = key(kms), active_key(kms), key(kms)
    found = send(kms, EVERYTHING, DESTROY, batch_error_continuation_option=option)
    assert [item.result_status for item in found] == statuses
    assert state_of(kms, oldest) is left
    undone = option is BatchErrorContinuationOption.UNDO
    assert state_of(kms, newest) is (State.PRE_ACTIVE if undone else State.DESTROYED)


def test_numbers_count_the_answer_to_each(kms: TestKms) -> None:
    pair, private, public, got = send(
        kms,
        pair_request(),
        ActivateRequest(unique_identifier=NAMES.CREATE_KEY_PAIR),
        GetRequest(unique_identifier=BatchReference(3)),
    )
    assert identifiers(got) == identifiers(public) == identifiers(pair)[1:]
    assert identifiers(private) == identifiers(pair)[:1]


def test_where_one_object_has_to_be_meant_several_are_refused(kms: TestKms) -> None:
    for names, reason in (
        (NAMES.CREATE_KEY_PAIR_PRIVATE_KEY, None),
        (NAMES.CREATE_KEY_PAIR, ResultReason.INVALID_FIELD),
    ):
        rights = Rights(right=(Right(objects=Objects(unique_identifier=(names,))),))
        _, given = send(kms, pair_request(), DelegatedLoginRequest(rights=rights))
        assert given.result_reason is reason


def test_no_more_items_are_done_than_a_message_may_hold(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [key(kms) for _ in range(4)]
    batches = kms.dispatcher._batches
    monkeypatch.setattr(batches, "_limits", dataclasses.replace(batches._limits, batch_items=4))
    _, refused = send(kms, EVERYTHING, DESTROY)
    assert refused.result_reason is ResultReason.SERVER_LIMIT_EXCEEDED
    assert {state_of(kms, one) for one in made} == {State.PRE_ACTIVE}


@pytest.mark.parametrize("option", [None, BatchErrorContinuationOption.UNDO], ids=["stop", "undo"])
def test_the_answers_are_no_longer_than_those_to_a_large_batch(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch, option: BatchErrorContinuationOption | None
) -> None:
    for _ in range(4):
        key(kms)
    batches = kms.dispatcher._batches
    monkeypatch.setattr(batches, "_limits", dataclasses.replace(batches._limits, message_size=150))
    get = GetRequest(unique_identifier=NAMES.LOCATE)
    *_, refused = found = send(kms, EVERYTHING, get, batch_error_continuation_option=option)
    assert len(found) < 5
    assert refused.result_reason is ResultReason.RESPONSE_TOO_LARGE


def test_a_named_request_with_such_an_item_is_done_once(tmp_path: Path) -> None:
    policy = Policy(idempotency={"alice": timedelta(hours=1)})
    kms = TestKms(tmp_path, policy=policy)
    activate = ActivateRequest(unique_identifier=NAMES.CREATE_KEY_PAIR)
    first = send(kms, pair_request(), activate, client_correlation_value="one")
    again = send(kms, pair_request(), activate, client_correlation_value="one")
    kms.close()
    assert [item.result_status for item in first] == [SUCCESS] * 3
    assert again == first


def test_such_a_batch_is_done_at_once_where_the_client_leaves_it_to_the_server(kms: TestKms) -> None:
    found = send(
        kms,
        pair_request(),
        ActivateRequest(unique_identifier=NAMES.CREATE_KEY_PAIR),
        asynchronous_indicator=AsynchronousIndicator.OPTIONAL,
    )
    assert [item.result_status for item in found] == [SUCCESS] * 3


def test_a_batch_that_is_done_again_after_a_lost_race_begins_as_it_was_sent(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Undo; another pair is made then, and its keys are others."""
    transactions = kms.dispatcher.transactions
    commit, lost = transactions.commit, [True]

    async def sometimes(*args: Any) -> bool:
        return not lost.pop() if lost else await commit(*args)

    monkeypatch.setattr(transactions, "commit", sometimes)
    pair, *each = send(
        kms,
        pair_request(),
        ActivateRequest(unique_identifier=NAMES.CREATE_KEY_PAIR),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert not lost
    assert [one for item in each for one in identifiers(item)] == identifiers(pair)
    assert {state_of(kms, UniqueIdentifier(one)) for one in identifiers(pair)} == {State.ACTIVE}


@pytest.mark.parametrize("option", list(BatchErrorContinuationOption))
def test_each_is_done_only_if_it_can_be_answered(kms: TestKms, option: BatchErrorContinuationOption) -> None:
    """KMIP 2.1 §9.12: nobody would know what else was done."""
    for size in range(0, 1600, 100):
        made = [key(kms) for _ in range(5)]
        request = request_message(
            EVERYTHING,
            DESTROY,
            version=V2_1,
            maximum_response_size=size,
            batch_error_continuation_option=option,
        )
        answer = kms.send(request)
        items = [decoder(ResponseBatchItem, V2_1)(child[2]) for child in answer[2][1:]]
        told = [one for item in items[1:] if item.result_status is SUCCESS for one in identifiers(item)]
        assert len(items) == 1 or len(binary.encode(answer)) <= size
        destroyed = [one for one in made if state_of(kms, one) is State.DESTROYED]
        assert destroyed == [one for one in made if one in told]
        for one in set(made) - set(destroyed):
            kms.call(DestroyRequest(unique_identifier=one))
    assert len(told) == len(made)
