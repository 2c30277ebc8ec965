"""Splitting and joining bytes in the four methods (KMIP 1.4 §2.2.5, 2.1 §13.1)."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.sharing.adapter import join, split
from strongroom.domain.errors import BadCryptographicParameters, CryptographicFailure, ServerLimitExceeded
from strongroom.domain.splitting import Scheme, Shares
from strongroom.model.secret import SecretBytes
from strongroom.registry import SplitKeyMethod as Method
from strongroom.registry import SplitKeyPolynomial as Polynomial

PRINTED = {
    1: "66c46a7754f94de420c7b1a7fff5ec56",
    2: "cf93d1e2a7e593cd5b8d6247f4e5d49c",
    3: "a855b891f61ad9217240d8ec061e37da",
    4: "803dbad55cdd329fad19d99ae2c5a415",
}
"""The shares of 0102..10 in OASIS test case TC-SJ-2 of every version."""


def scheme(
    method: Method,
    parts: int,
    threshold: int,
    *,
    polynomial: Polynomial = Polynomial.POLYNOMIAL_285,
    prime: int | None = None,
) -> Scheme:
    return Scheme(
        method=method, parts=parts, threshold=threshold, polynomial=polynomial, prime_field_size=prime
    )


def joined(shares: Shares, chosen: Scheme, numbers: tuple[int, ...], length: int | None) -> SecretBytes:
    return join(
        {n: shares.material[n - 1] for n in numbers},
        replace(chosen, prime_field_size=shares.prime_field_size),
        length,
    )


@pytest.mark.parametrize("few", [2, 3, 4])
def test_the_shares_of_the_oasis_case_join_to_its_key(few: int) -> None:
    chosen = scheme(Method.POLYNOMIAL_SHARING_GF_2_8, 4, 2)
    for numbers in combinations(PRINTED, few):
        shares = {n: SecretBytes(bytes.fromhex(PRINTED[n])) for n in numbers}
        assert join(shares, chosen, None).reveal() == bytes(range(1, 17))


@settings(max_examples=60, deadline=None)
@given(
    secret=st.binary(min_size=1, max_size=40),
    method=st.sampled_from(Method),
    polynomial=st.sampled_from(Polynomial),
    numbers=st.data(),
)
def test_any_threshold_of_parts_joins_to_the_secret(
    secret: bytes, method: Method, polynomial: Polynomial, numbers: st.DataObject
) -> None:
    parts = numbers.draw(st.integers(2, 9))
    threshold = parts if method is Method.XOR else numbers.draw(st.integers(2, parts))
    chosen = scheme(method, parts, threshold, polynomial=polynomial)
    shares = split(SecretBytes(secret), chosen)
    order = numbers.draw(st.permutations(range(1, parts + 1)))
    enough = numbers.draw(st.integers(threshold, parts))
    assert joined(shares, chosen, tuple(order[:enough]), len(secret)).reveal() == secret


def multiply(one: int, other: int) -> int:
    """GF(2^16) bit by bit, as the texts define it: bytes modulo 285, pairs modulo y^2 + y + {3a}."""

    def byte(a: int, b: int) -> int:
        product = 0
        for bit in range(8):
            product ^= (a << bit) * (b >> bit & 1)
        for bit in range(15, 7, -1):
            product ^= (285 << bit - 8) * (product >> bit & 1)
        return product

    (r, s), (u, v) = divmod(one, 256), divmod(other, 256)
    squares = byte(r, u)
    return (byte(r, v) ^ byte(s, u) ^ squares) << 8 | byte(s, v) ^ byte(squares, 0x3A)


def test_the_shares_of_gf_2_16_lie_on_a_line_through_the_secret() -> None:
    """With a threshold of two, the share of part n is secret + n * slope, pair by pair of bytes."""
    secret = bytes.fromhex("00010203fffe8000")
    shares = split(SecretBytes(secret), scheme(Method.POLYNOMIAL_SHARING_GF_2_16, 5, 2)).material
    for place in range(0, len(secret), 2):
        first, *others = (int.from_bytes(s.reveal()[place : place + 2], "big") for s in shares)
        hidden = int.from_bytes(secret[place : place + 2], "big")
        slope = first ^ hidden
        assert [hidden ^ multiply(n, slope) for n in (2, 3, 4, 5)] == others


def test_the_shares_of_a_prime_field_lie_on_a_line_through_the_secret() -> None:
    prime = (1 << 127) - 1
    chosen = scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2, prime=prime)
    shares = split(SecretBytes(b"secret"), chosen).material
    one, two, three = (int.from_bytes(s.reveal(), "big") for s in shares)
    assert {len(s) for s in shares} == {16}
    assert (2 * one - two) % prime == int.from_bytes(b"secret", "big")
    assert (two - one) % prime == (three - two) % prime


def test_xor_shares_join_by_xor() -> None:
    shares = split(SecretBytes(b"ab"), scheme(Method.XOR, 3, 3)).material
    one, two, three = (s.reveal() for s in shares)
    assert bytes(a ^ b ^ c for a, b, c in zip(one, two, three, strict=True)) == b"ab"


@pytest.mark.parametrize("method", [Method.XOR, Method.POLYNOMIAL_SHARING_GF_2_8])
@pytest.mark.parametrize("secret", [b"\x00", b"\xff"])
def test_a_part_less_than_the_threshold_says_nothing(
    method: Method, secret: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over every random coefficient, each share takes each value once, whatever the secret is."""
    seen: dict[int, Counter[bytes]] = {1: Counter(), 2: Counter()}
    for coefficient in range(256):
        monkeypatch.setattr(
            "strongroom.crypto.sharing.adapter.secrets.token_bytes", lambda n, c=coefficient: bytes([c]) * n
        )
        for number, share in enumerate(split(SecretBytes(secret), scheme(method, 2, 2)).material, 1):
            seen[number][share.reveal()] += 1
    assert all(len(counts) == 256 and set(counts.values()) == {1} for counts in seen.values())


def test_parts_of_one_split_differ_from_those_of_another() -> None:
    chosen = scheme(Method.POLYNOMIAL_SHARING_GF_2_8, 3, 2)
    one, other = split(SecretBytes(bytes(16)), chosen), split(SecretBytes(bytes(16)), chosen)
    assert set(map(SecretBytes.reveal, one.material)).isdisjoint(map(SecretBytes.reveal, other.material))
    assert one.salt != other.salt
    assert one.digest_value != other.digest_value


@pytest.mark.parametrize(
    "method",
    [
        Method.POLYNOMIAL_SHARING_GF_2_8,
        Method.POLYNOMIAL_SHARING_GF_2_16,
        Method.POLYNOMIAL_SHARING_PRIME_FIELD,
    ],
)
def test_a_part_beyond_the_threshold_shows_an_altered_one(method: Method) -> None:
    chosen = scheme(method, 4, 2)
    shares = split(SecretBytes(bytes(range(16))), chosen)
    changed = bytearray(shares.material[1].reveal())
    changed[-1] ^= 1
    altered = replace(
        shares, material=(shares.material[0], SecretBytes(bytes(changed)), *shares.material[2:])
    )
    with pytest.raises(CryptographicFailure):
        joined(altered, chosen, (1, 2, 3), None)
    with pytest.raises(CryptographicFailure):
        joined(altered, chosen, (1, 3, 2), None)


def test_a_secret_of_zeros_keeps_its_length_in_a_prime_field() -> None:
    chosen = scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2)
    for size in (1, 16, 17, 32):
        shares = split(SecretBytes(bytes(size)), chosen)
        assert len(joined(shares, chosen, (1, 3), size)) == size


def test_an_odd_secret_in_gf_2_16_is_filled_up_with_a_byte() -> None:
    chosen = scheme(Method.POLYNOMIAL_SHARING_GF_2_16, 3, 2)
    shares = split(SecretBytes(b"abc"), chosen)
    assert {len(s) for s in shares.material} == {4}
    assert joined(shares, chosen, (1, 2), None).reveal() == b"abc\0"
    assert joined(shares, chosen, (1, 2), 3).reveal() == b"abc"


@pytest.mark.parametrize("prime", [(1 << 128) + 53, (1 << 128) - 159, 7, -5, 0])
def test_a_prime_field_size_must_be_a_prime_greater_than_the_secret(prime: int) -> None:
    with pytest.raises(BadCryptographicParameters):
        split(SecretBytes(bytes(16)), scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2, prime=prime))


def test_an_endless_prime_is_not_even_tested() -> None:
    endless = (1 << 1_000_000) + 1
    with pytest.raises(ServerLimitExceeded):
        split(SecretBytes(bytes(16)), scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2, prime=endless))


@pytest.mark.parametrize("prime", [None, 15, (1 << 521) + 1])
def test_shares_in_what_is_no_prime_field_are_not_joined(prime: int | None) -> None:
    shares = {1: SecretBytes(b"\x01"), 2: SecretBytes(b"\x02")}
    with pytest.raises(BadCryptographicParameters):
        join(shares, scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2, prime=prime), None)


def test_shares_that_are_not_in_the_field_are_not_joined() -> None:
    chosen = scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 3, 2, prime=257)
    with pytest.raises(CryptographicFailure):
        join({1: SecretBytes(b"\x01\x01"), 2: SecretBytes(b"\x00\x02")}, chosen, None)
    with pytest.raises(CryptographicFailure):
        join({1: SecretBytes(b"\x01"), 300: SecretBytes(b"\x02")}, chosen, None)


@pytest.mark.parametrize(
    ("method", "one", "other", "number"),
    [
        (Method.XOR, b"a", b"ab", 2),
        (Method.POLYNOMIAL_SHARING_GF_2_8, b"a", b"ab", 2),
        (Method.POLYNOMIAL_SHARING_GF_2_8, b"a", b"b", 256),
        (Method.POLYNOMIAL_SHARING_GF_2_16, b"abc", b"abc", 2),
        (Method.POLYNOMIAL_SHARING_GF_2_16, b"ab", b"ab", 65536),
    ],
)
def test_shares_that_cannot_be_of_one_split_are_not_joined(
    method: Method, one: bytes, other: bytes, number: int
) -> None:
    with pytest.raises(CryptographicFailure):
        join({1: SecretBytes(one), number: SecretBytes(other)}, scheme(method, 2, 2), None)


async def test_work_has_limits(crypto: Cryptographer) -> None:
    with pytest.raises(ServerLimitExceeded, match="16384"):
        await crypto.split(SecretBytes(bytes(16385)), scheme(Method.XOR, 2, 2))
    with pytest.raises(ServerLimitExceeded):
        await crypto.split(SecretBytes(bytes(16384)), scheme(Method.POLYNOMIAL_SHARING_GF_2_8, 255, 255))
    with pytest.raises(ServerLimitExceeded):
        await crypto.split(SecretBytes(bytes(257)), scheme(Method.POLYNOMIAL_SHARING_PRIME_FIELD, 2, 2))
    long = SecretBytes(bytes(17000))
    with pytest.raises(ServerLimitExceeded):
        await crypto.join({1: long, 2: long}, scheme(Method.XOR, 2, 2), length=None)
    short = SecretBytes(bytes(16000))
    with pytest.raises(ServerLimitExceeded):
        await crypto.join(
            dict.fromkeys(range(1, 256), short),
            scheme(Method.POLYNOMIAL_SHARING_GF_2_8, 255, 200),
            length=None,
        )
