"""A generation is its number and the write that it is of."""

import copy

import pytest

from strongroom.domain.generation import Generation, as_read

FIRST = Generation(3, b"a" * 12)


def test_two_are_equal_if_number_and_write_are() -> None:
    assert Generation(3, b"a" * 12) == FIRST
    assert hash(Generation(3, b"a" * 12)) == hash(FIRST)
    for other in (Generation(3, b"b" * 12), Generation(4, b"a" * 12)):
        assert other != FIRST
        assert not other == FIRST  # noqa: SIM201 -- either is written by hand


def test_a_plain_number_compares_with_the_number() -> None:
    assert FIRST == 3
    assert FIRST != 4
    assert FIRST != "3"
    assert FIRST + 1 == 4


def test_a_copy_is_of_the_same_write() -> None:
    assert copy.deepcopy(FIRST) == FIRST


def test_only_what_was_read_can_be_expected() -> None:
    assert as_read(FIRST) is FIRST
    for counted in (0, 3, FIRST + 1):
        with pytest.raises(ValueError, match="not read"):
            as_read(counted)
