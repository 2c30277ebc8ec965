"""Re-key (KMIP 1.x §4.4, 2.1 §6.1.46)."""

from datetime import timedelta
from hashlib import sha256

import pytest

from strongroom.attributes.matching import NO_DATE
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyValue
from strongroom.model.objects import SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.model.structures import KeyValueLocation, Link, Name, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    V3_0,
    CryptographicAlgorithm,
    KeyValueLocationType,
    LinkType,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.expect import (
    EVERY_USE,
    active_key,
    assert_refused,
    key,
    key_in,
    key_pair,
    later,
    mask,
    named,
    raw_key,
    refusal,
    register_password,
    registration,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import TestKms, attribute, template
from tests.unit.operations.splits import join, split

DATES = (
    Tag.ACTIVATION_DATE,
    Tag.PROCESS_START_DATE,
    Tag.PROTECT_STOP_DATE,
    Tag.DEACTIVATION_DATE,
)


def re_key(
    kms: TestKms, old: UniqueIdentifier, *given: AttributeInstance, offset: int | None = None
) -> UniqueIdentifier:
    request = ReKeyRequest(
        unique_identifier=old,
        offset=None if offset is None else Seconds(offset),
        attributes=template(*given) if given else None,
    )
    return kms.call(request).unique_identifier


def test_the_new_key_is_another_one_of_the_same_kind(kms: TestKms) -> None:
    old = key(kms, length=192)
    new = re_key(kms, old)
    assert new != old
    for tag, expected in (
        (Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        (Tag.CRYPTOGRAPHIC_LENGTH, 192),
        (Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE),
    ):
        assert value(kms, new, tag) == expected
    assert value(kms, new, Tag.DIGEST) != value(kms, old, Tag.DIGEST)


def test_the_two_keys_are_linked(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.46: Replacement Object from the old key, Replaced Object from the new one."""
    old = key(kms)
    new = re_key(kms, old)
    assert values(kms, old, Tag.LINK) == [
        Link(link_type=LinkType.REPLACEMENT_OBJECT_LINK, linked_object_identifier=new)
    ]
    assert values(kms, new, Tag.LINK) == [
        Link(link_type=LinkType.REPLACED_OBJECT_LINK, linked_object_identifier=old)
    ]


def test_the_new_key_takes_the_names(kms: TestKms) -> None:
    """KMIP 2.1 table 304: all name attributes are removed from the existing key."""
    old = key(kms, named("a"), named("b"))
    new = re_key(kms, old)
    assert [n.name_value for n in values(kms, new, Tag.NAME)] == ["a", "b"]
    assert values(kms, old, Tag.NAME) == []


def test_other_attributes_are_copied(kms: TestKms) -> None:
    old = key(kms, attribute(Tag.OBJECT_GROUP, "g"), attribute(Tag.CONTACT_INFORMATION, "ops"))
    new = re_key(kms, old)
    assert values(kms, new, Tag.OBJECT_GROUP) == ["g"]
    assert values(kms, new, Tag.CONTACT_INFORMATION) == ["ops"]


def test_the_indices_of_the_new_key_start_with_0(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.1; else Modify Attribute without an index would find nothing."""
    old = key(kms, *(attribute(Tag.OBJECT_GROUP, group) for group in ("a", "b", "c")))
    kms.call(
        DeleteAttributeRequest(unique_identifier=old, attribute_name=Tag.OBJECT_GROUP, attribute_index=0)
    )
    request = GetAttributesRequest(
        unique_identifier=re_key(kms, old), attribute_reference=(Tag.OBJECT_GROUP,)
    )
    found = kms.call(request, version=V1_4).attributes.attributes
    assert [(one.value, one.index) for one in found] == [("b", 0), ("c", 1)]


def test_the_new_key_is_as_old_as_the_request(kms: TestKms) -> None:
    """KMIP 2.1 table 304: Initial Date and Last Change Date are set to the current time."""
    old = key(kms)
    created = kms.clock.now()
    kms.clock.pass_time(days=3)
    new = re_key(kms, old)
    for tag in (Tag.INITIAL_DATE, Tag.LAST_CHANGE_DATE, Tag.ORIGINAL_CREATION_DATE):
        assert value(kms, new, tag) == kms.clock.now()
    assert value(kms, old, Tag.INITIAL_DATE) == created


def test_without_offset_the_dates_are_copied(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.46."""
    dates = [attribute(tag, kms.clock.now() + timedelta(days=n)) for n, tag in enumerate(DATES, 1)]
    old = key(kms, *dates)
    new = re_key(kms, old)
    assert [value(kms, new, tag) for tag in DATES] == [d.value for d in dates]


def test_with_an_offset_the_dates_are_shifted(kms: TestKms) -> None:
    """KMIP 2.1 table 303: AT2 is IT2 and the Offset; the others move by AT2 - AT1."""
    dates = [attribute(tag, kms.clock.now() + timedelta(days=n)) for n, tag in enumerate(DATES)]
    old = key(kms, *dates)
    kms.clock.pass_time(days=10)
    new = re_key(kms, old, offset=3600)
    start = kms.clock.now() + timedelta(hours=1)
    expected = [start + timedelta(days=n) for n in range(4)]
    assert [value(kms, new, tag) for tag in DATES] == expected


@pytest.mark.parametrize("offset", [0, 3600, 2**32 - 1])
def test_what_never_ends_is_replaced_by_what_never_ends(kms: TestKms, offset: int) -> None:
    """KMIP 2.1 §6.1.28: the largest date is equivalent to an undefined one, so it is not moved."""
    start = attribute(Tag.ACTIVATION_DATE, kms.clock.now())
    old = key(
        kms, start, attribute(Tag.PROTECT_STOP_DATE, NO_DATE), attribute(Tag.DEACTIVATION_DATE, NO_DATE)
    )
    kms.clock.pass_time(days=10)
    new = re_key(kms, old, offset=offset)
    assert value(kms, new, Tag.ACTIVATION_DATE) == later(kms, seconds=offset)
    for tag in (Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE):
        assert value(kms, new, tag) == NO_DATE


def test_what_would_end_after_the_largest_date_never_ends(kms: TestKms) -> None:
    end = attribute(Tag.DEACTIVATION_DATE, NO_DATE - timedelta(days=1))
    old = key(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now()), end)
    kms.clock.pass_time(days=10)
    assert value(kms, re_key(kms, old, offset=0), Tag.DEACTIVATION_DATE) == NO_DATE


def test_a_key_that_was_never_to_be_used_has_no_beginning_to_move_dates_by(kms: TestKms) -> None:
    never = attribute(Tag.ACTIVATION_DATE, NO_DATE)
    new = re_key(kms, key(kms, never, attribute(Tag.DEACTIVATION_DATE, NO_DATE)), offset=0)
    assert value(kms, new, Tag.ACTIVATION_DATE) == kms.clock.now()
    assert value(kms, new, Tag.DEACTIVATION_DATE) == NO_DATE


@pytest.mark.parametrize(
    ("offset", "state"), [(0, State.ACTIVE), (3600, State.PRE_ACTIVE), (None, State.PRE_ACTIVE)]
)
def test_the_state_follows_from_the_dates(kms: TestKms, offset: int | None, state: State) -> None:
    """KMIP 2.1 table 304."""
    assert state_of(kms, re_key(kms, key(kms), offset=offset)) is state


def test_the_old_key_stays_in_its_state(kms: TestKms) -> None:
    old = active_key(kms)
    re_key(kms, old, offset=0)
    assert state_of(kms, old) is State.ACTIVE


def test_an_offset_beside_a_date_is_an_invalid_message(kms: TestKms) -> None:
    """KMIP 1.4 §11.5: not permitted at the same time as any of the dates."""
    request = ReKeyRequest(
        unique_identifier=key(kms),
        offset=Seconds(0),
        attributes=template(attribute(Tag.ACTIVATION_DATE, kms.clock.now())),
    )
    assert_refused(kms, request, ResultReason.INVALID_MESSAGE, ResultReason.INVALID_MESSAGE)


def test_an_offset_cannot_move_dates_that_hang_on_nothing(kms: TestKms) -> None:
    """KMIP 1.4 §11.5: no Activation Date has been set that the others could be shifted by."""
    stop = attribute(Tag.PROTECT_STOP_DATE, kms.clock.now() + timedelta(days=1))
    request = ReKeyRequest(unique_identifier=key(kms, stop), offset=Seconds(0))
    assert refusal(kms, request).reason is ResultReason.ILLEGAL_OPERATION
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_usage_limits_start_anew(kms: TestKms) -> None:
    """KMIP 2.1 table 304: the Total is copied, and the Count is set to the Total."""
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)
    old = active_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    kms.call(GetUsageAllocationRequest(unique_identifier=old, usage_limits_count=60))
    new = value(kms, re_key(kms, old), Tag.USAGE_LIMITS)
    assert (new.usage_limits_total, new.usage_limits_count) == (100, 100)


def test_a_compromise_is_not_inherited(kms: TestKms) -> None:
    """KMIP 2.1 table 304: compromise dates and Revocation Reason are not set."""
    old = active_key(kms)
    kms.call(revoke(old, RevocationReasonCode.KEY_COMPROMISE))
    new = re_key(kms, old, offset=0)
    assert state_of(kms, new) is State.ACTIVE
    for tag in (Tag.COMPROMISE_DATE, Tag.COMPROMISE_OCCURRENCE_DATE, Tag.REVOCATION_REASON):
        assert value(kms, new, tag) is None


def test_the_new_key_is_fresh_and_its_past_its_own(kms: TestKms) -> None:
    old = key(kms)
    kms.call(GetRequest(unique_identifier=old))
    assert value(kms, re_key(kms, old), Tag.FRESH) is True


def test_given_attributes_take_the_place_of_those_of_the_old_key(kms: TestKms) -> None:
    old = key(kms, attribute(Tag.CONTACT_INFORMATION, "ops"))
    new = re_key(kms, old, attribute(Tag.CONTACT_INFORMATION, "desk"))
    assert values(kms, new, Tag.CONTACT_INFORMATION) == ["desk"]


@pytest.mark.parametrize(
    ("given", "algorithm", "length"),
    [
        (attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256), CryptographicAlgorithm.AES, 256),
        (attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), CryptographicAlgorithm.AES, 128),
        (
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.HMAC_SHA256),
            CryptographicAlgorithm.HMAC_SHA256,
            128,
        ),
    ],
)
def test_the_new_key_is_of_the_kind_that_the_request_gives(
    kms: TestKms, given: AttributeInstance, algorithm: CryptographicAlgorithm, length: int
) -> None:
    """KMIP 2.1 table 305: desired attributes; §4.15: the length is that of the key material."""
    new = re_key(kms, key(kms, length=128), given)
    assert value(kms, new, Tag.CRYPTOGRAPHIC_ALGORITHM) is algorithm
    assert value(kms, new, Tag.CRYPTOGRAPHIC_LENGTH) == length
    got = kms.call(GetRequest(unique_identifier=new)).managed_object
    assert isinstance(got, SymmetricKey)
    block = got.key_block
    assert isinstance(block.key_value, KeyValue)
    assert isinstance(block.key_value.key_material, SecretBytes)
    assert (block.cryptographic_algorithm, block.cryptographic_length) == (algorithm, length)
    assert len(block.key_value.key_material) * 8 == length


def test_a_security_category_is_that_of_the_kind_it_was_given_for(kms: TestKms) -> None:
    old = kms.call(
        CreateRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
                attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
                mask(EVERY_USE),
                attribute(Tag.NIST_SECURITY_CATEGORY, 5),
            ),
        ),
        version=V3_0,
    ).unique_identifier
    same = re_key(kms, old)
    assert value(kms, same, Tag.NIST_SECURITY_CATEGORY, version=V3_0) == 5
    shorter = re_key(kms, same, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128))
    assert value(kms, shorter, Tag.NIST_SECURITY_CATEGORY, version=V3_0) is None


@pytest.mark.parametrize(
    "given",
    [
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 100),
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
    ],
)
def test_a_key_that_cannot_be_made_is_an_invalid_field(kms: TestKms, given: AttributeInstance) -> None:
    request = ReKeyRequest(unique_identifier=key(kms), attributes=template(given))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_the_new_key_fills_the_id_placeholder(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.46."""
    old = key(kms)
    _, got = kms.batch(ReKeyRequest(unique_identifier=old), GetRequest())
    assert isinstance(got, GetResponse)
    assert got.unique_identifier != old


def test_what_is_no_symmetric_key_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.5: object specified is not able to be re-keyed."""
    private, _ = key_pair(kms)
    for made in (private, register_password(kms)):
        assert_refused(
            kms,
            ReKeyRequest(unique_identifier=made),
            ResultReason.PERMISSION_DENIED,
            ResultReason.INVALID_OBJECT_TYPE,
        )


@pytest.mark.parametrize("given", [attribute(Tag.STATE, State.ACTIVE), attribute(Tag.UNIQUE_IDENTIFIER, "x")])
def test_what_only_the_server_sets_is_an_invalid_field(kms: TestKms, given: AttributeInstance) -> None:
    """No reason of the tables of Re-key speaks of attributes."""
    request = ReKeyRequest(unique_identifier=key(kms), attributes=template(given))
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.INVALID_FIELD


def test_a_deactivated_key_is_replaced(kms: TestKms) -> None:
    """The point of it: what may no longer protect gets a successor."""
    assert state_of(kms, re_key(kms, key_in(kms, State.COMPROMISED), offset=0)) is State.ACTIVE


def test_a_key_that_was_activated_late_is_replaced(kms: TestKms) -> None:
    """Its Process Start Date has passed before the Activation Date, and neither can be changed any more."""
    old = key(kms, attribute(Tag.PROCESS_START_DATE, later(kms, days=1)))
    kms.clock.pass_time(days=2)
    kms.call(ActivateRequest(unique_identifier=old))
    assert state_of(kms, re_key(kms, old, offset=0)) is State.ACTIVE
    assert value(kms, old, Tag.NAME) is None


def test_a_key_from_another_server_and_its_successor_are_told_apart(kms: TestKms) -> None:
    """KMIP 2.1 §4.56: the Short Unique Identifier is unique on the server."""
    old = UniqueIdentifier("from-another-server")
    given = attribute(Tag.SHORT_UNIQUE_IDENTIFIER, bytes(32))
    request = ImportRequest(
        unique_identifier=old,
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(given),
        managed_object=raw_key(),
    )
    kms.call(request, version=V2_1)
    new = re_key(kms, old, offset=0)
    assert value(kms, old, given.key) == given.value
    assert value(kms, new, given.key) == sha256(new.encode()).digest()


def test_a_key_that_is_kept_elsewhere_is_not_replaced_here(kms: TestKms) -> None:
    """KMIP 1.4 §11.5: the Key Value is not present on the server."""
    absent = SymmetricKey(key_block=raw_key().key_block.replace(key_value=None))
    old = kms.call(registration(ObjectType.SYMMETRIC_KEY, absent, named("n"))).unique_identifier
    request = ReKeyRequest(unique_identifier=old)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.KEY_VALUE_NOT_PRESENT)
    for version in (V1_2, V1_4):
        assert refusal(kms, request, version=version).reason is ResultReason.KEY_VALUE_NOT_PRESENT
    assert kms.call(LocateRequest()).unique_identifier == (old,)
    assert values(kms, old, Tag.NAME) == [Name(name_value="n")]


def test_the_successor_is_kept_here_wherever_else_the_old_key_is(kms: TestKms) -> None:
    place = KeyValueLocation(
        key_value_location_value="in a safe",
        key_value_location_type=KeyValueLocationType.UNINTERPRETED_TEXT_STRING,
    )
    new = re_key(kms, key(kms, attribute(Tag.KEY_VALUE_LOCATION, place)), offset=0)
    assert value(kms, new, Tag.KEY_VALUE_PRESENT) is None
    assert value(kms, new, Tag.KEY_VALUE_LOCATION) is None


def test_the_successor_of_a_joined_key_was_not_joined(kms: TestKms) -> None:
    joined = join(kms, split(kms, key(kms)))
    assert values(kms, joined, Tag.JOINED_SPLIT_KEY_PARTS_LINK, version=V3_0)
    assert not values(kms, re_key(kms, joined, offset=0), Tag.JOINED_SPLIT_KEY_PARTS_LINK, version=V3_0)
