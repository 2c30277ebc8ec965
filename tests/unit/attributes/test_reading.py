"""What Get Attributes and Get Attribute List show."""

from hashlib import sha256
from typing import Any

import pytest

from strongroom.attributes import rules
from strongroom.attributes.catalogue import all_attributes
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeKey, VendorAttribute
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, OpaqueObject, SecretData, SplitKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    CertificateType,
    KeyFormatType,
    LinkType,
    ObjectType,
    SecretDataType,
    SplitKeyMethod,
    State,
    Tag,
)
from tests.unit.attributes.objects import HOUR, NOW, aes_key, blank, custom, link, name


def shown(obj: ManagedObject, *keys: AttributeKey) -> list[tuple[AttributeKey, Any]]:
    return [(i.key, i.value) for i in rules.select(obj, keys, NOW)]


def test_visible_has_the_computed_attributes_in_the_order_of_declaration() -> None:
    found = [instance.key for instance in rules.visible(aes_key(), NOW)]
    assert found[:2] == [Tag.UNIQUE_IDENTIFIER, Tag.SHORT_UNIQUE_IDENTIFIER]
    assert {Tag.OBJECT_TYPE, Tag.STATE, Tag.KEY_FORMAT_TYPE, Tag.PROTECTION_STORAGE_MASK} <= set(found)
    standard = [key for key in found if isinstance(key, Tag)]
    assert found == sorted(standard, key=list(all_attributes()).index)


def test_vendor_attributes_come_last_in_the_order_in_which_they_were_added() -> None:
    key = aes_key()
    for n in "zab":
        rules.add(key, custom(n, "v"), now=NOW)
    rules.add(key, name("n"), now=NOW)
    found = [i.key for i in rules.visible(key, NOW)]
    assert found[-3:] == [VendorAttribute("x", n) for n in "zab"]


def test_every_instance_is_shown() -> None:
    key = aes_key()
    for n in "ab":
        rules.add(key, name(n), now=NOW)
    assert [i.value.name_value for i in rules.visible(key, NOW) if i.key is Tag.NAME] == ["a", "b"]
    assert [i.value.name_value for i in rules.select(key, [Tag.NAME], NOW)] == ["a", "b"]


def test_select_keeps_the_order_of_the_request_and_leaves_out_what_is_not_there() -> None:
    found = shown(aes_key(), Tag.STATE, Tag.COMMENT, VendorAttribute("", "Colour"), Tag.OBJECT_TYPE)
    assert found == [(Tag.STATE, State.PRE_ACTIVE), (Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY)]


def test_the_state_is_that_of_the_moment() -> None:
    """KMIP 2.1 §4.57: the dates act when they pass."""
    key = aes_key(activation_date=NOW + HOUR, deactivation_date=NOW + 2 * HOUR)
    states = [rules.select(key, [Tag.STATE], NOW + hours * HOUR)[0].value for hours in range(3)]
    assert states == [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED]


def test_a_template_has_no_state() -> None:
    assert shown(blank(ObjectType.TEMPLATE, state=None), Tag.STATE) == []


def test_the_short_unique_identifier_is_the_digest_of_the_long_one() -> None:
    """KMIP 2.1 §4.56."""
    key = aes_key()
    digest = sha256(key.unique_identifier.encode()).digest()
    assert shown(key, Tag.SHORT_UNIQUE_IDENTIFIER) == [(Tag.SHORT_UNIQUE_IDENTIFIER, digest)]


def test_a_link_is_seen_under_the_tag_of_3_0_too() -> None:
    key = aes_key()
    rules.add(key, link(LinkType.NEXT_LINK, "n"), now=NOW)
    rules.add(key, link(LinkType.PARENT_LINK, "p"), now=NOW)
    (found,) = rules.select(key, [Tag.NEXT_LINK], NOW)
    assert found.value == link(LinkType.NEXT_LINK, "n").value
    keys = rules.keys(key, NOW)
    assert keys[keys.index(Tag.LINK) :] == [Tag.LINK, Tag.NEXT_LINK, Tag.PARENT_LINK]


def test_the_list_names_exactly_what_is_visible() -> None:
    key = aes_key(comment="c")
    rules.add(key, custom("a", "b"), now=NOW)
    assert rules.keys(key, NOW) == list(dict.fromkeys(i.key for i in rules.visible(key, NOW)))


def test_a_certificate_tells_its_type_length_and_format() -> None:
    value = Certificate(certificate_type=CertificateType.X_509, certificate_value=bytes(600))
    certificate = blank(ObjectType.CERTIFICATE, material=value)
    assert shown(certificate, Tag.CERTIFICATE_TYPE, Tag.CERTIFICATE_LENGTH, Tag.KEY_FORMAT_TYPE) == [
        (Tag.CERTIFICATE_TYPE, CertificateType.X_509),
        (Tag.CERTIFICATE_LENGTH, 600),
        (Tag.KEY_FORMAT_TYPE, KeyFormatType.X_509),
    ]


def test_an_opaque_object_tells_its_type() -> None:
    value = OpaqueObject(opaque_data_type=0x80000001, opaque_data_value=SecretBytes(b"a"))  # type: ignore[arg-type]
    opaque = blank(ObjectType.OPAQUE_OBJECT, material=value)
    assert shown(opaque, Tag.OPAQUE_DATA_TYPE) == [(Tag.OPAQUE_DATA_TYPE, 0x80000001)]


def test_a_split_key_tells_its_parts() -> None:
    value = SplitKey(
        split_key_parts=5,
        key_part_identifier=2,
        split_key_threshold=3,
        split_key_method=SplitKeyMethod.XOR,
        key_block=KeyBlock(key_format_type=KeyFormatType.RAW),
    )
    tags = (Tag.SPLIT_KEY_METHOD, Tag.SPLIT_KEY_PARTS, Tag.KEY_PART_IDENTIFIER, Tag.SPLIT_KEY_THRESHOLD)
    found = dict(shown(blank(ObjectType.SPLIT_KEY, material=value), *tags))
    assert found == dict(zip(tags, (SplitKeyMethod.XOR, 5, 2, 3), strict=True))


@pytest.mark.parametrize("elsewhere", [True, False])
def test_key_value_present_is_there_only_when_the_value_is_not(elsewhere: bool) -> None:
    """KMIP 2.1 §4.28."""
    key = aes_key()
    if elsewhere:
        key.material = SecretData(
            secret_data_type=SecretDataType.PASSWORD,
            key_block=KeyBlock(key_format_type=KeyFormatType.RAW),
        )
    assert shown(key, Tag.KEY_VALUE_PRESENT) == ([(Tag.KEY_VALUE_PRESENT, False)] if elsewhere else [])


def test_a_destroyed_key_still_shows_its_attributes() -> None:
    key = aes_key(state=State.DESTROYED)
    key.material = None
    assert (Tag.CRYPTOGRAPHIC_LENGTH, 256) in shown(key, Tag.CRYPTOGRAPHIC_LENGTH)
    assert rules.visible(key, NOW)
