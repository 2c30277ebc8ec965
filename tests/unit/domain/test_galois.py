"""The fields in which secrets are shared (KMIP 1.4 §2.2.5, 2.1 §13.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.sharing.primes import is_prime, prime_above
from strongroom.domain.galois import BytePairs, Bytes, PrimeField

POLYNOMIALS = (283, 285)
bytes_ = st.integers(0, 255)
pairs = st.integers(0, 0xFFFF)


def test_fips_197_multiplies_like_this() -> None:
    """FIPS 197 §4.2: {57} x {83} = {c1}; §4.2.1: {57} x {13} = {fe}."""
    field = Bytes(1, 283)
    assert field.product(0x57, 0x83) == 0xC1
    assert field.product(0x57, 0x13) == 0xFE
    assert field.scale(0x57, 0x13) == 0xFE


def test_285_reduces_by_x8_x4_x3_x2_1() -> None:
    assert Bytes(1, 285).product(0x80, 0x02) == 0x1D


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
def test_every_byte_but_0_has_its_inverse(polynomial: int) -> None:
    field = Bytes(1, polynomial)
    assert all(field.product(n, field.inverse(n)) == 1 for n in range(1, 256))


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
@given(vector=st.binary(min_size=1, max_size=20), scalar=bytes_)
def test_a_vector_is_scaled_byte_by_byte(polynomial: int, vector: bytes, scalar: int) -> None:
    field = Bytes(len(vector), polynomial)
    scaled = field.scale(int.from_bytes(vector, "big"), scalar)
    assert scaled.to_bytes(len(vector), "big") == bytes(field.product(b, scalar) for b in vector)


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
def test_y_squared_is_y_and_m(polynomial: int) -> None:
    """GF(2^16) is GF(2^8)[y] / (y^2 + y + m), m = {3a}."""
    assert BytePairs(1, polynomial).product(0x0100, 0x0100) == 0x013A


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
@given(one=pairs, other=pairs, third=pairs)
def test_pairs_are_a_field(polynomial: int, one: int, other: int, third: int) -> None:
    field = BytePairs(1, polynomial)
    times = field.product
    assert times(one, 1) == one
    assert times(one, other) == times(other, one)
    assert times(times(one, other), third) == times(one, times(other, third))
    assert times(one, other ^ third) == times(one, other) ^ times(one, third)
    if one:
        assert times(one, field.inverse(one)) == 1


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
@given(element=pairs, scalar=pairs)
def test_pairs_are_scaled_like_scalars(polynomial: int, element: int, scalar: int) -> None:
    field = BytePairs(1, polynomial)
    u, v = field.scale((element >> 8, element & 255), scalar)
    assert u << 8 | v == field.product(element, scalar)


def test_the_prime_field_inverts() -> None:
    field = PrimeField(257)
    assert all(field.product(n, field.inverse(n)) == 1 for n in range(1, 257))
    assert field.difference(3, 5) == 255


@pytest.mark.parametrize("bits", [1, 64, 100, 128, 168, 192, 256, 384, 512, 1024, 2048])
def test_the_table_has_a_prime_above_every_length_up_to_2048(bits: int) -> None:
    prime = prime_above(bits)
    assert prime is not None
    assert prime > 1 << bits
    assert is_prime(prime)


def test_above_2048_bits_the_table_ends() -> None:
    assert prime_above(2049) is None


@given(st.integers(0, 3_000_000))
def test_the_test_of_primes_agrees_with_division(number: int) -> None:
    divisors = (d for d in range(2, int(number**0.5) + 1) if number % d == 0)
    assert is_prime(number) is (number > 1 and next(divisors, None) is None)


@pytest.mark.parametrize("number", [-7, 0, 1, 561, 3215031751, (1 << 127) - 3, ((1 << 61) - 1) ** 2])
def test_no_composite_passes(number: int) -> None:
    assert not is_prime(number)


def test_mersenne_numbers_pass() -> None:
    assert all(is_prime((1 << n) - 1) for n in (61, 127, 521))
