"""Hash (KMIP 1.2 §4.37, 2.1 §6.1.24)."""

import hashlib
from typing import Any

import pytest

from strongroom.domain.context import Policy
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.hash import HashRequest
from strongroom.registry import V2_1, CryptographicAlgorithm, HashingAlgorithm, ResultReason
from tests.expect import assert_refused, refusal
from tests.kms import TestKms

H, A = HashingAlgorithm, CryptographicAlgorithm
PYTHON_NAMES = {
    H.SHA_1: "sha1",
    H.SHA_224: "sha224",
    H.SHA_256: "sha256",
    H.SHA_384: "sha384",
    H.SHA_512: "sha512",
    H.SHA3_224: "sha3_224",
    H.SHA3_256: "sha3_256",
    H.SHA3_384: "sha3_384",
    H.SHA3_512: "sha3_512",
}
# FIPS 180-4 and GB/T 32905, the digests of "abc".
SHA_512_256 = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
SHA_512_224 = "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa"
SM3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def hashing(data: bytes | None = b"abc", **parameters: Any) -> HashRequest:
    return HashRequest(
        cryptographic_parameters=CryptographicParameters(**parameters),
        data=None if data is None else SecretBytes(data),
    )


@pytest.mark.parametrize("algorithm", PYTHON_NAMES)
@pytest.mark.parametrize("size", [0, 1, 20_000])
def test_a_digest_is_that_of_the_named_function(kms: TestKms, algorithm: HashingAlgorithm, size: int) -> None:
    made = kms.call(hashing(bytes(size), hashing_algorithm=algorithm))
    assert made.data == hashlib.new(PYTHON_NAMES[algorithm], bytes(size)).digest()


@pytest.mark.parametrize(
    ("parameters", "digest"),
    [
        ({"hashing_algorithm": H.SHA_512_256}, SHA_512_256),
        ({"hashing_algorithm": H.SHA_512_224}, SHA_512_224),
        ({"cryptographic_algorithm": A.SM3}, SM3),
        ({"cryptographic_algorithm": A.SHA3_256}, hashlib.sha3_256(b"abc").hexdigest()),
        ({"cryptographic_algorithm": A.SHAKE_128}, hashlib.shake_128(b"abc").hexdigest(32)),
        ({"cryptographic_algorithm": A.SHAKE_256}, hashlib.shake_256(b"abc").hexdigest(64)),
    ],
    ids=str,
)
def test_published_digests_are_met(kms: TestKms, parameters: dict[str, Any], digest: str) -> None:
    assert kms.call(hashing(**parameters), version=V2_1).data == bytes.fromhex(digest)


@pytest.mark.parametrize("algorithm", [H.MD2, H.MD4, H.RIPEMD_160, H.TIGER, H.WHIRLPOOL, H.MD5])
def test_what_is_not_computed_is_a_feature_not_supported(kms: TestKms, algorithm: HashingAlgorithm) -> None:
    request = hashing(hashing_algorithm=algorithm)
    assert refusal(kms, request).reason is ResultReason.FEATURE_NOT_SUPPORTED
    assert_refused(
        kms,
        request,
        ResultReason.FEATURE_NOT_SUPPORTED,
        ResultReason.FEATURE_NOT_SUPPORTED,
    )


def test_md5_is_computed_where_the_policy_allows_what_is_legacy(tmp_path: Any) -> None:
    kms = TestKms(tmp_path, policy=Policy(legacy=True))
    assert kms.call(hashing(hashing_algorithm=H.MD5)).data == hashlib.md5(b"abc").digest()
    kms.close()


@pytest.mark.parametrize("parameters", [{}, {"cryptographic_algorithm": A.AES}], ids=str)
def test_a_hash_function_must_be_named(kms: TestKms, parameters: dict[str, Any]) -> None:
    """KMIP 2.1 table 237 has no reason that speaks of Cryptographic Parameters."""
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, hashing(**parameters), reason, reason)


def test_data_is_required(kms: TestKms) -> None:
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, hashing(None, hashing_algorithm=H.SHA_256), reason, reason)
