"""JSON: the forms of values, and what is refused."""

import json as plain_json

import pytest

from strongroom.registry import V1_0, V1_4, V2_1, Tag
from strongroom.wire import json
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge
from strongroom.wire.item import (
    BIG_INTEGER,
    BYTE_STRING,
    ENUMERATION,
    INTEGER,
    LONG_INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import Limits
from strongroom.wire.text import TYPE_NAMES
from tests.unit.wire.build import GET_REQUEST, nested, wide


def element(tag: str, kind: str, value: str) -> str:
    """Return an object; `value` is JSON."""
    return f'{{"tag": "{tag}", "type": "{kind}", "value": {value}}}'


# The examples of KMIP Additional Message Encodings 1.0 §4.1.6.
VALUES = [
    ("BatchCount", "Integer", "10", 10),
    ("BatchCount", "Integer", '"0x0000000A"', 10),
    ("BatchCount", "Integer", "-1", -1),
    ("CryptographicUsageMask", "Integer", "12", 12),
    ("CryptographicUsageMask", "Integer", '"0x0000100c"', 0x100C),
    ("CryptographicUsageMask", "Integer", '"Encrypt|Decrypt|CertificateSign"', 0x100C),
    ("CryptographicUsageMask", "Integer", '"CertificateSign|0x00000004|0x0000008"', 0x100C),
    ("0x540001", "LongInteger", '"0xfffffffffffffffe"', -2),
    ("0x540001", "LongInteger", "-2", -2),
    ("UsageLimitsCount", "LongInteger", '"0x1000000000000000"', 1 << 60),
    ("X", "BigInteger", "0", 0),
    ("X", "BigInteger", "-36893488147419103232", -(1 << 65)),
    ("X", "BigInteger", '"0x00000000000000ff"', 255),
    ("0x420057", "Enumeration", "2", 2),
    ("ObjectType", "Enumeration", '"0x00000002"', 2),
    ("ObjectType", "Enumeration", '"SymmetricKey"', 2),
    ("BatchOrderOption", "Boolean", "true", True),
    ("BatchOrderOption", "Boolean", '"0x0000000000000001"', True),
    ("AttributeName", "TextString", '"a\\n\\u0391"', "a\n\u0391"),
    ("AttributeName", "TextString", '"\\ud83d\\ude00"', "\U0001f600"),
    ("MACSignature", "ByteString", '"C50F77"', b"\xc5\x0f\x77"),
    ("ArchiveDate", "DateTime", '"0x000000003a4fc880"', 978307200),
    ("ArchiveDate", "DateTime", '"2001-01-01T10:00:00+10:00"', 978307200),
    ("Offset", "Interval", "27", 27),
    ("Offset", "Interval", '"0x0000001b"', 27),
]


@pytest.mark.parametrize(("name", "kind", "text", "value"), VALUES)
def test_every_form_of_a_value_is_read(name: str, kind: str, text: str, value: object) -> None:
    _, item_type, read = json.decode(element(name, kind, text).encode())
    assert (TYPE_NAMES[item_type], read) == (kind, value)
    assert isinstance(read, bool) == isinstance(value, bool)


STRUCTURES = [
    '{"tag": "BatchItem", "type": "Structure", "value": []}',
    '{"tag": "BatchItem", "value": null}',
    '{"tag": "BatchItem"}',
    ' {"name": "whatever" , "value" : [ ] , "tag":"0x42000F"}\r\n',
    '{"\\u0074ag": "BatchItem"}',
]


@pytest.mark.parametrize("text", STRUCTURES)
def test_every_form_of_an_empty_structure_is_read(text: str) -> None:
    assert json.decode(text.encode()) == (Tag.BATCH_ITEM, STRUCTURE, [])


def test_members_may_come_in_any_order() -> None:
    text = (
        '{"value": [{"value": "AES", "type": "Enumeration", "tag": "CryptographicAlgorithm"}], "tag": "Key"}'
    )
    assert json.decode(text.encode()) == (Tag.KEY, STRUCTURE, [(Tag.CRYPTOGRAPHIC_ALGORITHM, ENUMERATION, 3)])


def test_an_attribute_value_has_the_names_of_its_attribute() -> None:
    name = element("AttributeName", "TextString", '"Cryptographic Usage Mask"')
    value = element("AttributeValue", "Integer", '"Sign|Verify"')
    item = json.decode(f'{{"tag": "Attribute", "value": [{name}, {value}]}}'.encode())
    assert item[2][1] == (Tag.ATTRIBUTE_VALUE, INTEGER, 3)
    assert b'"Sign|Verify"' in json.encode(item, version=V1_0)


def test_only_names_of_the_version_are_written() -> None:
    item: Item = (
        Tag.REQUEST_PAYLOAD,
        STRUCTURE,
        [
            (Tag.OPERATION, ENUMERATION, 0x1F),
            (Tag.CRYPTOGRAPHIC_USAGE_MASK, INTEGER, 0x0010_0004),
            (Tag.PROTECTION_LEVEL, ENUMERATION, 1),
        ],
    )
    newer = plain_json.loads(json.encode(item, version=V2_1))
    older = plain_json.loads(json.encode(item, version=V1_0))
    assert [(i["tag"], i["value"]) for i in newer["value"]] == [
        ("Operation", "Encrypt"),
        ("CryptographicUsageMask", "Encrypt|Authenticate"),
        ("ProtectionLevel", "High"),
    ]
    assert [(i["tag"], i["value"]) for i in older["value"]] == [
        ("Operation", "0x0000001F"),
        ("CryptographicUsageMask", "Encrypt|0x00100000"),
        ("0x420145", "0x00000001"),
    ]
    assert json.decode(json.encode(item, version=V1_0)) == item


@pytest.mark.parametrize("number", [(1 << 52) - 1, 1 << 52, -(1 << 52), -(1 << 63), (1 << 63) - 1])
def test_numbers_that_a_double_cannot_hold_are_written_in_hex(number: int) -> None:
    item: Item = (Tag.USAGE_LIMITS_COUNT, LONG_INTEGER, number)
    data = json.encode(item, version=V1_4)
    assert json.decode(data) == item
    assert isinstance(plain_json.loads(data)["value"], int) == (abs(number) < 1 << 52)


BAD_VALUES = [
    (element("BatchCount", "Integer", "1.0"), "a number with a fraction or an exponent"),
    (element("BatchCount", "Integer", "1e2"), "a number with a fraction or an exponent"),
    (element("BatchCount", "Integer", "NaN"), "NaN and infinity are no JSON numbers"),
    (element("BatchCount", "Integer", "-Infinity"), "NaN and infinity are no JSON numbers"),
    (element("BatchCount", "Integer", "true"), "not one of type Integer"),
    (element("BatchCount", "Integer", "null"), "not one of type Integer"),
    (element("BatchCount", "Integer", "2147483648"), "out of the range of Integer"),
    (element("BatchCount", "Integer", "01"), "not valid JSON: expected }"),
    (element("X", "BigInteger", "9" * 4097), "a number of more than 4096 digits"),
    (element("X", "BigInteger", '"abc"'), "not pairs of hex digits"),
    (element("Comment", "TextString", "1"), "not one of type TextString"),
    (element("Comment", "TextString", '"a\\u0000b"'), "text contains NUL"),
    (element("Comment", "TextString", '"\\ud800"'), "text contains half a surrogate pair"),
    (element("Comment", "TextString", '"a\nb"'), "not valid JSON"),
    (element("Comment", "TextString", '"\\x"'), "not valid JSON"),
    (element("Comment", "TextString", "[]"), "not one of type TextString"),
    (element("Comment", "TextString", "{}"), "an object or array where none may stand"),
    (element("Data", "ByteString", '"abc"'), "not pairs of hex digits"),
    (element("ObjectType", "Enumeration", "-1"), "out of the range of Enumeration"),
    (element("ObjectType", "Enumeration", '"Rot13"'), "neither a name of ObjectType nor 0x and 8 hex digits"),
    (element("BatchOrderOption", "Boolean", "1"), "not one of type Boolean"),
    (element("Comment", "Colour", '"x"'), "unknown item type"),
    (element("Colour", "Integer", "1"), "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    (element("BatchItem", "Structure", '"x"'), "the value of a structure is not an array"),
    ('{"tag": "Comment", "type": "TextString"}', "the value is missing"),
    ('{"type": "TextString", "value": "x"}', "the tag is missing"),
    ('{"tag": 1, "value": []}', "tag is not a string"),
    ('{"tag": "Comment", "type": null, "value": []}', "type is not a string"),
    ('{"tag": "Comment", "colour": "red"}', "a member other than tag, name, type and value"),
    ('{"tag": "Comment", 1: 2}', "a member other than tag, name, type and value"),
    ('{"tag": "BatchItem", "tag": "BatchItem"}', "tag stands twice in one object"),
    ('{"tag": "BatchItem", "value": [], "value": []}', "value stands twice in one object"),
    ('{"tag": "BatchItem", "name": ["x"]}', "an object or array where none may stand"),
    ("{}", "not valid JSON"),
    ('{"tag": "BatchItem",}', "not valid JSON"),
    ('{"tag" "BatchItem"}', "not valid JSON: expected :"),
    ('"x"', "not valid JSON: expected {"),
]


@pytest.mark.parametrize(
    ("text", "reason"), BAD_VALUES, ids=[f"{i}-{v[1]}" for i, v in enumerate(BAD_VALUES)]
)
def test_a_malformed_object_is_refused_with_its_place(text: str, reason: str) -> None:
    """faults 9."""
    good = element("Comment", "TextString", '"\u0391"')
    before = f'{{"tag": "RequestMessage", "value": [{{"tag": "BatchItem", "value": [{good}, '
    with pytest.raises(DecodeError) as caught:
        json.decode(f"{before}{text}]}}]}}".encode())
    assert reason in caught.value.message
    start = len(before.encode())
    assert start <= (caught.value.at or 0) <= start + len(text)
    assert caught.value.path[:2] == (("RequestMessage", None), ("BatchItem", None))
    assert len(caught.value.path) == 3


def test_an_error_reads_as_place_reason_offset() -> None:
    good, bad = element("OffsetItems", "Integer", "1"), element("OffsetItems", "Integer", '"x"')
    text = f'{{"tag": "BatchItem", "value": [{good}, {bad}]}}'
    with pytest.raises(DecodeError) as caught:
        json.decode(text.encode())
    assert str(caught.value) == (
        f"BatchItem.OffsetItems[1]: not a number of type Integer (byte {text.index(bad)})"
    )


BAD_DOCUMENTS = [
    (b"", "not valid JSON: expected {"),
    (b"[]", "not valid JSON: expected {"),
    (b'{"tag": "BatchItem"', "not valid JSON: expected }"),
    (b'{"tag": "BatchItem", "value": [', "not valid JSON: expected {"),
    (b'{"tag": "BatchItem"} {}', "text follows the message"),
    (b'{"tag": "BatchItem"}\0', "text follows the message"),
    (b'\xef\xbb\xbf{"tag": "BatchItem"}', "not valid JSON: expected {"),
    (b'{"tag": "\xff"}', "not UTF-8"),
    ('{"tag": "BatchItem"}'.encode("utf-16"), "not UTF-8"),
]


@pytest.mark.parametrize(("data", "reason"), BAD_DOCUMENTS)
def test_a_document_that_is_no_message_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        json.decode(data)
    assert caught.value.message == reason


def test_an_error_shows_nothing_of_the_value() -> None:
    for text in (
        element("Password", "TextString", '"correct horse\\x"'),
        element("Password", "ByteString", '"correct horse"'),
    ):
        with pytest.raises(DecodeError) as caught:
            json.decode(text.encode())
        assert "horse" not in f"{caught.value!r} {caught.value} {caught.value.__dict__}"


def test_depth_is_limited() -> None:
    """faults 9."""
    assert json.decode(json.encode(nested(32), version=V1_4)) == nested(32)
    with pytest.raises(DecodeError, match="nested too deep") as caught:
        json.decode(json.encode(nested(33), version=V1_4))
    assert len(caught.value.path) == 33
    with pytest.raises(DecodeError, match="nested too deep"):
        json.decode(b'{"tag":"BatchItem","value":[' * 100_000)
    for brackets in (b"[", b'{"value":', b'{"tag":{'):
        with pytest.raises(DecodeError):
            json.decode(brackets * 400_000)


def test_the_number_of_items_is_limited() -> None:
    limits = Limits(items=100)
    assert json.decode(json.encode(wide(100), version=V1_4), limits) == wide(100)
    with pytest.raises(DecodeError, match="more than 100 items") as caught:
        json.decode(json.encode(wide(101), version=V1_4), limits)
    assert caught.value.path[0] == ("VendorExtension", None)


def test_the_size_is_limited() -> None:
    data = json.encode(GET_REQUEST, version=V1_4)
    assert json.decode(data, Limits(message_size=len(data))) == GET_REQUEST
    with pytest.raises(MessageTooLarge):
        json.decode(data, Limits(message_size=len(data) - 1))


def test_control_characters_survive() -> None:
    item: Item = (Tag.COMMENT, TEXT_STRING, '\x01\x7f\u2028\ufffe"\\')
    assert json.decode(json.encode(item, version=V1_4)) == item


UNWRITABLE = [
    (TEXT_STRING, "a\0b", "text contains NUL"),
    (TEXT_STRING, "\ud800", "text contains half a surrogate pair"),
    (INTEGER, 1 << 31, "out of the range of Integer"),
    (ENUMERATION, -1, "out of the range of Enumeration"),
]


@pytest.mark.parametrize(("kind", "content", "reason"), UNWRITABLE)
def test_what_cannot_be_said_is_not_written(kind: int, content: object, reason: str) -> None:
    with pytest.raises(EncodeError) as caught:
        json.encode((Tag.BATCH_ITEM, STRUCTURE, [(Tag.COMMENT, kind, content)]), version=V1_4)
    assert str(caught.value) == f"BatchItem.Comment: {reason}"


def test_big_integers_and_bytes_are_written_in_hex() -> None:
    item: Item = (Tag.KEY, STRUCTURE, [(Tag.X, BIG_INTEGER, -1), (Tag.DATA, BYTE_STRING, b"\xab")])
    values = [child["value"] for child in plain_json.loads(json.encode(item, version=V1_4))["value"]]
    assert values == ["0xffffffffffffffff", "ab"]
