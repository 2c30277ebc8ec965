"""What is said and how it is understood, without a socket."""

import pytest

from strongroom.client.compose import Credentials, RawRequest, RawResponse
from strongroom.client.conversation import REPEATABLE, Conversation
from strongroom.client.errors import (
    AuthenticationFailed,
    BatchStopped,
    InvalidMessage,
    InvalidRequest,
    ObjectDestroyed,
    ObjectNotFound,
    OperationFailed,
    OperationPending,
    PermissionDenied,
    ProtocolError,
    ServerFailure,
    VersionNotSupported,
)
from strongroom.client.material import wrapping
from strongroom.domain.operation import Request, Response
from strongroom.model.convert import decoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import RequestHeader, Ticket, TicketCredential
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    KeyFormatType,
    Operation,
    QueryFunction,
    ResultReason,
    ResultStatus,
    Tag,
    TicketType,
    Version,
)
from strongroom.wire import binary
from strongroom.wire.item import BYTE_STRING, ENUMERATION, INTEGER, STRUCTURE, TEXT_STRING, Item
from tests.unit.client.messages import activated, identifier, message, refusal, success, versions
from tests.unit.client.talk import result_of, sent_by, talk

ACTIVATE = ActivateRequest(unique_identifier=UniqueIdentifier("7d0b"))
HASH = HashRequest(cryptographic_parameters=CryptographicParameters(), data=SecretBytes(b"part"))

ACTIVATE_AS_BYTES = bytes.fromhex(
    "42007801 00000070"
    "  42007701 00000038"
    "    42006901 00000020  42006A02 00000004 00000001 00000000  42006B02 00000004 00000004 00000000"
    "    42000D02 00000004 00000001 00000000"
    "  42000F01 00000028"
    "    42005C05 00000004 00000012 00000000"
    "    42007901 00000010  42009407 00000004 37643062 00000000"
)
ACTIVATED_AS_BYTES = bytes.fromhex(
    "42007B01 00000090"
    "  42007A01 00000048"
    "    42006901 00000020  42006A02 00000004 00000001 00000000  42006B02 00000004 00000004 00000000"
    "    42009209 00000008 000000006553F100"
    "    42000D02 00000004 00000001 00000000"
    "  42000F01 00000038"
    "    42005C05 00000004 00000012 00000000"
    "    42007F05 00000004 00000000 00000000"
    "    42007C01 00000010  42009407 00000004 37643062 00000000"
)


def in_version(version: Version) -> Conversation:
    return Conversation(version=version)


def children(sent: bytes) -> list[Item]:
    items: list[Item] = binary.decode(sent)[2]
    return items


def header_of(sent: bytes) -> RequestHeader:
    header: RequestHeader = decoder(RequestHeader, None)(children(sent)[0][2])
    return header


def test_a_request_and_its_answer_byte_for_byte() -> None:
    answer, sent = talk(in_version(V1_4).call(ACTIVATE), [ACTIVATED_AS_BYTES])
    assert [outgoing.message for outgoing in sent] == [ACTIVATE_AS_BYTES]
    assert answer == ActivateResponse(unique_identifier=UniqueIdentifier("7d0b"))


def test_the_version_is_agreed_on_once() -> None:
    conversation = Conversation()
    _, sent = talk(conversation.call(ACTIVATE), [versions(V1_4, V1_2, V1_0), activated()])
    assert conversation.version == V1_4
    assert len(sent) == 2
    _, sent = talk(conversation.call(ACTIVATE), [activated()])
    assert header_of(sent[0].message).protocol_version.protocol_version_minor == 4


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (ResultReason.UNSUPPORTED_PROTOCOL_VERSION, VersionNotSupported),
        (ResultReason.INVALID_MESSAGE, InvalidMessage),
    ],
)
def test_and_again_when_another_server_does_not_speak_it(
    reason: ResultReason, error: type[Exception]
) -> None:
    conversation = Conversation()
    result_of(conversation.call(ACTIVATE), versions(V2_1), activated())
    with pytest.raises(error):
        result_of(conversation.call(ACTIVATE), message(refusal(None, reason), version=V1_4))
    result_of(conversation.call(ACTIVATE), versions(V1_4), activated())
    assert conversation.version == V1_4


def test_a_draft_is_agreed_on_only_when_there_is_nothing_else() -> None:
    assert result_of(Conversation().negotiate(), versions(V3_0, V2_1, V1_4)) == V2_1
    assert result_of(Conversation().negotiate(), versions(V3_0, Version(9, 9))) == V3_0


def test_no_common_version_is_refused_with_what_the_server_speaks() -> None:
    with pytest.raises(VersionNotSupported, match=r"the server speaks 9\.9"):
        result_of(Conversation().negotiate(), versions(Version(9, 9)))


@pytest.mark.parametrize(
    "reason",
    [ResultReason.OPERATION_NOT_SUPPORTED, ResultReason.INVALID_MESSAGE, ResultReason.INVALID_FIELD],
)
def test_a_server_without_discover_versions_speaks_1_0(reason: ResultReason) -> None:
    answer = message(refusal(Operation.DISCOVER_VERSIONS, reason), version=V1_1)
    assert result_of(Conversation().negotiate(), answer) == V1_0


def test_a_server_that_refuses_the_version_of_the_question_speaks_that_of_its_answer() -> None:
    answer = message(refusal(None, ResultReason.INVALID_MESSAGE), version=V2_0)
    assert result_of(Conversation().negotiate(), answer) == V2_0


@pytest.mark.parametrize(
    ("reason", "cls"),
    [
        (ResultReason.AUTHENTICATION_NOT_SUCCESSFUL, AuthenticationFailed),
        (ResultReason.GENERAL_FAILURE, ServerFailure),
    ],
)
def test_a_server_that_cannot_answer_now_is_not_taken_for_an_old_one(
    reason: ResultReason, cls: type[OperationFailed]
) -> None:
    conversation = Conversation()
    with pytest.raises(cls):
        result_of(conversation.negotiate(), message(refusal(None, reason)))
    assert result_of(conversation.negotiate(), versions(V1_4)) == V1_4


@pytest.mark.parametrize(
    "answer",
    [
        message(refusal(None, ResultReason.UNSUPPORTED_PROTOCOL_VERSION), version=V2_1),
        message(refusal(None, ResultReason.INVALID_MESSAGE), version=V1_0),
    ],
)
def test_a_fixed_version_that_the_server_does_not_speak(answer: bytes) -> None:
    with pytest.raises(VersionNotSupported, match=r"does not speak KMIP 2\.1"):
        result_of(in_version(V2_1).call(ACTIVATE), answer)


def test_an_invalid_message_in_a_version_that_worked_before_is_just_that() -> None:
    """PyKMIP answers everything that it cannot parse in 1.0."""
    conversation = in_version(V1_4)
    result_of(conversation.call(ACTIVATE), activated())
    with pytest.raises(InvalidMessage):
        result_of(
            conversation.call(ACTIVATE), message(refusal(None, ResultReason.INVALID_MESSAGE), version=V1_0)
        )


def test_an_operation_of_a_later_version_is_not_sent() -> None:
    with pytest.raises(VersionNotSupported, match=r"Discover Versions is an operation of KMIP 1\.1 to 3\.0"):
        result_of(in_version(V1_0).call(DiscoverVersionsRequest()))


def test_user_name_and_password_stand_in_each_header() -> None:
    credentials = Credentials(username="alice", password=SecretBytes(b"open sesame"))
    conversation = Conversation(version=V1_4, credentials=credentials)
    authentication = header_of(sent_by(lambda: conversation.call(ACTIVATE))).authentication
    assert authentication is not None
    value = authentication.credential[0].credential_value
    assert value == [(Tag.USERNAME, TEXT_STRING, "alice"), (Tag.PASSWORD, TEXT_STRING, "open sesame")]
    assert "sesame" not in repr(credentials)


@pytest.mark.parametrize(
    ("reason", "cls"),
    [
        (ResultReason.ITEM_NOT_FOUND, ObjectNotFound),
        (ResultReason.OBJECT_NOT_FOUND, ObjectNotFound),
        (ResultReason.OBJECT_DESTROYED, ObjectDestroyed),
        (ResultReason.PERMISSION_DENIED, PermissionDenied),
        (ResultReason.CIRCULAR_LINK_ERROR, OperationFailed),
        (0x7FFFFFFF, OperationFailed),
        (None, OperationFailed),
    ],
)
def test_a_failure_has_the_class_of_its_reason(reason: int | None, cls: type[OperationFailed]) -> None:
    with pytest.raises(OperationFailed) as caught:
        result_of(in_version(V1_4).call(ACTIVATE), message(refusal(Operation.ACTIVATE, reason, "because")))
    assert type(caught.value) is cls
    assert caught.value.operation is Operation.ACTIVATE
    assert caught.value.status is ResultStatus.OPERATION_FAILED
    assert caught.value.reason == reason
    assert caught.value.message == "because"
    assert str(caught.value).startswith("Activate: ")


def test_an_answer_that_is_still_to_come_gives_its_correlation_value() -> None:
    item = refusal(Operation.ACTIVATE, None, None, status=ResultStatus.OPERATION_PENDING)
    item[2].append((Tag.ASYNCHRONOUS_CORRELATION_VALUE, BYTE_STRING, b"later"))
    with pytest.raises(OperationPending) as caught:
        result_of(in_version(V1_4).call(ACTIVATE), message(item))
    assert caught.value.asynchronous_correlation_value == b"later"


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1])
def test_a_batch_has_ordered_items_with_identifiers(version: Version) -> None:
    sent = sent_by(lambda: in_version(version).batch([ACTIVATE, ACTIVATE]))
    assert header_of(sent).batch_order_option is True
    assert header_of(sent).batch_count == 2
    identifiers = [v for item in children(sent)[1:] for t, _, v in item[2] if t == Tag.UNIQUE_BATCH_ITEM_ID]
    assert identifiers == [bytes([0, 0, 0, 1]), bytes([0, 0, 0, 2])]


def test_a_batch_of_3_0_has_neither_identifiers_nor_a_count() -> None:
    sent = sent_by(lambda: in_version(V3_0).batch([ACTIVATE, ACTIVATE]))
    tags = {t for child in children(sent) for t, _, _ in child[2]}
    assert not tags & {Tag.UNIQUE_BATCH_ITEM_ID, Tag.BATCH_COUNT, Tag.BATCH_ORDER_OPTION}


def test_what_to_do_after_a_failure_is_told_to_the_server() -> None:
    sent = sent_by(
        lambda: in_version(V1_4).batch([ACTIVATE, ACTIVATE], on_error=BatchErrorContinuationOption.UNDO)
    )
    assert header_of(sent).batch_error_continuation_option is BatchErrorContinuationOption.UNDO


def test_answers_are_matched_by_identifier_not_by_place() -> None:
    answer = message(
        success(Operation.ACTIVATE, identifier("second"), batch_item=bytes([0, 0, 0, 2])),
        success(Operation.ACTIVATE, identifier("first"), batch_item=bytes([0, 0, 0, 1])),
    )
    first, second = result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), answer)
    assert isinstance(first, ActivateResponse)
    assert first.unique_identifier == "first"
    assert isinstance(second, ActivateResponse)
    assert second.unique_identifier == "second"


def test_answers_without_identifiers_are_matched_by_place() -> None:
    answer = message(
        success(Operation.ACTIVATE, identifier("first")), success(Operation.ACTIVATE, identifier("second"))
    )
    first, _ = result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), answer)
    assert isinstance(first, ActivateResponse)
    assert first.unique_identifier == "first"


def test_requests_after_the_one_that_stopped_the_batch_were_not_tried() -> None:
    answer = message(refusal(Operation.ACTIVATE, batch_item=bytes([0, 0, 0, 1])))
    first, second = result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), answer)
    assert isinstance(first, OperationFailed)
    assert isinstance(second, BatchStopped)


def test_a_message_that_is_refused_as_a_whole_raises_from_a_batch() -> None:
    with pytest.raises(OperationFailed, match="the request"):
        result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), message(refusal(None)))


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="no batch item"),
        pytest.param([success(Operation.ACTIVATE, identifier())], id="too few, none failed"),
        pytest.param([success(Operation.ACTIVATE, identifier())] * 3, id="too many"),
        pytest.param(
            [success(Operation.ACTIVATE, identifier()), success(Operation.DESTROY, identifier())],
            id="another operation",
        ),
        pytest.param(
            [success(Operation.ACTIVATE, identifier(), batch_item=bytes([0, 0, 0, 1]))] * 2,
            id="an identifier twice",
        ),
        pytest.param(
            [
                success(Operation.ACTIVATE, identifier(), batch_item=bytes([0, 0, 0, 1])),
                success(Operation.ACTIVATE, identifier(), batch_item=b"?"),
            ],
            id="an unknown identifier",
        ),
    ],
)
def test_answers_that_cannot_be_matched_are_refused(items: list[Item]) -> None:
    with pytest.raises(ProtocolError):
        result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), message(*items))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP"),
        pytest.param(ACTIVATE_AS_BYTES, id="a request"),
        pytest.param(ACTIVATED_AS_BYTES[:-8], id="cut off"),
        pytest.param(message(success(Operation.ACTIVATE)), id="a field is missing"),
        pytest.param(
            message(success(Operation.ACTIVATE, (Tag.UNIQUE_IDENTIFIER, INTEGER, 7))), id="another item type"
        ),
        pytest.param(message((Tag.BATCH_ITEM, STRUCTURE, [])), id="an empty batch item"),
    ],
)
def test_what_is_no_answer_is_a_protocol_error(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        result_of(in_version(V1_4).call(ACTIVATE), answer)


def test_one_unreadable_answer_of_a_batch_leaves_the_others() -> None:
    answer = message(success(Operation.ACTIVATE), success(Operation.ACTIVATE, identifier()))
    first, second = result_of(in_version(V1_4).batch([ACTIVATE, ACTIVATE]), answer)
    assert isinstance(first, ProtocolError)
    assert isinstance(second, ActivateResponse)


def test_fields_and_numbers_of_another_server_are_passed_over() -> None:
    """The answer of a server that is newer than this code is still an answer."""
    unknown: list[Item] = [(0x420FFF, TEXT_STRING, "new"), (0x54000A, STRUCTURE, [])]
    payload: list[Item] = [
        (Tag.OPERATION, ENUMERATION, int(Operation.GET)),
        (Tag.OPERATION, ENUMERATION, 0x0000FFFF),
        (Tag.OPERATION, ENUMERATION, 0x80000001),
        *unknown,
    ]
    answer = message(success(Operation.QUERY, *payload, more=tuple(unknown)))
    request = QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,))
    found = result_of(in_version(V1_4).call(request), answer)
    assert isinstance(found, QueryResponse)
    assert found.operation == (Operation.GET, 0xFFFF, 0x80000001)


def test_attributes_that_are_not_known_here_are_passed_over() -> None:
    attributes: list[Item] = [
        (Tag.STATE, ENUMERATION, 2),
        (Tag.STATE, ENUMERATION, 99),
        (0x420FFF, TEXT_STRING, "new"),
        (0x540001, TEXT_STRING, "a vendor's"),
        (Tag.CONTACT_INFORMATION, TEXT_STRING, "me"),
    ]
    answer = message(success(Operation.GET_ATTRIBUTES, identifier(), (Tag.ATTRIBUTES, STRUCTURE, attributes)))
    found = result_of(in_version(V2_1).call(GetAttributesRequest()), answer)
    assert [a.key for a in found.attributes.attributes] == [Tag.STATE, Tag.CONTACT_INFORMATION]


def test_an_operation_without_declaration_is_sent_and_answered_raw() -> None:
    request = RawRequest(operation=Operation.SIGN, request_payload=[(Tag.DATA, BYTE_STRING, b"text")])
    answer = message(success(Operation.SIGN, (Tag.SIGNATURE_DATA, BYTE_STRING, b"signed")))
    made, sent = talk(in_version(V1_4).call(request), [answer])
    assert isinstance(made, RawResponse)
    assert made.response_payload == [(Tag.SIGNATURE_DATA, BYTE_STRING, b"signed")]
    assert not sent[0].repeatable


def test_a_request_of_no_operation_is_refused() -> None:
    class Homemade(Request[Response]):
        pass

    with pytest.raises(InvalidRequest, match="Homemade"):
        result_of(in_version(V1_4).call(Homemade()))


def test_a_value_that_its_type_cannot_hold_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidRequest, match="MaximumItems"):
        result_of(in_version(V1_4).call(LocateRequest(maximum_items=2**40)))


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        result_of(in_version(V1_4).batch([]))


def test_a_payload_may_be_left_out_where_all_of_it_is_optional() -> None:
    item = success(Operation.LOCATE)
    item[2].pop()
    assert result_of(in_version(V1_4).call(LocateRequest()), message(item)) == LocateResponse()


def test_only_what_changes_nothing_may_be_sent_twice() -> None:
    """An Encrypt counts against the Usage Limits, so it is not there either."""
    changing = {
        Operation.CREATE, Operation.REGISTER, Operation.DESTROY, Operation.REVOKE, Operation.ACTIVATE,
        Operation.RE_KEY, Operation.ENCRYPT, Operation.GET_USAGE_ALLOCATION, Operation.ADD_ATTRIBUTE,
    }  # fmt: skip
    assert not REPEATABLE & changing
    get, destroy = GetRequest(), DestroyRequest()
    assert next(in_version(V1_4).call(get)).repeatable
    assert not next(in_version(V1_4).batch([get, destroy])).repeatable


@pytest.mark.parametrize(
    ("alone", "counted"),
    [
        (GetRequest(), GetRequest(key_wrapping_specification=wrapping("w"))),
        (
            GetRequest(key_format_type=KeyFormatType.PKCS_8),
            GetRequest(key_format_type=KeyFormatType.PKCS_12),
        ),
        (HASH, HASH.replace(correlation_value=b"c")),
        (DecryptRequest(data=b""), DecryptRequest(data=b"", correlation_value=b"c", final_indicator=True)),
    ],
    ids=["wrapped", "container", "part to hash", "part to decrypt"],
)
def test_what_counts_each_time_is_not_sent_twice(
    alone: Request[Response], counted: Request[Response]
) -> None:
    """Wrapping counts against the Usage Limits, and a part that is sent twice is in the data twice."""
    assert next(in_version(V1_4).call(alone)).repeatable
    assert not next(in_version(V1_4).call(counted)).repeatable


TICKET = Ticket(ticket_type=TicketType.LOGIN, ticket_value=SecretBytes(b"opensesame"))


def test_a_ticket_goes_into_the_header_and_asks_for_the_version_in_one_that_has_tickets() -> None:
    conversation = Conversation(credentials=Credentials(ticket=TICKET))
    _, sent = talk(conversation.call(ACTIVATE), [versions(V2_1, answered_in=V2_0), activated()])
    for outgoing, version in zip(sent, (V2_0, V2_1), strict=True):
        children = binary.decode(outgoing.message)[2]
        header = decoder(RequestHeader, version)(children[0][2])
        assert header.authentication is not None
        (credential,) = header.authentication.credential
        assert credential.read() == TicketCredential(ticket=TICKET)


def test_a_version_without_tickets_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(VersionNotSupported, match="Credential Type Ticket"):
        sent_by(lambda: Conversation(version=V1_4, credentials=Credentials(ticket=TICKET)).call(ACTIVATE))
