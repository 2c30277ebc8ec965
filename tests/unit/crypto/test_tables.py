"""Tables are total."""

from enum import IntEnum

import pytest

from strongroom.crypto.tables import check_total, spec_name
from strongroom.registry import BlockCipherMode, CryptographicAlgorithm


class Colour(IntEnum):
    RED = 1
    GREEN = 2


def test_a_table_and_its_refusals_may_split_the_enumeration() -> None:
    check_total({Colour.RED: "stop"}, Colour, {Colour.GREEN})


@pytest.mark.parametrize(
    ("table", "refused"),
    [
        pytest.param({Colour.RED: "stop"}, set(), id="forgotten"),
        pytest.param({Colour.RED: "stop", Colour.GREEN: "go"}, {Colour.GREEN}, id="handled and refused"),
    ],
)
def test_a_table_with_a_gap_or_an_overlap_fails(table: dict[Colour, str], refused: set[Colour]) -> None:
    with pytest.raises(TypeError):
        check_total(table, Colour, refused)


def test_messages_use_the_names_of_the_specification() -> None:
    assert spec_name(CryptographicAlgorithm.DES3) == "3DES"
    assert spec_name(BlockCipherMode.NISTKEYWRAP) == "NISTKeyWrap"
    assert spec_name(0x80000001) == "0x80000001"
