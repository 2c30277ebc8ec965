"""What requests have in common is read once, and no more than that."""

import pytest

import strongroom.attributes.catalogue  # noqa: F401 - declares the attributes
from strongroom.model.attribute_items import decode_attribute
from strongroom.model.convert import decoder
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_4, BlockCipherMode, Tag
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

GCM: Item = (int(Tag.BLOCK_CIPHER_MODE), 5, int(BlockCipherMode.GCM))


def test_parameters_of_numbers_are_known_again() -> None:
    decode = decoder(CryptographicParameters, V1_4)
    first = decode([GCM, (int(Tag.TAG_LENGTH), 2, 16)])
    assert first.tag_length == 16
    assert decode([GCM, (int(Tag.TAG_LENGTH), 2, 16)]) is first
    assert decode([GCM, (int(Tag.TAG_LENGTH), 2, 12)]).tag_length == 12


def test_parameters_with_bytes_are_read_each_time() -> None:
    decode = decoder(CryptographicParameters, V1_4)
    label: Item = (int(Tag.P_SOURCE), 8, b"label")
    assert decode([label]) == decode([label])
    assert decode([label]) is not decode([label])


def test_what_is_wrong_with_parameters_is_said_each_time() -> None:
    decode = decoder(CryptographicParameters, V1_4)
    for _ in range(2):
        with pytest.raises(DecodeError, match="more than once"):
            decode([GCM, GCM])
        with pytest.raises(DecodeError, match="expected ENUMERATION, got STRUCTURE"):
            decode([(int(Tag.BLOCK_CIPHER_MODE), 1, [])])


def test_common_attributes_are_known_again_and_names_are_not() -> None:
    def length(bits: int) -> list[Item]:
        return [
            (int(Tag.ATTRIBUTE_NAME), 7, "Cryptographic Length"),
            (int(Tag.ATTRIBUTE_VALUE), 2, bits),
        ]

    assert decode_attribute(length(256), V1_4) is decode_attribute(length(256), V1_4)
    assert decode_attribute(length(128), V1_4).value == 128
    contact: list[Item] = [
        (int(Tag.ATTRIBUTE_NAME), 7, "Contact Information"),
        (int(Tag.ATTRIBUTE_VALUE), 7, "somebody"),
    ]
    assert decode_attribute(contact, V1_4) is not decode_attribute(contact, V1_4)
