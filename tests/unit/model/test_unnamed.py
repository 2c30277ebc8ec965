"""Attributes of 1.x without a name."""

import pytest

from strongroom.attributes import catalogue  # noqa: F401 - declares the attributes
from strongroom.model.attribute_items import decode_attribute
from strongroom.model.errors import MalformedField
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, HashingAlgorithm, PaddingMethod, Tag
from strongroom.wire.item import Item

PADDING: Item = (int(Tag.PADDING_METHOD), 5, int(PaddingMethod.PSS))
HASH: Item = (int(Tag.HASHING_ALGORITHM), 5, int(HashingAlgorithm.SHA_256))


def unnamed(item_type: int, value: object) -> list[Item]:
    return [(int(Tag.ATTRIBUTE_VALUE), item_type, value)]


def test_a_structure_that_only_one_attribute_has_needs_no_name() -> None:
    """OASIS CS-AC-M-3-12 prints one."""
    found = decode_attribute(unnamed(1, [PADDING, HASH]), V1_2)
    assert found.key is Tag.CRYPTOGRAPHIC_PARAMETERS
    assert found.value == CryptographicParameters(
        padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256
    )


@pytest.mark.parametrize(
    ("item_type", "value"),
    [
        (1, [HASH]),  # Digest has one too
        (1, []),
        (1, [PADDING, (int(Tag.DIGEST_VALUE), 8, b"")]),
        (7, "text"),
        (2, 1),
    ],
    ids=["two could be meant", "nothing", "none has these", "text", "number"],
)
def test_a_value_that_says_too_little_needs_its_name(item_type: int, value: object) -> None:
    with pytest.raises(MalformedField, match="AttributeName is missing"):
        decode_attribute(unnamed(item_type, value), V1_2)


def test_a_vendor_attribute_needs_its_name() -> None:
    items = [(int(Tag.VENDOR_IDENTIFICATION), 7, "x"), *unnamed(1, [PADDING, HASH])]
    with pytest.raises(MalformedField, match="AttributeName is missing"):
        decode_attribute(items, V1_2)
