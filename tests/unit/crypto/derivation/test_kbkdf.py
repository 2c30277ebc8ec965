"""SP 800-108 against published cases and against the library's counter mode."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from strongroom.crypto.derivation import kbkdf


def test_counter_mode_meets_nist_with_hmac() -> None:
    """CAVS 14.4 KBKDF counter mode, HMAC-SHA256, counter of 32 bits before the fixed data, count 0."""
    prf = kbkdf.prf_of(
        HMAC(
            bytes.fromhex("dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0"),
            hashes.SHA256(),
        )
    )
    fixed = bytes.fromhex(
        "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fab25e517b08f8683d0315"
        "bb2911d80a0e8aba17f3b413faac"
    )
    assert kbkdf.counter(prf, fixed, b"", 16).hex() == "10621342bfb0fd40046c0e29f2cfdbf0"


def test_counter_mode_meets_nist_with_cmac() -> None:
    """The same for CMAC-AES128."""
    prf = kbkdf.prf_of(CMAC(AES(bytes.fromhex("c10b152e8c97b77e18704e0f0bd38305"))))
    fixed = bytes.fromhex(
        "98cd4cbbbebe15d17dc86e6dbad800a2dcbd64f7c7ad0e78e9cf94ffdba89d03e97eadf6c4f7b806caf52aa38f09"
        "d0eb71d71f497bcc6906b48d36c4"
    )
    assert kbkdf.counter(prf, fixed, b"", 16).hex() == "26faf61908ad9ee881b8305c221db53f"


@pytest.mark.parametrize("size", [1, 31, 32, 33, 1000])
def test_counter_mode_is_that_of_the_library(size: int) -> None:
    key, data = bytes(range(32)), b"label\x00context"
    library = KBKDFHMAC(
        hashes.SHA256(),
        Mode.CounterMode,
        size,
        4,
        4,
        CounterLocation.BeforeFixed,
        b"label",
        b"context",
        None,
    )
    prf = kbkdf.prf_of(HMAC(key, hashes.SHA256()))
    assert kbkdf.counter(prf, kbkdf.fixed_input(data, size), b"", size) == library.derive(key)


def test_feedback_mode_meets_a_case_made_with_bouncy_castle() -> None:
    """Botan's sp800_108_fb.vec, HMAC-SHA-256, the first: IV, then Label || 0 || Context || L."""
    key = bytes.fromhex("a7c84831ed751469d67bd1341502f8d9cea242f22b603a82b82e5f04124e14d0")
    salt = bytes.fromhex(
        "8ba32a09224e2ba61eadfe345e3978950895f605e73867946dd1175cc836421b6318d9e6384abe5f323e"
    )
    data = bytes.fromhex("e7eafc5b1faea3ac16e3b0b7") + b"\x00" + salt[32:]
    prf = kbkdf.prf_of(HMAC(key, hashes.SHA256()))
    assert kbkdf.feedback(prf, kbkdf.fixed_input(data, 2), salt[:32], 2).hex() == "ae76"


def test_double_pipeline_mode_meets_nist() -> None:
    """CAVS KBKDF double pipeline with counter, CMAC-AES128, as in Botan's sp800_108_pipe.vec, the first."""
    prf = kbkdf.prf_of(CMAC(AES(bytes.fromhex("34f0c2542bfe13c7149b68c8a1ef636b"))))
    fixed = bytes.fromhex(
        "daefcc52d6e32e1614109268933087fce3d64a5a6f111ba1a8d343a1e388a1752aaea93853be52864997a81c84b0"
        "4c4f3ff3bd"
    )
    assert kbkdf.double_pipeline(prf, fixed, b"", 64).hex() == (
        "fc0eae673e7db3c4660668e187bcd81d5ca9b89213d8d741e71c9bab89bb4fb3"
        "c4df541d89a8117f0f56b0f15111ae28abf81fb7d7349fbbcaf01137e4d73527"
    )
