"""What a request that makes an object may say about its attributes."""

import pytest

from strongroom.attributes.declaration import SERVER
from strongroom.attributes.rules import MAXIMUM_INSTANCES, initial
from strongroom.domain.attribute_errors import (
    ApplicationNamespaceNotSupported,
    AttributeSingleValued,
    InvalidAttribute,
    InvalidAttributeValue,
    ReadOnlyAttribute,
)
from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.model.structures import ApplicationSpecificInformation, UsageLimits
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    KeyFormatType,
    LinkType,
    ObjectType,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.unit.attributes.objects import HOUR, NOW, aes_material, blank, custom, given, link, name


def fresh(object_type: ObjectType = ObjectType.SYMMETRIC_KEY) -> ManagedObject:
    obj = blank(object_type, material=aes_material())
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, 256)
    return obj


def test_what_a_client_may_set_is_set() -> None:
    obj = fresh()
    mask = CryptographicUsageMask.ENCRYPT
    initial(obj, [given(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask), name("a"), custom("b", "c")], now=NOW)
    assert obj.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) == mask
    assert obj.value(Tag.NAME).name_value == "a"
    assert obj.value(VendorAttribute("x", "b")) == RawValue(ItemType.TEXT_STRING, "c")


def test_instances_are_numbered_from_zero_in_the_order_given() -> None:
    """KMIP 1.4 §2.1.1: the server assigns the Attribute Index."""
    obj = fresh()
    initial(obj, [name("a"), name("b"), name("c")], now=NOW)
    assert [i.index for i in obj.attributes[Tag.NAME]] == [0, 1, 2]


def test_the_algorithm_may_be_said_again() -> None:
    """KMIP 2.1 §6.1.8: Create gives algorithm and length, although the server sets them."""
    obj = fresh()
    initial(obj, [given(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)], now=NOW)
    assert obj.value(Tag.CRYPTOGRAPHIC_ALGORITHM) is CryptographicAlgorithm.AES


def test_the_algorithm_may_not_be_contradicted() -> None:
    with pytest.raises(InvalidAttributeValue):
        initial(fresh(), [given(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.DES3)], now=NOW)


def test_a_computed_attribute_may_be_said_if_it_is_right() -> None:
    """KMIP 2.1 §4.26: the server complies with the Key Format Type asked for, or fails."""
    initial(fresh(), [given(Tag.KEY_FORMAT_TYPE, KeyFormatType.RAW)], now=NOW)
    with pytest.raises(InvalidAttributeValue):
        initial(fresh(), [given(Tag.KEY_FORMAT_TYPE, KeyFormatType.PKCS_8)], now=NOW)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(Tag.STATE, State.ACTIVE), (Tag.INITIAL_DATE, NOW), (Tag.LEASE_TIME, 1), (Tag.UNIQUE_IDENTIFIER, "a")],
)
def test_what_only_the_server_sets_is_refused(tag: Tag, value: object) -> None:
    with pytest.raises(ReadOnlyAttribute, match="only the server sets"):
        initial(fresh(), [given(tag, value)], now=NOW)


def test_the_server_may_set_what_is_read_only() -> None:
    obj = fresh()
    initial(obj, [given(Tag.INITIAL_DATE, NOW)], now=NOW, by=SERVER)
    assert obj.value(Tag.INITIAL_DATE) == NOW


def test_a_second_value_of_a_single_valued_attribute_is_refused() -> None:
    with pytest.raises(AttributeSingleValued):
        initial(fresh(), [given(Tag.COMMENT, "a"), given(Tag.COMMENT, "b")], now=NOW)


def test_the_same_value_twice_counts_once() -> None:
    obj = fresh()
    initial(obj, [given(Tag.COMMENT, "a"), given(Tag.COMMENT, "a"), name("n"), name("n")], now=NOW)
    assert len(obj.attributes[Tag.COMMENT]) == 1
    assert len(obj.attributes[Tag.NAME]) == 1


def test_an_index_on_a_single_valued_attribute_is_refused() -> None:
    """KMIP 1.4 §2.1.1: single-instance attributes have the index 0."""
    initial(fresh(), [given(Tag.COMMENT, "a", 0)], now=NOW)
    with pytest.raises(InvalidField, match="Attribute Index"):
        initial(fresh(), [given(Tag.COMMENT, "a", 1)], now=NOW)


def test_an_attribute_of_other_object_types_is_refused() -> None:
    with pytest.raises(InvalidAttribute, match="a Symmetric Key has no Certificate Type"):
        initial(fresh(), [given(Tag.CERTIFICATE_TYPE, 1)], now=NOW)


def test_an_unknown_name_is_refused_and_the_cure_named() -> None:
    with pytest.raises(InvalidAttribute, match="begin with x-"):
        initial(fresh(), [custom("Colour", "red", vendor="")], now=NOW)


def test_attributes_of_vendor_y_are_the_servers() -> None:
    """KMIP 2.1 §4.60."""
    with pytest.raises(ReadOnlyAttribute):
        initial(fresh(), [custom("a", "b", vendor="y")], now=NOW)
    initial(fresh(), [custom("a", "b", vendor="y")], now=NOW, by=SERVER)


def test_a_vendor_identification_is_a_plain_word() -> None:
    """KMIP 2.1 §4.60: usage limited to alphanumeric, underscore and period."""
    initial(fresh(), [custom("a", "b", vendor="Example_1.org")], now=NOW)
    with pytest.raises(InvalidAttribute):
        initial(fresh(), [custom("a", "b", vendor="no spaces")], now=NOW)


def test_a_custom_structure_is_flat() -> None:
    """KMIP 1.4 §3.39."""
    flat = RawValue(ItemType.STRUCTURE, [(0x540001, 7, "a")])
    deep = RawValue(ItemType.STRUCTURE, [(0x540001, 1, [])])
    initial(fresh(), [given(VendorAttribute("x", "s"), flat)], now=NOW)
    with pytest.raises(InvalidAttributeValue):
        initial(fresh(), [given(VendorAttribute("x", "s"), deep)], now=NOW)


def test_the_usage_limits_count_of_a_client_is_ignored() -> None:
    """KMIP 2.1 §4.59."""
    obj = fresh()
    limits = UsageLimits(
        usage_limits_total=10, usage_limits_count=99, usage_limits_unit=UsageLimitsUnit.OBJECT
    )
    initial(obj, [given(Tag.USAGE_LIMITS, limits)], now=NOW)
    assert obj.value(Tag.USAGE_LIMITS).usage_limits_count == 10


def test_application_data_is_needed_where_the_server_makes_none() -> None:
    """KMIP 2.1 §4.4."""
    value = ApplicationSpecificInformation(application_namespace="tape")
    with pytest.raises(ApplicationNamespaceNotSupported):
        initial(fresh(), [given(Tag.APPLICATION_SPECIFIC_INFORMATION, value)], now=NOW)


def test_dates_that_contradict_each_other_are_refused() -> None:
    """KMIP 2.1 §4.40: Process Start SHALL NOT precede the Activation Date."""
    dates = [given(Tag.ACTIVATION_DATE, NOW), given(Tag.PROCESS_START_DATE, NOW - HOUR)]
    with pytest.raises(InvalidField, match="Process Start Date is before the Activation Date"):
        initial(fresh(), dates, now=NOW)


def test_a_tag_of_3_0_becomes_a_link() -> None:
    obj = fresh()
    initial(obj, [given(Tag.NEXT_LINK, "other")], now=NOW)
    assert obj.value(Tag.LINK) == link(LinkType.NEXT_LINK, "other").value


def test_an_object_has_at_most_so_many_values() -> None:
    many = [custom(f"a{number}", "v") for number in range(MAXIMUM_INSTANCES)]
    with pytest.raises(ServerLimitExceeded):
        initial(fresh(), many, now=NOW)


def test_too_many_values_are_refused_before_they_are_compared() -> None:
    """One with the other: 16,000 took minutes, in which no other request moved."""
    obj = fresh()
    with pytest.raises(ServerLimitExceeded):
        initial(obj, [name(f"n{number}") for number in range(16_000)], now=NOW)
    assert Tag.NAME not in obj.attributes


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidAttributeValue):
        initial(fresh(), [name("")], now=NOW)
