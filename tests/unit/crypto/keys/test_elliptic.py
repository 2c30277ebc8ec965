"""Elliptic curves as PKCS#11 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.keys.curves import CURVES
from strongroom.crypto.keys.elliptic import EllipticEncoder
from strongroom.domain.errors import InvalidField
from strongroom.registry import RecommendedCurve

ENCODER = EllipticEncoder()


@pytest.mark.parametrize("curve", [c for c, entry in CURVES.items() if entry.library is not None])
def test_a_curve_of_the_library_has_a_name_that_leads_back(curve: RecommendedCurve) -> None:
    name = ENCODER.curve_parameters(curve)
    assert name is not None
    assert ENCODER.curve_named(name) is curve


def test_p_256_is_named_as_rfc_5480_says() -> None:
    """RFC 5480 §2.1.1.1: secp256r1 is 1.2.840.10045.3.1.7."""
    assert ENCODER.curve_parameters(RecommendedCurve.P_256) == bytes.fromhex("06082a8648ce3d030107")


def test_other_curves_have_no_name_here() -> None:
    assert ENCODER.curve_parameters(RecommendedCurve.K_163) is None


@given(st.binary(max_size=20))
def test_bytes_that_name_no_curve_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidField):
        ENCODER.curve_named(data)


def test_an_octet_string_has_a_length_of_one_byte_or_more() -> None:
    assert ENCODER.octet_string(b"abc") == b"\x04\x03abc"
    assert ENCODER.octet_string(bytes(200))[:3] == b"\x04\x81\xc8"


@given(r=st.integers(0, 2**256 - 1), s=st.integers(0, 2**256 - 1))
def test_a_signature_survives_both_forms(r: int, s: int) -> None:
    numbers = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert ENCODER.signature_numbers(ENCODER.signature_structure(numbers), 32) == numbers


@pytest.mark.parametrize("numbers", [b"", b"x", bytes(63)])
def test_numbers_of_unequal_length_are_no_signature(numbers: bytes) -> None:
    with pytest.raises(InvalidField):
        ENCODER.signature_structure(numbers)


def test_a_signature_of_a_longer_curve_does_not_fit() -> None:
    longer = ENCODER.signature_structure(b"\xff" * 96)
    for signature, size in ((longer, 32), (b"", 32), (b"\x30\x03", 32)):
        with pytest.raises(InvalidField):
            ENCODER.signature_numbers(signature, size)
