"""Header rules of each version, and the form of answers."""

from datetime import UTC, datetime

import pytest

from strongroom.domain.identity import Connection
from strongroom.engine.answers import joined
from strongroom.model.convert import encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import Attestation, Authentication, Credential
from strongroom.model.structures import Nonce
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.query import QueryRequest
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_3,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    AttestationType,
    BatchErrorContinuationOption,
    CredentialType,
    QueryFunction,
    ResultReason,
    Tag,
    Version,
)
from strongroom.registry.names import defined_tags
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.faults.noise import create
from tests.kms import ALICE, Refused, TestKms, request_message

QUERY = QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS, QueryFunction.QUERY_OBJECTS))


def fields(item: Item) -> dict[int, object]:
    return {tag: value for tag, _, value in item[2]}


def reason_of(answer: Item) -> object:
    return fields(answer[2][1])[Tag.RESULT_REASON]


def extension(criticality: Item) -> Item:
    said: list[Item] = [(int(Tag.VENDOR_IDENTIFICATION), 7, "acme"), criticality]
    return (int(Tag.MESSAGE_EXTENSION), 1, [*said, (int(Tag.VENDOR_EXTENSION), 1, [])])


def tags_in(item: Item) -> set[int]:
    tag, item_type, value = item
    return {tag} | (set().union(*map(tags_in, value)) if item_type == 1 else set())


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_answer_has_the_version_of_the_request(kms: TestKms, version: Version) -> None:
    assert kms.call(QUERY, version=version).operation


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_answer_holds_no_tag_that_its_version_does_not_define(kms: TestKms, version: Version) -> None:
    every = QueryRequest(query_function=tuple(QueryFunction))
    root = request_message(every, version=version, client_correlation_value="c")
    assert tags_in(kms.send(root)) <= defined_tags(version)


def test_the_client_correlation_value_is_echoed_from_1_4_on(kms: TestKms) -> None:
    for version in VERSIONS:
        header = fields(kms.send(request_message(QUERY, version=version))[2][0])
        assert Tag.CLIENT_CORRELATION_VALUE not in header
        root = request_message(QUERY, version=version, client_correlation_value="step 1")
        header = fields(kms.send(root)[2][0])
        assert header.get(Tag.CLIENT_CORRELATION_VALUE) == ("step 1" if version >= V1_4 else None)


def test_a_wrong_batch_count_is_an_invalid_message(kms: TestKms) -> None:
    """faults 7."""
    answer = kms.send(request_message(QUERY, version=V1_0, batch_count=2))
    assert reason_of(answer) == ResultReason.INVALID_MESSAGE
    assert len(answer[2]) == 2


@pytest.mark.parametrize(
    ("major", "minor", "answered"),
    [(9, 9, (3, 0)), (1, 5, (1, 4)), (0, 1, (1, 0)), (-1, 0, (1, 0)), (2, 7, (2, 1))],
)
def test_an_unknown_version_is_answered_in_one_of_ours(
    kms: TestKms, major: int, minor: int, answered: tuple[int, int]
) -> None:
    """faults 11."""
    root = request_message(QUERY, version=V1_4)
    version: Item = (
        int(Tag.PROTOCOL_VERSION),
        1,
        [(int(Tag.PROTOCOL_VERSION_MAJOR), 2, major), (int(Tag.PROTOCOL_VERSION_MINOR), 2, minor)],
    )
    root[2][0][2][0] = version
    answer = kms.send(root)
    assert tuple(v for _, _, v in answer[2][0][2][0][2]) == answered
    expected = (
        ResultReason.INVALID_MESSAGE if answered < (2, 0) else ResultReason.UNSUPPORTED_PROTOCOL_VERSION
    )
    assert reason_of(answer) == expected


def test_bytes_that_are_no_message_are_answered(kms: TestKms) -> None:
    answer = kms.run(
        kms.dispatcher.handle(b"\x42\x00\x78\x01\x00\x00\x00\x00", Connection(client=ALICE, peer=""))
    )
    assert reason_of(binary.decode(joined(answer))) == ResultReason.INVALID_MESSAGE


@pytest.mark.parametrize("value", [(2, 5), (4, 5), (6, True), (7, "abc"), (8, b"abc"), (1, [])])
def test_a_request_message_that_is_no_structure_is_answered(kms: TestKms, value: tuple[int, object]) -> None:
    answer = kms.send((int(Tag.REQUEST_MESSAGE), *value))
    assert reason_of(answer) == ResultReason.INVALID_MESSAGE


def test_maximum_response_size_is_kept(kms: TestKms) -> None:
    """faults 10."""
    answer = kms.send(request_message(QUERY, version=V1_0, maximum_response_size=300))
    assert reason_of(answer) == ResultReason.RESPONSE_TOO_LARGE
    full = kms.send(request_message(QUERY, version=V1_0))
    size = len(binary.encode(full))
    fitting = kms.send(request_message(QUERY, version=V1_0, maximum_response_size=size + 200))
    assert fitting[2][1] == full[2][1]


@pytest.mark.parametrize("option", list(BatchErrorContinuationOption))
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_failures_have_no_more_room_than_what_is_done(
    kms: TestKms, count: int, option: BatchErrorContinuationOption
) -> None:
    """KMIP 1.4 §6.3: a longer answer cannot be read, and nobody would know what was done."""
    failing = [GetRequest(unique_identifier=UniqueIdentifier("nowhere"))] * count
    for size in range(0, 2000, 50):
        root = request_message(
            QUERY,
            *failing,
            QUERY,
            version=V1_4,
            maximum_response_size=size,
            batch_error_continuation_option=option,
        )
        answer = kms.send(root)
        least = len(answer[2]) == 2 and reason_of(answer) == ResultReason.RESPONSE_TOO_LARGE
        assert least or len(binary.encode(answer)) <= size
        if not least:
            told = [fields(item)[Tag.RESULT_STATUS] for item in answer[2][1:]]
            assert len(told) == (count + 2 if option is BatchErrorContinuationOption.CONTINUE else 2)


def test_nothing_is_done_where_not_even_failures_would_fit(kms: TestKms) -> None:
    made = [create() for _ in range(20)]
    answer = kms.send(request_message(*made, version=V1_4, maximum_response_size=1000))
    assert [fields(item)[Tag.RESULT_REASON] for item in answer[2][1:]] == [ResultReason.RESPONSE_TOO_LARGE]
    assert kms.call(LocateRequest()).unique_identifier == ()


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (V1_3, ResultReason.FEATURE_NOT_SUPPORTED),
        (V1_4, ResultReason.FEATURE_NOT_SUPPORTED),
        (V2_0, ResultReason.UNKNOWN_MESSAGE_EXTENSION),
        (V2_1, ResultReason.UNKNOWN_MESSAGE_EXTENSION),
        (V3_0, ResultReason.UNKNOWN_MESSAGE_EXTENSION),
    ],
    ids=str,
)
@pytest.mark.parametrize("critical", [(True,), (True, False), (False, True), (False,), (False, False)])
def test_a_critical_message_extension_stops_the_message_and_another_is_ignored(
    kms: TestKms, critical: tuple[bool, ...], version: Version, reason: ResultReason
) -> None:
    """faults 6; KMIP 1.4 §11.1, 2.1 §11.46."""
    root = request_message(QUERY, version=version)
    root[2][1][2].extend(extension((int(Tag.CRITICALITY_INDICATOR), 6, one)) for one in critical)
    answer = kms.send(root)
    if any(critical):
        assert reason_of(answer) == reason
    else:
        assert Tag.RESULT_REASON not in fields(answer[2][1])


def test_a_message_extension_that_cannot_be_read_stops_the_message(kms: TestKms) -> None:
    root = request_message(QUERY, version=V1_3)
    root[2][1][2].append(extension((int(Tag.CRITICALITY_INDICATOR), 2, 1)))
    item = fields(kms.send(root)[2][1])
    assert item[Tag.RESULT_REASON] == ResultReason.INVALID_MESSAGE
    assert item[Tag.RESULT_MESSAGE] == (
        "RequestMessage.BatchItem[0].MessageExtension.CriticalityIndicator: expected BOOLEAN, got INTEGER"
    )


def test_an_operation_of_a_later_version_is_not_supported(kms: TestKms) -> None:
    with pytest.raises(Refused) as refused:
        kms.call(DiscoverVersionsRequest(), version=V1_0)
    assert refused.value.reason is ResultReason.OPERATION_NOT_SUPPORTED


def test_a_payload_that_cannot_be_read_is_answered_with_place_and_offset(kms: TestKms) -> None:
    """faults 5."""
    root = request_message(GetRequest(), version=V1_0)
    root[2][1][2][-1][2].append((int(Tag.KEY_FORMAT_TYPE), 2, 1))
    item = fields(kms.send(root)[2][1])
    assert item[Tag.RESULT_REASON] == ResultReason.INVALID_MESSAGE
    assert item[Tag.RESULT_MESSAGE] == (
        "RequestMessage.BatchItem[0].RequestPayload.KeyFormatType: "
        "expected ENUMERATION, got INTEGER (byte 104)"
    )


def test_an_unknown_field_of_a_payload_is_an_invalid_field(kms: TestKms) -> None:
    """faults 6."""
    root = request_message(GetRequest(), version=V1_0)
    root[2][1][2][-1][2].append((int(Tag.NONCE_VALUE), 8, b"1"))
    assert reason_of(kms.send(root)) == ResultReason.INVALID_FIELD


def test_an_empty_credential_counts_as_none(kms: TestKms) -> None:
    credential: list[Item] = [
        (int(Tag.CREDENTIAL_TYPE), 5, 1),
        (int(Tag.CREDENTIAL_VALUE), 1, [(int(Tag.USERNAME), 7, ""), (int(Tag.PASSWORD), 7, "")]),
    ]
    root = request_message(QUERY, version=V1_0)
    authentication: Item = (int(Tag.AUTHENTICATION), 1, [(int(Tag.CREDENTIAL), 1, credential)])
    root[2][0][2].insert(1, authentication)
    assert Tag.RESULT_REASON not in fields(kms.send(root)[2][1])
    assert Authentication().credential == ()


@pytest.mark.parametrize("version", [v for v in VERSIONS if v >= V1_2], ids=str)
def test_an_attestation_is_refused_and_who_could_attest_is_not(kms: TestKms, version: Version) -> None:
    """KMIP 1.4 §6.17 and §11: no operation requires attestation here, so nobody is asked for one."""
    attestation = Attestation(
        nonce=Nonce(nonce_id=b"1", nonce_value=b"2"),
        attestation_type=AttestationType.TPM_QUOTE,
        attestation_measurement=b"3",
    )
    credential = Credential(
        credential_type=CredentialType.ATTESTATION,
        credential_value=encoder(Attestation, version)(attestation),
    )
    root = request_message(QUERY, version=version, authentication=Authentication(credential=(credential,)))
    assert reason_of(kms.send(root)) == ResultReason.FEATURE_NOT_SUPPORTED
    able = {"attestation_capable_indicator": True, "attestation_type": (AttestationType.TPM_QUOTE,)}
    answer = kms.send(request_message(QUERY, version=version, **able))
    assert Tag.RESULT_REASON not in fields(answer[2][1])
    assert not {Tag.NONCE, Tag.ATTESTATION_TYPE} & set(fields(answer[2][0]))


def test_the_time_stamp_of_a_request_is_not_compared(kms: TestKms) -> None:
    """KMIP 1.4 §6.5 leaves it to the server: clients without a clock would be locked out."""
    root = request_message(QUERY, version=V1_4, time_stamp=datetime(1970, 1, 1, tzinfo=UTC))
    assert Tag.RESULT_REASON not in fields(kms.send(root)[2][1])
