"""XML: the forms of values, and what is refused."""

import pytest

from strongroom.registry import V1_0, V1_4, V2_1, Tag, Version
from strongroom.wire import xml
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge
from strongroom.wire.item import (
    DATE_TIME,
    ENUMERATION,
    INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import Limits
from strongroom.wire.text import TYPE_NAMES
from tests.unit.wire.build import GET_REQUEST, nested, wide


def element(name: str, kind: str, value: str) -> str:
    return f'<{name} type="{kind}" value="{value}"/>'


# The examples of KMIP Additional Message Encodings 1.0 §6.1.6, and what the OASIS test cases write.
VALUES = [
    ("BatchCount", "Integer", "10", 10),
    ("BatchCount", "Integer", "-2147483648", -(1 << 31)),
    ("BatchCount", "Integer", "0xffffffff", -1),
    ("BatchCount", "Integer", " 1 ", 1),
    ("CryptographicUsageMask", "Integer", "12", 12),
    ("CryptographicUsageMask", "Integer", "0x0000100c", 0x100C),
    ("CryptographicUsageMask", "Integer", "Encrypt Decrypt CertificateSign", 0x100C),
    ("CryptographicUsageMask", "Integer", "CertificateSign 0x00000004 0x0000008", 0x100C),
    ("CryptographicUsageMask", "Integer", "ContentCommitment", 0x400),
    ("CryptographicUsageMask", "Integer", "Sign 0x80000000", 1 - (1 << 31)),
    ("UsageLimitsCount", "LongInteger", "1152921504606846976", 1 << 60),
    ("x540001", "LongInteger", "-2", -2),
    ("X", "BigInteger", "0000000000000000", 0),
    ("X", "BigInteger", "ff", -1),
    ("X", "BigInteger", "0x00000000000000ff", 255),
    ("ObjectType", "Enumeration", "SymmetricKey", 2),
    ("ObjectType", "Enumeration", "0x00000002", 2),
    ("ObjectType", "Enumeration", "0x80123456", 0x80123456),
    ("UniqueIdentifier", "Enumeration", "IDPlaceholder", 1),
    ("PrivateKeyUniqueIdentifier", "Enumeration", "IDPlaceholder", 1),
    ("CertificateRequestUniqueIdentifier", "Enumeration", "IDPlaceholder", 1),
    ("PrivateKeyLink", "Enumeration", "IDPlaceholder", 1),
    ("LinkedObjectIdentifier", "Enumeration", "IDPlaceholder", 1),
    ("AttributeReference", "Enumeration", "State", Tag.STATE),
    ("AttributeReference", "Enumeration", "0x42008d", Tag.STATE),
    ("BatchOrderOption", "Boolean", "true", True),
    ("BatchOrderOption", "Boolean", "0", False),
    ("Comment", "TextString", " a&#10;&lt;&amp;&quot;&#913; ", ' a\n<&"\u0391 '),
    ("MACSignature", "ByteString", "C50f77", b"\xc5\x0f\x77"),
    ("Data", "ByteString", "", b""),
    ("ArchiveDate", "DateTime", "2001-01-01T10:00:00+10:00", 978307200),
    ("ArchiveDate", "DateTime", "2001-01-01T00:00:00Z", 978307200),
    ("ArchiveDate", "DateTime", "2001-01-01T00:00:00", 978307200),
    ("ArchiveDate", "DateTime", "2000-12-31T23:30:00.9-00:30", 978307200),
    ("ArchiveDate", "DateTime", "0x000000003a4fc880", 978307200),
    ("TimeStamp", "DateTimeExtended", "1970-01-01T00:00:01.0002505Z", 1_000_250),
    ("Offset", "Interval", "4294967295", (1 << 32) - 1),
    ("UniqueIdentifier", "Identifier", "abc", "abc"),
    ("UniqueIdentifier", "NameReference", "abc", "abc"),
]


@pytest.mark.parametrize(("name", "kind", "text", "value"), VALUES)
def test_every_form_of_a_value_is_read(name: str, kind: str, text: str, value: object) -> None:
    _, item_type, read = xml.decode(element(name, kind, text).encode())
    assert (TYPE_NAMES[item_type], read, type(read)) == (kind, value, type(read))
    assert isinstance(read, bool) == isinstance(value, bool)


ELEMENTS: list[tuple[str, Item]] = [
    ('<TTLV tag="0x540001" name="Any" type="TextString" value="na"/>', (0x540001, TEXT_STRING, "na")),
    ('<TTLV tag="BatchCount" type="Integer" value="1"/>', (Tag.BATCH_COUNT, INTEGER, 1)),
    ('<RequestPayload type="Structure"/>', (Tag.REQUEST_PAYLOAD, STRUCTURE, [])),
    ("<!-- a --><RequestPayload > \n </RequestPayload>", (Tag.REQUEST_PAYLOAD, STRUCTURE, [])),
    ('<RequestPayload xmlns="urn:oasis:tc:kmip:xmlns"/>', (Tag.REQUEST_PAYLOAD, STRUCTURE, [])),
    ('<k:BatchItem xmlns:k="urn:oasis:tc:kmip:xmlns" k:x="1"/>', (Tag.BATCH_ITEM, STRUCTURE, [])),
    ('<?xml version="1.0" encoding="UTF-8"?><BatchItem/>', (Tag.BATCH_ITEM, STRUCTURE, [])),
]


@pytest.mark.parametrize(("text", "item"), ELEMENTS)
def test_every_form_of_an_element_is_read(text: str, item: Item) -> None:
    assert xml.decode(text.encode()) == item


def attribute(name: str, value: str, extra: str = "") -> bytes:
    return f'<Attribute>{extra}<AttributeName type="TextString" value="{name}"/>{value}</Attribute>'.encode()


def test_an_attribute_value_has_the_names_of_its_attribute() -> None:
    """KMIP 1.x: the Attribute Name before it says which enumeration or mask it is."""
    algorithm = attribute("Cryptographic Algorithm", '<AttributeValue type="Enumeration" value="AES"/>')
    mask = attribute("Cryptographic Usage Mask", '<AttributeValue type="Integer" value="Sign Verify"/>')
    assert xml.decode(algorithm)[2][1] == (Tag.ATTRIBUTE_VALUE, ENUMERATION, 3)
    assert xml.decode(mask)[2][1] == (Tag.ATTRIBUTE_VALUE, INTEGER, 3)
    assert b'value="AES"' in xml.encode(xml.decode(algorithm), version=V1_0)
    assert b'value="Sign Verify"' in xml.encode(xml.decode(mask), version=V1_0)


@pytest.mark.parametrize(("kind", "value"), [("TextString", ""), ("ByteString", b"")])
def test_an_empty_string_may_be_left_out(kind: str, value: str | bytes) -> None:
    """INTEROP(gemalto/kmip-go 0.1)."""
    assert xml.decode(f'<Data type="{kind}"/>'.encode())[2] == value


def test_a_mask_may_be_written_as_in_json() -> None:
    """INTEROP(gemalto/kmip-go 0.1)."""
    mask = attribute("Cryptographic Usage Mask", '<AttributeValue type="Integer" value="Sign|Verify"/>')
    assert xml.decode(mask)[2][1] == (Tag.ATTRIBUTE_VALUE, INTEGER, 3)


def test_a_vendor_attribute_has_no_names() -> None:
    vendor = '<VendorIdentification type="TextString" value="acme"/>'
    named = '<AttributeValue type="Enumeration" value="AES"/>'
    for data in (attribute("Cryptographic Algorithm", named, vendor), attribute("x-mine", named)):
        with pytest.raises(DecodeError, match="no names: write 0x and 8 hex digits"):
            xml.decode(data)
    numbered = '<AttributeValue type="Enumeration" value="0x00000003"/>'
    item = xml.decode(attribute("Cryptographic Algorithm", numbered, vendor))
    assert b'value="0x00000003"' in xml.encode(item, version=V2_1)


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
    assert xml.encode(item, version=V2_1) == (
        b'<RequestPayload><Operation type="Enumeration" value="Encrypt"/>'
        b'<CryptographicUsageMask type="Integer" value="Encrypt Authenticate"/>'
        b'<ProtectionLevel type="Enumeration" value="High"/></RequestPayload>'
    )
    assert xml.encode(item, version=V1_0) == (
        b'<RequestPayload><Operation type="Enumeration" value="0x0000001F"/>'
        b'<CryptographicUsageMask type="Integer" value="Encrypt 0x00100000"/>'
        b'<TTLV tag="0x420145" type="Enumeration" value="0x00000001"/></RequestPayload>'
    )
    assert xml.decode(xml.encode(item, version=V1_0)) == item


BAD_VALUES = [
    (element("Comment", "Integer", "1.5"), "not a number of type Integer"),
    (element("Comment", "Integer", "1_0"), "not a number of type Integer"),
    (element("Comment", "Integer", "\u0661"), "not a number of type Integer"),
    (element("Comment", "Integer", ""), "not a number of type Integer"),
    (element("Comment", "Integer", "2147483648"), "out of the range of Integer"),
    (element("Comment", "Integer", "9" * 100_000), "not a number of type Integer"),
    (element("Comment", "Integer", "0x123456789"), "more than 8 hex digits"),
    (element("Comment", "Integer", "0x"), "not a number of type Integer"),
    (element("Comment", "LongInteger", "9223372036854775808"), "out of the range of LongInteger"),
    (element("Comment", "Interval", "-1"), "out of the range of Interval"),
    (element("Comment", "Interval", "4294967296"), "out of the range of Interval"),
    (element("Comment", "BigInteger", ""), "a BigInteger has no digits"),
    (element("Comment", "BigInteger", "123"), "not pairs of hex digits"),
    (element("Comment", "ByteString", "abc"), "not pairs of hex digits"),
    (element("Comment", "ByteString", "ab cd"), "not pairs of hex digits"),
    (element("Comment", "ByteString", "0xab"), "not pairs of hex digits"),
    (element("Comment", "Boolean", "True"), "not a number of type Boolean"),
    (element("Comment", "Boolean", "2"), "out of the range of Boolean"),
    (element("Comment", "Enumeration", "1"), "have no names"),
    (element("Comment", "Enumeration", "AES"), "have no names"),
    (element("CryptographicAlgorithm", "Enumeration", "Rot13"), "neither a name of"),
    (element("Comment", "Enumeration", "0x100000000"), "more than 8 hex digits"),
    (element("CryptographicUsageMask", "Integer", "Sign Rot13"), "neither names of"),
    (element("CryptographicUsageMask", "Integer", ""), "not between 1 and 64 names"),
    (element("CryptographicUsageMask", "Integer", "Sign " * 1000), "not between 1 and 64 names"),
    (element("Comment", "DateTime", "2001-02-30T00:00:00Z"), "no such date or time"),
    (element("Comment", "DateTime", "2001-01-01T24:00:00Z"), "no such date or time"),
    (element("Comment", "DateTime", "2001-01-01T00:00:00+15:00"), "no such offset"),
    (element("Comment", "DateTime", "2001-01-01"), "not a date such as"),
    (element("Comment", "DateTime", "12001-01-01T00:00:00Z"), "not a date such as"),
    (element("Comment", "DateTime", "9999-12-31T23:59:59-01:00"), "out of the range of DateTime"),
    (element("Comment", "DateTime", "0000-12-31T23:59:59Z"), "no such date or time"),
    (element("Comment", "DateTime", "0x7ffffffffffffffe"), "out of the range of DateTime"),
    (element("Comment", "Colour", "x"), "unknown item type"),
    (element("Comment", "Structure", "x"), "a structure has no value"),
    ('<BatchCount type="Integer"/>', "the value is missing"),
    ('<Comment type="TextString" value="x" colour="red"/>', "unknown XML attribute"),
    ('<Comment tag="0x540001" type="TextString" value="x"/>', "unknown XML attribute"),
    ("<Colour/>", "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ("<TTLV/>", "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ('<TTLV tag="0x430001"/>', "the tag begins with neither 42 nor 54"),
    ('<TTLV tag="0x5400011"/>', "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ('<TTLV tag="540001"/>', "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ('<TTLV tag="x540001"/>', "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ('<RequestPayload xmlns="urn:other"/>', "the tag is neither a name of KMIP nor 0x and 6 hex digits"),
    ("<Comment" + "".join(f" a{i}=''" for i in range(17)) + "/>", "more than 16 attributes"),
]


@pytest.mark.parametrize(
    ("text", "reason"), BAD_VALUES, ids=[f"{i}-{v[1]}" for i, v in enumerate(BAD_VALUES)]
)
def test_a_malformed_element_is_refused_with_its_place(text: str, reason: str) -> None:
    before = '<RequestMessage><BatchItem><MACSignature type="ByteString" value="00"/>\n'
    with pytest.raises(DecodeError) as caught:
        xml.decode(f"{before}{text}</BatchItem></RequestMessage>".encode())
    assert reason in caught.value.message
    assert caught.value.at == len(before)
    if "attributes" not in reason:
        assert caught.value.path[:2] == (("RequestMessage", None), ("BatchItem", None))
        assert len(caught.value.path) == 3


def test_an_error_reads_as_place_reason_offset() -> None:
    good, bad = element("OffsetItems", "Integer", "1"), element("OffsetItems", "Integer", "x")
    items = f"<BatchItem>{good}</BatchItem><BatchItem>{bad}</BatchItem>"
    with pytest.raises(DecodeError) as caught:
        xml.decode(f"<RequestMessage>{items}</RequestMessage>".encode())
    assert str(caught.value) == (
        "RequestMessage.BatchItem[1].OffsetItems: not a number of type Integer (byte 89)"
    )


BAD_DOCUMENTS = [
    (b"", "not well-formed XML: no element found"),
    (b"<BatchItem>", "not well-formed XML: no element found"),
    (b"<BatchItem></Other>", "not well-formed XML: mismatched tag"),
    (b"<BatchItem/><BatchItem/>", "not well-formed XML: junk after document element"),
    (b"<BatchItem>x</BatchItem>", "text between elements"),
    (b"<BatchItem>&#120;</BatchItem>", "text between elements"),
    (b"<BatchItem><![CDATA[x]]></BatchItem>", "text between elements"),
    (b"<BatchItem>&lol;</BatchItem>", "not well-formed XML: undefined entity"),
    (b"<!DOCTYPE BatchItem><BatchItem/>", "a document type is not allowed"),
    (b'<!DOCTYPE B [<!ENTITY a "b">]><BatchItem>&a;</BatchItem>', "a document type is not allowed"),
    (b'<!DOCTYPE B SYSTEM "file:///etc/passwd"><BatchItem/>', "a document type is not allowed"),
    (b"<?php x?><BatchItem/>", "a processing instruction is not allowed"),
    (b"<BatchItem><?a b?></BatchItem>", "a processing instruction is not allowed"),
    (b'<?xml version="1.0" encoding="ISO-8859-1"?><BatchItem/>', "the encoding is not UTF-8"),
    ("<BatchItem/>".encode("utf-16"), "the encoding is not UTF-8"),
    ("<BatchItem/>".encode("utf-16-be"), "the encoding is not UTF-8"),
    (b'<Comment type="TextString" value="\xff"/>', "not well-formed XML: not well-formed (invalid token)"),
    (b"<Comment>&#0;</Comment>", "not well-formed XML: reference to invalid character number"),
    (b'<Comment type="TextString" value="a"><BatchItem/></Comment>', "an element inside a value"),
]


@pytest.mark.parametrize(("data", "reason"), BAD_DOCUMENTS)
def test_a_document_that_is_no_message_is_refused(data: bytes, reason: str) -> None:
    """faults 9."""
    with pytest.raises(DecodeError) as caught:
        xml.decode(data)
    assert caught.value.message == reason


def test_a_million_laughs_are_not_expanded() -> None:
    """faults 9."""
    entities = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9))
    text = f'<!DOCTYPE B [<!ENTITY a0 "lol">{entities}]><Comment type="TextString" value="&a9;"/>'
    with pytest.raises(DecodeError, match="a document type is not allowed"):
        xml.decode(text.encode())


def test_depth_is_limited() -> None:
    assert xml.decode(xml.encode(nested(32), version=V1_4)) == nested(32)
    with pytest.raises(DecodeError, match="nested too deep") as caught:
        xml.decode(xml.encode(nested(33), version=V1_4))
    assert len(caught.value.path) == 33
    with pytest.raises(DecodeError, match="nested too deep"):
        xml.decode(b"<D>" * 1_000_000)


def test_the_number_of_items_is_limited() -> None:
    limits = Limits(items=100)
    assert xml.decode(xml.encode(wide(100), version=V1_4), limits) == wide(100)
    with pytest.raises(DecodeError, match="more than 100 items") as caught:
        xml.decode(xml.encode(wide(101), version=V1_4), limits)
    assert caught.value.path == (("VendorExtension", None), ("BatchCount", 99))


def test_the_size_is_limited() -> None:
    data = xml.encode(GET_REQUEST, version=V1_4)
    assert xml.decode(data, Limits(message_size=len(data))) == GET_REQUEST
    with pytest.raises(MessageTooLarge):
        xml.decode(data, Limits(message_size=len(data) - 1))


def test_values_may_be_substituted() -> None:
    data = b'<Name><NameValue type="TextString" value="$X"/><NameType type="Enumeration" value="$Y"/></Name>'
    item = xml.decode(data, substitute={"$X": "a", "$Y": "URI"}.__getitem__)
    assert item == (
        Tag.NAME,
        STRUCTURE,
        [(Tag.NAME_VALUE, TEXT_STRING, "a"), (Tag.NAME_TYPE, ENUMERATION, 2)],
    )


def test_the_messages_of_a_test_case_are_found_with_their_notes() -> None:
    document = (
        b"<KMIP># TIME 0\n<!-- not a note -->\n<RequestMessage>\n<RequestHeader/>\n</RequestMessage >\n"
        b"<ResponseMessage></ResponseMessage># TIME 1 # [Client-B]<RequestMessage/></KMIP>"
    )
    assert xml.messages(document) == [
        ("# TIME 0", b"<RequestMessage>\n<RequestHeader/>\n</RequestMessage >"),
        ("", b"<ResponseMessage></ResponseMessage>"),
        ("# TIME 1 # [Client-B]", b"<RequestMessage/>"),
    ]


@pytest.mark.parametrize("document", [b"<D/>", b"<KMIP><D/></KMIP>", b"<KMIP>", b"<!DOCTYPE K><KMIP/>"])
def test_a_file_that_is_no_test_case_is_refused(document: bytes) -> None:
    with pytest.raises(DecodeError):
        xml.messages(document)


UNWRITABLE = [
    (TEXT_STRING, "a\x01b", "XML cannot hold a character of this text"),
    (TEXT_STRING, "a\uffffb", "XML cannot hold a character of this text"),
    (TEXT_STRING, "a\0b", "text contains NUL"),
    (TEXT_STRING, "\ud800", "text contains half a surrogate pair"),
    (INTEGER, 1 << 31, "out of the range of Integer"),
    (ENUMERATION, -1, "out of the range of Enumeration"),
    (DATE_TIME, 1 << 40, "out of the range of DateTime"),
]


@pytest.mark.parametrize(("kind", "content", "reason"), UNWRITABLE)
def test_what_cannot_be_said_is_not_written(kind: int, content: object, reason: str) -> None:
    with pytest.raises(EncodeError) as caught:
        xml.encode((Tag.BATCH_ITEM, STRUCTURE, [(Tag.COMMENT, kind, content)]), version=V1_4)
    assert str(caught.value) == f"BatchItem.Comment: {reason}"


@pytest.mark.parametrize(
    ("version", "name"), [(V1_4, "ContentCommitmentNonRepudiation"), (V2_1, "ContentCommitment")], ids=str
)
def test_a_value_is_written_under_the_name_of_the_version(version: Version, name: str) -> None:
    mask: Item = (Tag.CRYPTOGRAPHIC_USAGE_MASK, INTEGER, 0x400)
    assert element("CryptographicUsageMask", "Integer", name) in xml.encode(mask, version=version).decode()
