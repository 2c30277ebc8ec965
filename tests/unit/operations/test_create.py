"""Create (KMIP 1.x §4.1, 2.1 §6.1.8)."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from strongroom.attributes.rules import MAXIMUM_INSTANCES
from strongroom.domain.identity import Connection
from strongroom.engine.answers import joined
from strongroom.model.attribute_list import AttributeInstance, RawValue, TemplateAttributes, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import SecretData, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Digest, Name
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    ObjectType,
    ResultReason,
    ResultStatus,
    SecretDataType,
    State,
    Tag,
)
from strongroom.wire import binary
from tests.expect import (
    EVERY_USE,
    assert_refused,
    key,
    mask,
    named,
    refusal,
    register_template,
    state_of,
    value,
    values,
)
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

AES = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
LENGTH = attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)
USE = mask(EVERY_USE)


def create(
    *attributes: AttributeInstance, object_type: ObjectType = ObjectType.SYMMETRIC_KEY
) -> CreateRequest:
    return CreateRequest(object_type=object_type, attributes=template(*attributes))


def from_template(name: str, *attributes: AttributeInstance) -> CreateRequest:
    given = TemplateAttributes(names=(Name(name_value=name),), attributes=template(*attributes).attributes)
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=given)


def material(kms: TestKms, made: UniqueIdentifier) -> bytes:
    got = kms.call(GetRequest(unique_identifier=made)).managed_object
    assert isinstance(got, SymmetricKey | SecretData)
    key_value = got.key_block.key_value
    assert key_value is not None
    assert not isinstance(key_value, SecretBytes)
    assert isinstance(key_value.key_material, SecretBytes)
    return key_value.key_material.reveal()


@pytest.mark.parametrize("length", [128, 192, 256])
def test_a_key_has_the_length_that_was_asked_for(kms: TestKms, length: int) -> None:
    answer = kms.call(create(AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, length), USE))
    assert answer.object_type is ObjectType.SYMMETRIC_KEY
    assert len(material(kms, answer.unique_identifier)) * 8 == length
    assert value(kms, answer.unique_identifier, Tag.CRYPTOGRAPHIC_LENGTH) == length


def test_no_two_keys_are_the_same(kms: TestKms) -> None:
    assert material(kms, key(kms)) != material(kms, key(kms))


@pytest.mark.parametrize(("length", "size"), [(80, 10), (None, 32), (8, 1)])
def test_secret_data_needs_no_algorithm(kms: TestKms, length: int | None, size: int) -> None:
    """KMIP 2.1 §3.1: Cryptographic Algorithm and Length do not apply to Secret Data."""
    given = () if length is None else (attribute(Tag.CRYPTOGRAPHIC_LENGTH, length),)
    made = kms.call(create(*given, object_type=ObjectType.SECRET_DATA)).unique_identifier
    got = kms.call(GetRequest(unique_identifier=made)).managed_object
    assert isinstance(got, SecretData)
    assert got.secret_data_type is SecretDataType.PASSWORD
    assert got.key_block.key_format_type is KeyFormatType.RAW
    assert got.key_block.cryptographic_algorithm is got.key_block.cryptographic_length is None
    assert len(material(kms, made)) == size
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 8 * size


def test_secret_data_is_generated(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.8: a new symmetric key or Secret Data."""
    answer = kms.call(create(AES, LENGTH, USE, object_type=ObjectType.SECRET_DATA))
    assert answer.object_type is ObjectType.SECRET_DATA
    assert len(material(kms, answer.unique_identifier)) == 32


def test_a_new_key_is_pre_active(kms: TestKms) -> None:
    """KMIP 2.1 §4.57, transition 1."""
    assert state_of(kms, key(kms)) is State.PRE_ACTIVE


def test_an_activation_date_that_has_passed_makes_an_active_key(kms: TestKms) -> None:
    """KMIP 2.1 §4.57: the server shall set the Activation Date to the value in the request."""
    before = kms.clock.now() - timedelta(days=1)
    made = key(kms, attribute(Tag.ACTIVATION_DATE, before))
    assert state_of(kms, made) is State.ACTIVE
    assert value(kms, made, Tag.ACTIVATION_DATE) == before


def test_an_activation_date_to_come_makes_a_pre_active_key(kms: TestKms) -> None:
    after = kms.clock.now() + timedelta(days=1)
    assert state_of(kms, key(kms, attribute(Tag.ACTIVATION_DATE, after))) is State.PRE_ACTIVE


def test_dates_that_have_all_passed_make_a_deactivated_key(kms: TestKms) -> None:
    now = kms.clock.now()
    made = key(
        kms,
        attribute(Tag.ACTIVATION_DATE, now - timedelta(days=2)),
        attribute(Tag.DEACTIVATION_DATE, now - timedelta(days=1)),
    )
    assert state_of(kms, made) is State.DEACTIVATED


@pytest.mark.parametrize("tag", [Tag.INITIAL_DATE, Tag.LAST_CHANGE_DATE, Tag.ORIGINAL_CREATION_DATE])
def test_the_dates_of_the_beginning_are_now(kms: TestKms, tag: Tag) -> None:
    """KMIP 1.4 §3.23, §3.38 and §3.43."""
    assert value(kms, key(kms), tag) == kms.clock.now()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (Tag.FRESH, True),
        (Tag.SENSITIVE, False),
        (Tag.ALWAYS_SENSITIVE, False),
        (Tag.EXTRACTABLE, True),
        (Tag.NEVER_EXTRACTABLE, False),
        (Tag.KEY_FORMAT_TYPE, KeyFormatType.RAW),
        (Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY),
        (Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        (Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE),
        (Tag.LEASE_TIME, 3600),
    ],
)
def test_the_server_sets_what_the_client_leaves_out(kms: TestKms, tag: Tag, expected: Any) -> None:
    """KMIP 2.1 §4: each of them shall always have a value."""
    assert value(kms, key(kms), tag) == expected


@pytest.mark.parametrize(
    ("given", "follower"),
    [
        (attribute(Tag.SENSITIVE, value=True), Tag.ALWAYS_SENSITIVE),
        (attribute(Tag.EXTRACTABLE, value=False), Tag.NEVER_EXTRACTABLE),
    ],
)
def test_always_sensitive_and_never_extractable_follow_from_the_beginning(
    kms: TestKms, given: AttributeInstance, follower: Tag
) -> None:
    """KMIP 2.1 §4.3 and §4.33."""
    assert value(kms, key(kms, given), follower) is True


def test_the_digest_is_of_the_key(kms: TestKms) -> None:
    """KMIP 1.4 §3.17: SHA-256 shall be used by default."""
    made = key(kms)
    assert value(kms, made, Tag.DIGEST) == Digest(
        hashing_algorithm=HashingAlgorithm.SHA_256,
        digest_value=sha256(material(kms, made)).digest(),
        key_format_type=KeyFormatType.RAW,
    )


def test_attributes_with_several_values_keep_them_all(kms: TestKms) -> None:
    made = key(kms, named("a"), named("b"), attribute(Tag.OBJECT_GROUP, "g"))
    assert [n.name_value for n in values(kms, made, Tag.NAME)] == ["a", "b"]
    assert values(kms, made, Tag.OBJECT_GROUP) == ["g"]


def test_attributes_come_from_a_template(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.8: a Template-Attribute may name Templates."""
    register_template(kms, "t", AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), USE)
    made = kms.call(from_template("t")).unique_identifier
    assert len(material(kms, made)) == 16
    assert value(kms, made, Tag.CRYPTOGRAPHIC_USAGE_MASK) == EVERY_USE


def test_the_request_goes_before_the_template(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.8: for single-instance attributes what is specified explicitly takes precedence."""
    register_template(kms, "t", AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), USE)
    assert len(material(kms, kms.call(from_template("t", LENGTH)).unique_identifier)) == 32


def test_values_of_template_and_request_are_united(kms: TestKms) -> None:
    """KMIP 1.4 §4.1: for multi-instance attributes the union of the values is used."""
    register_template(kms, "t", AES, LENGTH, USE, attribute(Tag.OBJECT_GROUP, "theirs"))
    made = kms.call(from_template("t", attribute(Tag.OBJECT_GROUP, "mine"))).unique_identifier
    assert set(values(kms, made, Tag.OBJECT_GROUP)) == {"mine", "theirs"}


def test_a_template_that_does_not_exist_is_item_not_found(kms: TestKms) -> None:
    """KMIP 1.4 §11.1."""
    assert refusal(kms, from_template("none")).reason is ResultReason.ITEM_NOT_FOUND


def test_the_template_of_another_owner_does_not_exist(kms: TestKms) -> None:
    register_template(kms, "t", AES, LENGTH, USE)
    assert refusal(kms, from_template("t"), caller=BOB).reason is ResultReason.ITEM_NOT_FOUND


def test_an_archived_template_is_object_archived(kms: TestKms) -> None:
    """KMIP 1.4 §11.1."""
    made = register_template(kms, "t", AES, LENGTH, USE)
    kms.call(ArchiveRequest(unique_identifier=made))
    assert refusal(kms, from_template("t")).reason is ResultReason.OBJECT_ARCHIVED


@pytest.mark.parametrize(
    "object_type",
    [ObjectType.CERTIFICATE, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.OPAQUE_OBJECT],
)
def test_other_objects_are_not_created(kms: TestKms, object_type: ObjectType) -> None:
    """KMIP 1.4 §11.1: Object Type is not recognized."""
    request = create(AES, LENGTH, USE, object_type=object_type)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_OBJECT_TYPE)


def test_a_key_needs_an_algorithm(kms: TestKms) -> None:
    """KMIP 1.4 §4.1, table 165."""
    assert_refused(kms, create(LENGTH, USE), ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


@pytest.mark.parametrize(
    ("algorithm", "use"),
    [
        (CryptographicAlgorithm.AES, CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT),
        (
            CryptographicAlgorithm.HMAC_SHA256,
            CryptographicUsageMask.MAC_GENERATE | CryptographicUsageMask.MAC_VERIFY,
        ),
    ],
)
def test_a_key_made_without_a_mask_is_for_what_the_algorithm_is_for(
    kms: TestKms, algorithm: CryptographicAlgorithm, use: CryptographicUsageMask
) -> None:
    """KMIP 2.1 §4.17: the mask always has a value, set by server or client."""
    made = kms.call(create(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm))).unique_identifier
    assert value(kms, made, Tag.CRYPTOGRAPHIC_USAGE_MASK) == use


@pytest.mark.parametrize("length", [0, 81, -8, 8 * 65536 + 8, 2**31 - 1])
def test_a_secret_is_whole_bytes_and_not_endless(kms: TestKms, length: int) -> None:
    given = attribute(Tag.CRYPTOGRAPHIC_LENGTH, length)
    request = create(given, object_type=ObjectType.SECRET_DATA)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


@pytest.mark.parametrize("length", [-128, 0, 100, 129, 1024, 2**31 - 1])
def test_a_length_that_the_algorithm_does_not_have_is_refused(kms: TestKms, length: int) -> None:
    request = create(AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, length), USE)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_an_algorithm_without_symmetric_keys_is_refused(kms: TestKms) -> None:
    rsa = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA)
    assert_refused(kms, create(rsa, LENGTH, USE), ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.STATE, State.ACTIVE),
        (Tag.UNIQUE_IDENTIFIER, "mine"),
        (Tag.LAST_CHANGE_DATE, "now"),
        (Tag.COMPROMISE_DATE, "now"),
        (Tag.DESTROY_DATE, "now"),
    ],
)
def test_what_only_the_server_sets_is_refused(kms: TestKms, tag: Tag, given: Any) -> None:
    """KMIP 1.4 §11.1: incorrect attribute value(s) specified."""
    if given == "now":
        given = kms.clock.now()
    request = create(AES, LENGTH, USE, attribute(tag, given))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.READ_ONLY_ATTRIBUTE)


def test_a_second_value_of_a_single_instance_attribute_is_refused(kms: TestKms) -> None:
    again = attribute(Tag.PROCESS_START_DATE, kms.clock.now())
    other = attribute(Tag.PROCESS_START_DATE, kms.clock.now() + timedelta(days=1))
    request = create(AES, LENGTH, USE, again, other)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.ATTRIBUTE_SINGLE_VALUED)


def test_more_values_than_an_object_has_room_for_are_index_out_of_bounds(kms: TestKms) -> None:
    """KMIP 1.4 §11.2: more instances than the server supports."""
    text = RawValue(ItemType.TEXT_STRING, "")
    many = (attribute(VendorAttribute("x", str(number)), text) for number in range(MAXIMUM_INSTANCES))
    request = create(AES, LENGTH, USE, *many)
    assert_refused(kms, request, ResultReason.INDEX_OUT_OF_BOUNDS, ResultReason.SERVER_LIMIT_EXCEEDED)


def test_an_attribute_that_the_object_cannot_have_is_refused(kms: TestKms) -> None:
    request = create(AES, LENGTH, USE, attribute(Tag.CERTIFICATE_LENGTH, 9))
    found = refusal(kms, request, version=V2_1).reason
    assert found in (ResultReason.INVALID_ATTRIBUTE, ResultReason.READ_ONLY_ATTRIBUTE)
    assert refusal(kms, request).reason is ResultReason.INVALID_FIELD


def test_an_attribute_that_no_version_defines_is_refused(kms: TestKms) -> None:
    made_up = attribute(VendorAttribute("", "Colour"), RawValue(7, "red"))
    assert refusal(kms, create(AES, LENGTH, USE, made_up)).reason is ResultReason.INVALID_FIELD


def test_a_name_of_another_object_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.1."""
    key(kms, named("n"))
    request = create(AES, LENGTH, USE, named("n"))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_a_name_of_another_owner_does_not_count(kms: TestKms) -> None:
    key(kms, named("n"))
    key(kms, named("n"), caller=BOB)


@pytest.mark.parametrize("tag", [Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE])
def test_dates_before_the_activation_date_are_refused(kms: TestKms, tag: Tag) -> None:
    """KMIP 2.1 §4.40 and §4.41: no earlier than the Activation Date."""
    activation = kms.clock.now() + timedelta(days=1)
    dates = attribute(Tag.ACTIVATION_DATE, activation), attribute(tag, activation - timedelta(seconds=1))
    request = create(AES, LENGTH, USE, *dates)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_a_key_format_type_that_is_asked_for_is_given_or_refused(kms: TestKms) -> None:
    """KMIP 2.1 §4.26: the server shall comply with the client's requested format or fail the request."""
    wanted = KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    made = kms.call(create(AES, LENGTH, USE, attribute(Tag.KEY_FORMAT_TYPE, wanted)), version=V2_1)
    identifier = made.unique_identifier
    assert value(kms, identifier, Tag.KEY_FORMAT_TYPE, version=V2_1) is wanted
    formats = [d.key_format_type for d in values(kms, identifier, Tag.DIGEST)]
    assert formats == [wanted, KeyFormatType.RAW]
    for impossible in (KeyFormatType.PKCS_8, KeyFormatType.OPAQUE):
        bad = create(AES, LENGTH, USE, attribute(Tag.KEY_FORMAT_TYPE, impossible))
        (result,) = kms.batch(bad, version=V2_1)
        assert isinstance(result, Refused)
        assert result.reason is ResultReason.INVALID_ATTRIBUTE_VALUE


def test_what_is_refused_leaves_nothing(kms: TestKms) -> None:
    refusal(kms, create(AES, LENGTH, USE, named("n"), attribute(Tag.STATE, State.ACTIVE)))
    assert kms.call(LocateRequest()).unique_identifier == ()


def test_the_mask_may_have_every_bit(kms: TestKms) -> None:
    every = CryptographicUsageMask(0)
    for bit in CryptographicUsageMask:
        every |= bit
    made = kms.call(create(AES, LENGTH, mask(every)), version=V2_1).unique_identifier
    assert value(kms, made, Tag.CRYPTOGRAPHIC_USAGE_MASK, version=V2_1) & EVERY_USE == EVERY_USE


def test_a_new_key_can_be_used_at_once_in_its_batch(kms: TestKms) -> None:
    created, got = kms.batch(create(AES, LENGTH, USE), GetRequest(), version=V1_4)
    assert not isinstance(created, Refused)
    assert not isinstance(got, Refused)


def test_of_two_requests_for_one_name_at_the_same_time_one_gets_it(kms: TestKms) -> None:
    message = binary.encode(request_message(create(AES, LENGTH, USE, named("n")), version=V1_4))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def together() -> list[bytes]:
        answers = await asyncio.gather(*(kms.dispatcher.handle(message, connection) for _ in range(5)))
        return [joined(answer) for answer in answers]

    answers = [binary.decode(a) for a in kms.run(together())]
    statuses = [v for a in answers for t, _, v in a[2][1][2] if t == Tag.RESULT_STATUS]
    assert sorted(statuses) == [ResultStatus.SUCCESS] + [ResultStatus.OPERATION_FAILED] * 4
    assert len(kms.call(LocateRequest()).unique_identifier) == 1
