"""Values as people type and read them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import typer

from strongroom.attributes.catalogue import all_attributes
from strongroom.cli.showing import shown, shown_key
from strongroom.cli.values import (
    choices,
    parse_attribute,
    parse_date,
    parse_enumeration,
    parse_instance,
    parse_key,
    parse_mask,
    parse_span,
)
from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import ApplicationSpecificInformation, Link, Name, UsageLimits
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    LinkType,
    ObjectType,
    RevocationReasonCode,
    Tag,
    UsageLimitsUnit,
)


@pytest.mark.parametrize("text", ["Symmetric Key", "symmetric-key", "SymmetricKey", "SYMMETRIC_KEY"])
def test_a_value_is_known_by_its_name_however_it_is_written(text: str) -> None:
    assert parse_enumeration(ObjectType, text) is ObjectType.SYMMETRIC_KEY


def test_names_of_the_specification_and_of_its_xml_are_the_same() -> None:
    assert parse_enumeration(CryptographicAlgorithm, "3DES") is CryptographicAlgorithm.DES3
    assert parse_enumeration(CryptographicAlgorithm, "DES3") is CryptographicAlgorithm.DES3


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(typer.BadParameter, match=r"Revocation Reason Code; did you mean .*Key Compromise"):
        parse_enumeration(RevocationReasonCode, "key-compromised")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(typer.BadParameter, match="it is one of Certificate, Symmetric Key"):
        parse_enumeration(ObjectType, "xyzzy")


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600)]
)
def test_a_span_of_time_has_a_unit(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "0s", "9999999w", "1y", "\u0661d"])
def test_anything_else_is_no_span_of_time(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="span of time"):
        parse_span(text)


def test_a_number_of_a_vendor_stays_a_number() -> None:
    assert parse_enumeration(ObjectType, "0x80000001") == 0x80000001
    with pytest.raises(typer.BadParameter):
        parse_enumeration(ObjectType, "0x7FFFFFFF")


def test_a_mask_is_a_list_of_names() -> None:
    both = CryptographicUsageMask.WRAP_KEY | CryptographicUsageMask.ENCRYPT
    assert parse_mask(CryptographicUsageMask, "wrap key, Encrypt") == both
    assert shown(both) == ["Encrypt", "Wrap Key"]
    with pytest.raises(typer.BadParameter, match="did you mean Encrypt"):
        parse_mask(CryptographicUsageMask, "encrypts")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31T23:59:59Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-31T12:00:00+02:00", datetime(2026, 12, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_a_date_is_iso_8601_and_utc_unless_it_says_otherwise(text: str, moment: datetime) -> None:
    assert parse_date(text) == moment


def test_now_is_a_date() -> None:
    assert abs(parse_date("now") - datetime.now(UTC)) < timedelta(seconds=5)


def test_what_is_no_date_says_how_to_write_one() -> None:
    with pytest.raises(typer.BadParameter, match="2026-12-31"):
        parse_date("tomorrow")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("contact information", Tag.CONTACT_INFORMATION),
        ("x-purpose", VendorAttribute("x", "purpose")),
        ("Acme:Purpose", VendorAttribute("Acme", "Purpose")),
    ],
)
def test_an_attribute_is_known_by_its_name(text: str, key: Any) -> None:
    assert parse_key(text) == key
    assert parse_key(shown_key(key)) == key


def test_an_unknown_attribute_is_answered_with_the_nearest() -> None:
    with pytest.raises(typer.BadParameter, match="did you mean 'Contact Information'"):
        parse_key("Contact Informations")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Name", "first=second", Name(name_value="first=second")),
        ("Cryptographic Length", "256", 256),
        ("Sensitive", "yes", True),
        ("Activation Date", "2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        ("Object Type", "secret data", ObjectType.SECRET_DATA),
        ("Short Unique Identifier", "00ff", b"\x00\xff"),
        ("Lease Time", "0x10", 16),
        (
            "Usage Limits",
            "usage_limits_total=10,usage_limits_unit=object",
            UsageLimits(usage_limits_total=10, usage_limits_unit=UsageLimitsUnit.OBJECT),
        ),
        (
            "Application Specific Information",
            "application-namespace=ssl,application-data=www",
            ApplicationSpecificInformation(application_namespace="ssl", application_data="www"),
        ),
        (
            "Link",
            "link_type=public key link,linked_object_identifier=7d0b",
            Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=UniqueIdentifier("7d0b")),
        ),
    ],
)
def test_a_value_is_written_as_its_type_wants(name: str, text: str, value: Any) -> None:
    assert parse_attribute(f"{name}={text}").value == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Contact Information", "is not NAME=VALUE"),
        ("Cryptographic Length=big", "Cryptographic Length: 'big' is not a number"),
        ("Sensitive=maybe", "neither true nor false"),
        ("Short Unique Identifier=xyz", "hexadecimal"),
        ("Usage Limits=10", "write usage_limits_total=...,usage_limits_count=...,usage_limits_unit=..."),
        ("Usage Limits=usage_limits_total=10", "usage_limits_unit is missing"),
    ],
)
def test_a_value_that_does_not_fit_says_why(text: str, complaint: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        parse_attribute(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("custom", "text", "raw", "back"),
    [
        ("text", "7", RawValue(int(ItemType.TEXT_STRING), "7"), "7"),
        ("integer", "7", RawValue(int(ItemType.INTEGER), 7), 7),
        ("boolean", "no", RawValue(int(ItemType.BOOLEAN), False), False),
        ("bytes", "00ff", RawValue(int(ItemType.BYTE_STRING), b"\x00\xff"), "00ff"),
        ("date-time", "1970-01-02", RawValue(int(ItemType.DATE_TIME), 86400), "1970-01-02T00:00:00Z"),
    ],
)
def test_a_custom_value_has_the_type_that_is_asked_for(
    custom: str, text: str, raw: RawValue, back: object
) -> None:
    value = parse_instance(VendorAttribute("x", "a"), text, custom=custom).value
    assert value == raw
    assert shown(value) == back


def test_a_custom_attribute_may_name_its_type() -> None:
    assert parse_attribute("x-rank@integer=3").value == RawValue(int(ItemType.INTEGER), 3)
    assert parse_attribute("x-me@home=3").key == VendorAttribute("x", "me@home")


def test_a_custom_type_that_is_none_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="text, integer"):
        parse_instance(VendorAttribute("x", "a"), "7", custom="float")


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in str(shown(SecretBytes(b"hunter2")))


def test_every_attribute_can_be_named_in_help_and_on_the_command_line() -> None:
    for tag in all_attributes():
        assert parse_key(shown_key(tag)) == tag
    assert "Symmetric Key" in choices(ObjectType)
