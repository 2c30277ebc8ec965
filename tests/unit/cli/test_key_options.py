"""What a key is for that a command makes."""

import pytest
import typer

from strongroom.cli.key_options import usage_of
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import CryptographicUsageMask as Mask
from strongroom.registry import ObjectType


@pytest.mark.parametrize(
    ("object_type", "algorithm", "mask"),
    [
        (ObjectType.SYMMETRIC_KEY, Algorithm.AES, Mask.ENCRYPT | Mask.DECRYPT),
        (ObjectType.SYMMETRIC_KEY, Algorithm.HMAC_SHA256, Mask.MAC_GENERATE | Mask.MAC_VERIFY),
        (ObjectType.PRIVATE_KEY, Algorithm.RSA, Mask.SIGN),
        (ObjectType.PUBLIC_KEY, Algorithm.RSA, Mask.VERIFY),
        (ObjectType.PRIVATE_KEY, Algorithm.ECDH, Mask.KEY_AGREEMENT),
    ],
)
def test_unless_told_a_key_has_the_uses_of_its_algorithm(
    object_type: ObjectType, algorithm: Algorithm, mask: Mask
) -> None:
    assert usage_of(None, object_type, algorithm) == mask


def test_what_is_told_is_taken() -> None:
    asked = usage_of("Wrap Key,Unwrap Key", ObjectType.SYMMETRIC_KEY, Algorithm.AES)
    assert asked == Mask.WRAP_KEY | Mask.UNWRAP_KEY


def test_a_use_that_does_not_exist_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        usage_of("Sing", ObjectType.PRIVATE_KEY, Algorithm.RSA)
