"""Batches: order, errors, undo, the ID Placeholder (KMIP 1.4 §6, 2.1 §9)."""

import inspect
import sys

import pytest

from strongroom.domain.identity import Connection
from strongroom.domain.operation import declared
from strongroom.engine.answers import joined
from strongroom.engine.references import PLACING
from strongroom.model.convert import decoder
from strongroom.model.identifiers import BatchReference, UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.objects import OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Name
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.check import CheckRequest
from strongroom.operations.create import CreateRequest, CreateResponse
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.operations.obtain_lease import ObtainLeaseRequest, ObtainLeaseResponse
from strongroom.operations.query import QueryRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Operation,
    PaddingMethod,
    QueryFunction,
    ResultReason,
    ResultStatus,
    Tag,
    UniqueIdentifierEnumeration,
)
from strongroom.wire import binary, xml
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

MISSING = UniqueIdentifier("00000000-0000-0000-0000-000000000000")


def create(name: str | None = None) -> CreateRequest:
    names = [] if name is None else [attribute(Tag.NAME, Name(name_value=name))]
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
            *names,
        ),
    )


def locate(name: str) -> LocateRequest:
    return LocateRequest(attributes=template(attribute(Tag.NAME, Name(name_value=name))))


def test_the_id_placeholder_carries_the_new_key_through_the_batch(kms: TestKms) -> None:
    created, activated, got = kms.batch(create(), ActivateRequest(), GetRequest())
    assert isinstance(created, CreateResponse)
    assert isinstance(activated, ActivateResponse)
    assert isinstance(got, GetResponse)
    assert created.unique_identifier == activated.unique_identifier == got.unique_identifier


def test_an_empty_id_placeholder_is_item_not_found(kms: TestKms) -> None:
    with pytest.raises(Refused) as refused:
        kms.call(GetRequest())
    assert refused.value.reason is ResultReason.ITEM_NOT_FOUND


def test_the_id_placeholder_does_not_outlive_its_batch(kms: TestKms) -> None:
    kms.create_symmetric_key()
    with pytest.raises(Refused):
        kms.call(GetRequest())


def test_a_batch_stops_at_the_first_failure_by_default(kms: TestKms) -> None:
    results = kms.batch(create("a"), GetRequest(unique_identifier=MISSING), create("b"))
    assert len(results) == 2
    assert isinstance(results[1], Refused)
    assert kms.call(locate("a")).unique_identifier
    assert not kms.call(locate("b")).unique_identifier


def test_continue_goes_on_after_a_failure(kms: TestKms) -> None:
    results = kms.batch(
        GetRequest(unique_identifier=MISSING),
        create("b"),
        batch_error_continuation_option=CONTINUE,
    )
    assert isinstance(results[0], Refused)
    assert isinstance(results[1], CreateResponse)


CONTINUE = BatchErrorContinuationOption.CONTINUE


@pytest.mark.parametrize("meant", [None, UniqueIdentifierEnumeration.CREATE])
def test_what_failed_to_make_an_object_leaves_none_that_is_older_in_its_place(
    kms: TestKms, meant: UniqueIdentifierEnumeration | None
) -> None:
    """The client means the second key; destroyed would be the first one."""
    kms.call(create("taken"))
    first, second, destroyed = kms.batch(
        create("first"),
        create("taken"),
        DestroyRequest(unique_identifier=meant),
        version=V2_1,
        batch_error_continuation_option=CONTINUE,
    )
    assert isinstance(first, CreateResponse)
    assert isinstance(second, Refused)
    assert isinstance(destroyed, Refused)
    assert destroyed.reason is ResultReason.OBJECT_NOT_FOUND
    assert kms.call(locate("first")).unique_identifier == (first.unique_identifier,)


def test_an_object_that_could_not_be_recovered_leaves_none_in_its_place(kms: TestKms) -> None:
    made, recovered, destroyed = kms.batch(
        create("first"),
        RecoverRequest(unique_identifier=MISSING),
        DestroyRequest(),
        batch_error_continuation_option=CONTINUE,
    )
    assert isinstance(made, CreateResponse)
    assert [type(one) for one in (recovered, destroyed)] == [Refused, Refused]


def test_what_fails_with_the_object_in_the_id_placeholder_leaves_it_there(kms: TestKms) -> None:
    made, encrypted, got = kms.batch(
        create(),
        EncryptRequest(data=SecretBytes(b"x")),
        GetRequest(),
        batch_error_continuation_option=CONTINUE,
    )
    assert isinstance(made, CreateResponse)
    assert isinstance(encrypted, Refused)  # it is not active
    assert isinstance(got, GetResponse)
    assert got.unique_identifier == made.unique_identifier


def test_a_search_that_finds_nothing_leaves_nothing_of_the_one_before(kms: TestKms) -> None:
    kms.call(create("there"))
    _, _, got = kms.batch(
        locate("there"),
        locate("not there"),
        GetRequest(unique_identifier=UniqueIdentifierEnumeration.LOCATE),
        version=V2_1,
    )
    assert isinstance(got, Refused)
    assert got.reason is ResultReason.OBJECT_NOT_FOUND


def test_the_operations_that_fill_the_id_placeholder_are_known() -> None:
    """`PLACING` is derived, but for what has no name in Unique Identifier."""
    filling = {
        code
        for code, spec in declared().items()
        if "objects.place(" in inspect.getsource(sys.modules[spec.handler.__module__])
    }
    assert filling == {code for code in declared() if code in PLACING}


def test_undo_leaves_nothing_of_a_failed_batch(kms: TestKms) -> None:
    undo = BatchErrorContinuationOption.UNDO
    results = kms.batch(
        create("a"),
        locate("a"),
        GetRequest(unique_identifier=MISSING),
        batch_error_continuation_option=undo,
    )
    assert [type(r) for r in results] == [Refused, Refused, Refused]
    assert not kms.call(locate("a")).unique_identifier


def test_undone_items_say_so(kms: TestKms) -> None:
    root = request_message(
        create("a"),
        GetRequest(unique_identifier=MISSING),
        version=V1_0,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    answer = kms.send(root)
    statuses = [v for item in answer[2][1:] for t, _, v in item[2] if t == Tag.RESULT_STATUS]
    assert statuses == [ResultStatus.OPERATION_UNDONE, ResultStatus.OPERATION_FAILED]


def test_undone_items_withhold_what_they_gave(kms: TestKms) -> None:
    """Otherwise a batch that fails on purpose is a use that no Usage Limits count."""
    active = attribute(Tag.ACTIVATION_DATE, kms.clock.now())
    key = kms.create_symmetric_key(active)
    mode = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.NONE)
    root = request_message(
        EncryptRequest(unique_identifier=key, cryptographic_parameters=mode, data=SecretBytes(bytes(16))),
        GetRequest(unique_identifier=key),
        CheckRequest(unique_identifier=key),
        GetRequest(unique_identifier=MISSING),
        version=V1_4,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    items = [{tag: value for tag, _, value in item[2]} for item in kms.send(root)[2][1:]]
    assert [item[Tag.RESULT_STATUS] for item in items[:3]] == [ResultStatus.OPERATION_UNDONE] * 3
    assert [item.get(Tag.RESPONSE_PAYLOAD) for item in items] == [
        None,
        None,
        [(Tag.UNIQUE_IDENTIFIER, 7, key)],
        None,
    ]


def test_later_items_of_an_undo_batch_see_what_earlier_ones_changed(kms: TestKms) -> None:
    created, located, destroyed, again = kms.batch(
        create("a"),
        locate("a"),
        DestroyRequest(),
        locate("a"),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert isinstance(created, CreateResponse)
    assert isinstance(located, LocateResponse)
    assert located.unique_identifier == (created.unique_identifier,)
    assert isinstance(again, LocateResponse)
    assert again.unique_identifier == ()
    assert not isinstance(destroyed, Refused)


def test_later_items_of_an_undo_batch_see_when_earlier_ones_changed_an_object(kms: TestKms) -> None:
    old = UniqueIdentifier(kms.create_symmetric_key())
    kms.clock.pass_time(hours=1)
    _, of_new, _, of_old = kms.batch(
        create("a"),
        ObtainLeaseRequest(),
        ActivateRequest(unique_identifier=old),
        ObtainLeaseRequest(unique_identifier=old),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    for lease in (of_new, of_old):
        assert isinstance(lease, ObtainLeaseResponse)
        assert lease.last_change_date == kms.clock.now()


def test_the_answer_to_a_batch_has_a_size_limit_of_its_own(kms: TestKms) -> None:
    """Otherwise 100 bytes of a request would fetch 4 MiB, as often as a message has room for them."""
    value = OpaqueObject(
        opaque_data_type=0x80000001,  # type: ignore[arg-type]  # a vendor's
        opaque_data_value=SecretBytes(bytes(3 * 2**20)),
    )
    made = kms.call(RegisterRequest(object_type=ObjectType.OPAQUE_OBJECT, managed_object=value))
    gets = [GetRequest(unique_identifier=made.unique_identifier)] * 10
    for option, given in (
        (BatchErrorContinuationOption.CONTINUE, 5),
        (BatchErrorContinuationOption.STOP, 5),
        (BatchErrorContinuationOption.UNDO, 0),
    ):
        root = request_message(*gets, version=V1_4, batch_error_continuation_option=option)
        handled = kms.dispatcher.handle(binary.encode(root), Connection(client=ALICE, peer="::1"))
        answer = joined(kms.run(handled))
        assert len(answer) // (3 * 2**20) == given


def test_two_keys_of_one_name_in_an_undo_batch_fail_together(kms: TestKms) -> None:
    results = kms.batch(
        create("a"), create("a"), batch_error_continuation_option=BatchErrorContinuationOption.UNDO
    )
    assert all(isinstance(r, Refused) for r in results)
    assert not kms.call(locate("a")).unique_identifier


def test_a_later_item_may_point_at_what_an_earlier_one_made(kms: TestKms) -> None:
    """KMIP 2.1 §11.64: Unique Identifier may be an enumeration or the number of a batch item."""
    created, other, by_operation, by_number = kms.batch(
        create(),
        create(),
        GetRequest(unique_identifier=UniqueIdentifierEnumeration.CREATE),
        GetRequest(unique_identifier=BatchReference(0)),
        version=V2_1,
    )
    assert isinstance(created, CreateResponse)
    assert isinstance(other, CreateResponse)
    assert isinstance(by_operation, GetResponse)
    assert isinstance(by_number, GetResponse)
    assert by_operation.unique_identifier == other.unique_identifier
    assert by_number.unique_identifier == created.unique_identifier


def test_a_unique_batch_item_id_of_any_length_is_echoed_on_success_and_failure(kms: TestKms) -> None:
    for identifier in (b"\x01", b"abcd", b"123456", b"12345678", b"x" * 12, b"y" * 16, b"z" * 100):
        for request in (QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)), GetRequest()):
            root = request_message(request, version=V1_0)
            root[2][1][2].insert(1, (int(Tag.UNIQUE_BATCH_ITEM_ID), 8, identifier))
            item = kms.send(root)[2][1]
            assert (Tag.UNIQUE_BATCH_ITEM_ID, 8, identifier) in item[2]


def test_an_object_of_somebody_else_is_answered_like_one_that_does_not_exist(kms: TestKms) -> None:
    key = kms.create_symmetric_key(name="secret")
    answers = []
    for identifier in (key, MISSING):
        with pytest.raises(Refused) as refused:
            kms.call(GetRequest(unique_identifier=identifier), caller=BOB)
        answers.append((refused.value.reason, refused.value.message))
    assert answers[0] == answers[1]
    assert not kms.call(locate("secret"), caller=BOB).unique_identifier


def test_what_xml_cannot_say_costs_only_its_own_item(kms: TestKms) -> None:
    """The key that was made before is there; whoever was not told its identifier would have lost it."""
    strange = kms.create_symmetric_key(name="a\x01b")
    read = GetAttributesRequest(unique_identifier=UniqueIdentifier(strange))
    root = request_message(
        create(), read, QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)), version=V1_4
    )
    answer = kms.run(kms.dispatcher.answer(root, Connection(client=ALICE, peer="127.0.0.1:1"), xml.encode))
    items = [decoder(ResponseBatchItem, V1_4)(fields) for _, _, fields in xml.decode(answer)[2][1:]]
    assert [item.result_status for item in items] == [
        ResultStatus.SUCCESS,
        ResultStatus.OPERATION_FAILED,
        ResultStatus.SUCCESS,
    ]
    assert items[1].operation is Operation.GET_ATTRIBUTES
    assert items[1].unique_batch_item_id == root[2][2][2][1][2]
    assert "ask for it in TTLV" in (items[1].result_message or "")
