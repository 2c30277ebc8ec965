"""The readable tree, and what it must not show."""

import pytest

from strongroom.registry import Tag
from strongroom.wire.dump import dump
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    ENUMERATION,
    INTEGER,
    INTERVAL,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from tests.unit.wire.build import GET_RESPONSE, KEY_BLOCK

SECRET = b"correct horse battery staple"
TEXT = SECRET.decode()
NUMBER = int.from_bytes(SECRET)
GIVEAWAYS = (TEXT, TEXT[:7], SECRET.hex(), SECRET[:7].hex(), str(NUMBER), f"{NUMBER:x}")


def test_a_message_reads_as_a_tree_of_names_types_and_values() -> None:
    assert (
        dump(GET_RESPONSE)
        == """\
ResponseMessage
  ResponseHeader
    ProtocolVersion
      ProtocolVersionMajor (Integer): 1
      ProtocolVersionMinor (Integer): 4
    TimeStamp (DateTime): 2023-11-14T22:13:20+00:00
    BatchCount (Integer): 1
  BatchItem
    Operation (Enumeration): Get
    ResultStatus (Enumeration): Success
    ResponsePayload
      ObjectType (Enumeration): SymmetricKey
      UniqueIdentifier (TextString): '2f8b0d2e-3c52-4d9b-9a65-1f2e8a0b1c2d'
      SymmetricKey
        KeyBlock
          KeyFormatType (Enumeration): Raw
          KeyValue
            KeyMaterial (ByteString): 32 bytes, not shown
          CryptographicAlgorithm (Enumeration): AES
          CryptographicLength (Integer): 256"""
    )


HIDDEN: list[Item] = [
    (Tag.KEY_MATERIAL, BYTE_STRING, SECRET),
    (Tag.KEY_MATERIAL, STRUCTURE, [(Tag.KEY, BYTE_STRING, SECRET)]),
    (Tag.KEY_MATERIAL, STRUCTURE, [(0x540001, INTEGER, 123454321), (0x540002, TEXT_STRING, TEXT)]),
    (
        Tag.KEY_MATERIAL,
        STRUCTURE,
        [(Tag.PRIVATE_EXPONENT, BIG_INTEGER, NUMBER), (Tag.D, BIG_INTEGER, NUMBER)],
    ),
    (Tag.PRIVATE_EXPONENT, BIG_INTEGER, NUMBER),
    (Tag.KEY_VALUE, BYTE_STRING, SECRET),
    (Tag.KEY_BLOCK, STRUCTURE, [(Tag.IV_COUNTER_NONCE, BYTE_STRING, SECRET)]),
    (
        Tag.KEY_BLOCK,
        STRUCTURE,
        [(Tag.KEY_WRAPPING_DATA, STRUCTURE, [(Tag.MAC_SIGNATURE, BYTE_STRING, SECRET)])],
    ),
    (Tag.PASSWORD, TEXT_STRING, TEXT),
    (Tag.CREDENTIAL_VALUE, STRUCTURE, [(Tag.PASSWORD, TEXT_STRING, TEXT)]),
    (Tag.HASHED_PASSWORD, BYTE_STRING, SECRET),
    (Tag.SERVER_HASHED_PASSWORD, BYTE_STRING, SECRET),
    (Tag.SALTED_PASSWORD, BYTE_STRING, SECRET),
    (Tag.ONE_TIME_PASSWORD, TEXT_STRING, TEXT),
    (Tag.OTP_SEED, BYTE_STRING, SECRET),
    (Tag.OTP_COUNTER, INTEGER, 123454321),
    (Tag.TICKET, STRUCTURE, [(Tag.TICKET_VALUE, BYTE_STRING, SECRET)]),
    (Tag.DATA, BYTE_STRING, SECRET),
    (Tag.OPAQUE_DATA_VALUE, BYTE_STRING, SECRET),
    (Tag.DERIVATION_DATA, BYTE_STRING, SECRET),
    (Tag.DIGEST_VALUE, BYTE_STRING, SECRET),
    (Tag.ATTRIBUTE_VALUE, BYTE_STRING, SECRET),
    (0x540001, BYTE_STRING, SECRET),
    (0x540001, TEXT_STRING, TEXT),
    (0x42FFFF, BYTE_STRING, SECRET),
]


@pytest.mark.parametrize("item", HIDDEN, ids=lambda item: f"0x{item[0]:06X}-{item[1]}")
def test_secrets_are_not_shown(item: Item) -> None:
    text = dump((Tag.REQUEST_MESSAGE, STRUCTURE, [item]))
    assert "not shown" in text
    assert not any(giveaway in text for giveaway in (*GIVEAWAYS, "123454321"))


SHOWN: list[tuple[Item, str]] = [
    ((Tag.UNIQUE_BATCH_ITEM_ID, BYTE_STRING, b"\x01\xab"), "UniqueBatchItemID (ByteString): 01ab"),
    (
        (Tag.CERTIFICATE_VALUE, BYTE_STRING, bytes(40)),
        f"CertificateValue (ByteString): {'00' * 32}... (40 bytes)",
    ),
    ((Tag.CRYPTOGRAPHIC_USAGE_MASK, INTEGER, 12), "CryptographicUsageMask (Integer): Encrypt Decrypt"),
    ((Tag.CRYPTOGRAPHIC_USAGE_MASK, INTEGER, 0), "CryptographicUsageMask (Integer): 0"),
    ((Tag.OPERATION, ENUMERATION, 0x80000001), "Operation (Enumeration): 0x80000001"),
    ((Tag.ATTRIBUTE_REFERENCE, ENUMERATION, Tag.STATE), "AttributeReference (Enumeration): State"),
    ((Tag.UNIQUE_IDENTIFIER, ENUMERATION, 1), "UniqueIdentifier (Enumeration): IDPlaceholder"),
    ((Tag.SENSITIVE, BOOLEAN, True), "Sensitive (Boolean): true"),
    ((Tag.ARCHIVE_DATE, DATE_TIME, 0), "ArchiveDate (DateTime): 1970-01-01T00:00:00+00:00"),
    ((Tag.LEASE_TIME, INTERVAL, 3600), "LeaseTime (Interval): 3600"),
    ((0x540001, INTEGER, 7), "0x540001 (Integer): 7"),
    ((Tag.COMMENT, TEXT_STRING, "a" * 300), f"Comment (TextString): '{'a' * 200}'... (300 characters)"),
]


@pytest.mark.parametrize(("item", "line"), SHOWN, ids=[line[:40] for _, line in SHOWN])
def test_the_rest_is_shown(item: Item, line: str) -> None:
    assert dump(item) == line


def test_an_attribute_value_has_the_names_of_its_attribute() -> None:
    name: Item = (Tag.ATTRIBUTE_NAME, TEXT_STRING, "State")
    item: Item = (Tag.ATTRIBUTE, STRUCTURE, [name, (Tag.ATTRIBUTE_VALUE, ENUMERATION, 2)])
    assert dump(item).endswith("AttributeValue (Enumeration): Active")


def test_text_cannot_move_the_cursor_or_forge_a_line() -> None:
    text = dump((Tag.COMMENT, TEXT_STRING, "a\n\x1b[2J\u202eb"))
    assert text == r"Comment (TextString): 'a\n\x1b[2J\u202eb'"


def test_public_parts_of_a_key_block_are_shown() -> None:
    assert "CryptographicLength (Integer): 256" in dump(KEY_BLOCK)
