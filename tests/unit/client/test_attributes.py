"""Attributes in few words."""

from datetime import UTC, datetime

import pytest

from strongroom.client.attributes import attribute, key_of, template
from strongroom.client.errors import InvalidRequest
from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.model.structures import CryptographicDomainParameters, Name
from strongroom.registry import ItemType, RecommendedCurve, Tag


@pytest.mark.parametrize(
    "name", ["Cryptographic Length", "cryptographic-length", "CryptographicLength", "cryptographic_length"]
)
def test_an_attribute_is_known_by_its_name_however_it_is_written(name: str) -> None:
    assert key_of(name) is Tag.CRYPTOGRAPHIC_LENGTH


def test_a_custom_attribute_keeps_its_spelling() -> None:
    assert key_of("x-My_Purpose") == VendorAttribute("x", "My_Purpose")


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="x-"):
        key_of("Colour")


def test_a_name_takes_its_text_alone() -> None:
    assert attribute(Tag.NAME, "k").value == Name(name_value="k")


@pytest.mark.parametrize(
    ("value", "item_type"),
    [
        (True, ItemType.BOOLEAN),
        (7, ItemType.INTEGER),
        (2**31, ItemType.LONG_INTEGER),
        ("text", ItemType.TEXT_STRING),
        (b"bytes", ItemType.BYTE_STRING),
    ],
)
def test_a_custom_value_has_the_item_type_of_its_python_type(value: object, item_type: ItemType) -> None:
    assert attribute("x-a", value).value == RawValue(int(item_type), value)


def test_a_custom_date_is_in_seconds() -> None:
    assert attribute("x-a", datetime(1970, 1, 2, tzinfo=UTC)).value == RawValue(
        int(ItemType.DATE_TIME), 86400
    )


def test_a_custom_value_may_name_its_item_type() -> None:
    raw = RawValue(int(ItemType.ENUMERATION), 3)
    assert attribute("x-a", raw).value is raw


def test_a_custom_value_of_no_item_type_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="float"):
        attribute("x-a", 1.5)


def test_a_template_has_what_was_given_and_nothing_else() -> None:
    made = template(
        [attribute("x-a", 1)], name="k", cryptographic_length=256, object_group=None,
        recommended_curve=RecommendedCurve.P_256,
    )  # fmt: skip
    assert [(a.key, a.value) for a in made.attributes] == [
        (Tag.CRYPTOGRAPHIC_LENGTH, 256),
        (
            Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
            CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256),
        ),
        (Tag.NAME, Name(name_value="k")),
        (VendorAttribute("x", "a"), RawValue(int(ItemType.INTEGER), 1)),
    ]
