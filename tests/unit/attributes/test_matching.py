"""What the filters of Locate mean (KMIP 1.4 §4.9, 2.1 §6.1.28)."""

from typing import Any

import pytest

from strongroom.attributes.rules import matches
from strongroom.model.attribute_items import decode_value
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.structures import (
    ApplicationSpecificInformation,
    UsageLimits,
    X509CertificateSubject,
)
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    LinkType,
    ObjectType,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.unit.attributes.objects import HOUR, NOW, aes_key, blank, custom, given, link, name


def found(obj: Any, *filters: AttributeInstance) -> bool:
    return matches(obj, filters, NOW)


def named(*names: str) -> Any:
    key = aes_key()
    for n in names:
        key.add(Tag.NAME, name(n).value)
    return key


def partial(tag: Tag, *fields: tuple[Tag, int, Any]) -> AttributeInstance:
    """Return a filter with a structure of which only these fields are given."""
    items = [(int(t), item_type, value) for t, item_type, value in fields]
    return given(tag, decode_value(tag, 1, items, None, partial=True))


def test_no_filter_matches_everything() -> None:
    assert found(aes_key())


def test_all_filters_must_match() -> None:
    key = named("a")
    assert found(key, name("a"), given(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES))
    assert not found(key, name("a"), given(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.DES))


def test_text_matches_exactly() -> None:
    for other in ("A", "a ", "", "aa"):
        assert not found(named("a"), name(other))


def test_any_instance_may_match_and_each_filter_needs_one() -> None:
    key = named("a", "b")
    assert found(key, name("b"), name("a"))
    assert not found(key, name("b"), name("c"))


def test_an_unknown_attribute_matches_nothing() -> None:
    assert not found(aes_key(), custom("Colour", "red", vendor=""))
    assert not found(aes_key(), given(Tag.KEY_BLOCK, 1))


def test_an_attribute_that_the_object_lacks_does_not_match() -> None:
    assert not found(aes_key(), given(Tag.COMMENT, "a"))


def test_one_date_is_that_date_and_two_are_a_range_with_its_ends() -> None:
    key = aes_key(activation_date=NOW)
    dates = {hours: given(Tag.ACTIVATION_DATE, NOW + hours * HOUR) for hours in (-1, 0, 1, 2)}
    assert found(key, dates[0])
    assert not found(key, dates[1])
    assert found(key, dates[1], dates[-1])
    assert found(key, dates[0], dates[1])
    assert found(key, dates[-1], dates[0])
    assert not found(key, dates[1], dates[2])


def test_custom_dates_are_ranges_too() -> None:
    date = VendorAttribute("x", "d")
    key = aes_key()
    key.add(date, RawValue(ItemType.DATE_TIME, 100))
    assert found(key, given(date, RawValue(9, 50)), given(date, RawValue(9, 100)))
    assert not found(key, given(date, RawValue(9, 50)), given(date, RawValue(9, 99)))
    assert not found(key, given(date, RawValue(ItemType.LONG_INTEGER, 100)))


def test_a_mask_matches_when_all_its_bits_are_set() -> None:
    mask = CryptographicUsageMask
    assert found(aes_key(), given(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask.ENCRYPT))
    assert not found(aes_key(), given(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask.ENCRYPT | mask.SIGN))


@pytest.mark.parametrize(
    ("total", "count", "unit", "expected"),
    [(100, 40, UsageLimitsUnit.BYTE, True), (50, None, None, True), (None, 40, None, True),
     (None, 41, None, False), (101, None, None, False), (100, 40, UsageLimitsUnit.OBJECT, False)],
)  # fmt: skip
def test_usage_limits_match_when_there_is_enough(
    total: int | None, count: int | None, unit: UsageLimitsUnit | None, expected: bool
) -> None:
    have = UsageLimits(usage_limits_total=100, usage_limits_count=40, usage_limits_unit=UsageLimitsUnit.BYTE)
    wanted = have.replace(usage_limits_total=total, usage_limits_count=count, usage_limits_unit=unit)
    assert found(aes_key(usage_limits=have), given(Tag.USAGE_LIMITS, wanted)) is expected


def test_only_the_given_fields_of_a_structure_are_compared() -> None:
    key = aes_key()
    for link_type, target in ((LinkType.NEXT_LINK, "n"), (LinkType.PREVIOUS_LINK, "p")):
        key.add(Tag.LINK, link(link_type, target).value)
    target_only = partial(Tag.LINK, (Tag.LINKED_OBJECT_IDENTIFIER, 7, "n"))
    type_only = partial(Tag.LINK, (Tag.LINK_TYPE, 5, LinkType.PREVIOUS_LINK))
    assert found(key, target_only)
    assert found(key, type_only)
    assert not found(key, partial(Tag.LINK, (Tag.LINKED_OBJECT_IDENTIFIER, 7, "x")))
    assert not found(key, link(LinkType.NEXT_LINK, "p"))


def test_an_optional_field_that_is_given_must_be_there() -> None:
    key = aes_key()
    key.add(
        Tag.APPLICATION_SPECIFIC_INFORMATION,
        ApplicationSpecificInformation(application_namespace="ns", application_data="d"),
    )
    namespace = ApplicationSpecificInformation(application_namespace="ns")
    assert found(key, given(Tag.APPLICATION_SPECIFIC_INFORMATION, namespace))
    other = namespace.replace(application_data="e")
    assert not found(key, given(Tag.APPLICATION_SPECIFIC_INFORMATION, other))


def test_alternative_names_in_a_filter_are_among_those_of_the_certificate() -> None:
    have = X509CertificateSubject(subject_distinguished_name=b"dn", subject_alternative_name=(b"one", b"two"))
    certificate = blank(ObjectType.CERTIFICATE)
    certificate.set(Tag.X_509_CERTIFICATE_SUBJECT, have)
    for names, expected in (((), True), ((b"two",), True), ((b"two", b"three"), False)):
        wanted = have.replace(subject_alternative_name=names)
        assert found(certificate, given(Tag.X_509_CERTIFICATE_SUBJECT, wanted)) is expected


def test_the_state_is_that_of_the_moment() -> None:
    key = aes_key(activation_date=NOW + HOUR)
    active = given(Tag.STATE, State.ACTIVE)
    assert not matches(key, [active], NOW)
    assert matches(key, [active], NOW + HOUR)


def test_a_tag_of_3_0_finds_a_link() -> None:
    key = aes_key()
    key.add(Tag.LINK, link(LinkType.NEXT_LINK, "n").value)
    assert found(key, given(Tag.NEXT_LINK, "n"))
    assert not found(key, given(Tag.PREVIOUS_LINK, "n"))


def test_computed_attributes_are_filters_like_others() -> None:
    key = aes_key()
    assert found(key, given(Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY))
    assert found(key, given(Tag.UNIQUE_IDENTIFIER, key.unique_identifier))
    assert not found(key, given(Tag.KEY_VALUE_PRESENT, False))


def test_a_custom_structure_is_compared_by_the_fields_given() -> None:
    thing = VendorAttribute("x", "s")
    key = aes_key()
    key.add(thing, RawValue(ItemType.STRUCTURE, [(0x540001, 7, "a"), (0x540002, 2, 1)]))
    assert found(key, given(thing, RawValue(ItemType.STRUCTURE, [(0x540002, 2, 1)])))
    assert not found(key, given(thing, RawValue(ItemType.STRUCTURE, [(0x540002, 2, 2)])))


def test_custom_values_of_different_types_are_different() -> None:
    n = VendorAttribute("x", "n")
    key = aes_key()
    key.add(n, RawValue(ItemType.INTEGER, 1))
    for other in (RawValue(ItemType.BOOLEAN, True), RawValue(ItemType.ENUMERATION, 1)):
        assert not found(key, given(n, other))
