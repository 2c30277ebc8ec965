"""Hash, MAC, MAC Verify, Sign and Signature Verify in parts (KMIP 1.3 §4, 2.1 §6.1)."""

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding

from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.hash import HashRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import (
    V1_3,
    V1_4,
    HashingAlgorithm,
    ResultReason,
    Tag,
    UsageLimitsUnit,
    ValidityIndicator,
)
from tests.expect import assert_refused, revoke, value
from tests.kms import BOB, TestKms, attribute
from tests.unit.operations.test_mac import mac_key
from tests.unit.operations.test_sign import private_key, public_key, rsa_key

SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
PARTS = (b"first ", b"", b"x" * 20_000, b"last")
DATA = b"".join(PARTS)
VALID, INVALID = ValidityIndicator.VALID, ValidityIndicator.INVALID
NO_STREAM = (ResultReason.ITEM_NOT_FOUND, ResultReason.INVALID_CORRELATION_VALUE)


def play(kms: TestKms, request: Any, parts: tuple[bytes, ...] = PARTS, **last: Any) -> Any:
    """Send the parts, the last with what `last` says besides; return its answer.

    Parameters and a proof come with the first part only, as a client may leave them out of the others.
    """
    correlation = None
    for number, data in enumerate(parts):
        final = number == len(parts) - 1
        one = request.replace(data=SecretBytes(data))
        if number:
            one = type(request)(data=SecretBytes(data), correlation_value=correlation, **_again(request))
        else:
            one = one.replace(init_indicator=True)
        if final:
            one = one.replace(final_indicator=True, **last)
        answer = kms.call(one)
        if final:
            assert answer.correlation_value is None
            return answer
        assert answer.correlation_value is not None
        correlation = answer.correlation_value
    raise AssertionError("there were no parts")


def _again(request: Any) -> dict[str, Any]:
    """Return the fields that every part has to have."""
    if isinstance(request, HashRequest):
        return {"cryptographic_parameters": request.cryptographic_parameters}
    return {"unique_identifier": request.unique_identifier}


def test_a_hash_in_parts_is_that_of_the_whole(kms: TestKms) -> None:
    request = HashRequest(cryptographic_parameters=SHA_256)
    assert play(kms, request).data == hashlib.sha256(DATA).digest()


def test_two_hashes_at_once_do_not_mix(kms: TestKms) -> None:
    def part(data: bytes, **more: Any) -> HashRequest:
        return HashRequest(cryptographic_parameters=SHA_256, data=SecretBytes(data), **more)

    first, second = (kms.call(part(d, init_indicator=True)).correlation_value for d in (b"a", b"b"))
    for correlation, data in ((second, b"b"), (first, b"a")):
        made = kms.call(part(b"c", correlation_value=correlation, final_indicator=True)).data
        assert made == hashlib.sha256(data + b"c").digest()


def test_a_stream_of_one_part_is_the_whole(kms: TestKms) -> None:
    request = HashRequest(
        cryptographic_parameters=SHA_256, data=SecretBytes(DATA), init_indicator=True, final_indicator=True
    )
    made = kms.call(request)
    assert (made.data, made.correlation_value) == (hashlib.sha256(DATA).digest(), None)
    nothing = request.replace(data=None)
    assert kms.call(nothing).data == hashlib.sha256(b"").digest()


def test_a_mac_in_parts_is_that_of_the_whole(kms: TestKms) -> None:
    key, expected = mac_key(kms), hmac.digest(bytes(32), DATA, "sha256")
    assert play(kms, MACRequest(unique_identifier=key)).mac_data == expected
    for proof, verdict in ((expected, VALID), (bytes(32), INVALID)):
        with_first = MACVerifyRequest(unique_identifier=key, mac_data=proof)
        assert play(kms, with_first).validity_indicator is verdict
        with_last = play(kms, MACVerifyRequest(unique_identifier=key), mac_data=proof)
        assert with_last.validity_indicator is verdict


def test_a_signature_in_parts_is_that_of_the_whole(kms: TestKms) -> None:
    private, public = private_key(kms, rsa_key()), public_key(kms, rsa_key())
    expected = rsa_key().sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    request = SignRequest(unique_identifier=private, cryptographic_parameters=SHA_256)
    assert play(kms, request).signature_data == expected
    check = SignatureVerifyRequest(unique_identifier=public, cryptographic_parameters=SHA_256)
    assert play(kms, check, signature_data=expected).validity_indicator is VALID
    assert play(kms, check.replace(signature_data=expected)).validity_indicator is VALID
    assert play(kms, check.replace(signature_data=b"x")).validity_indicator is INVALID


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), mldsa.MLDSA44PrivateKey.generate()],
    ids=["Ed25519", "ML-DSA-44"],
)
def test_what_signs_a_message_takes_it_in_parts_too(kms: TestKms, key: Any) -> None:
    made = play(kms, SignRequest(unique_identifier=private_key(kms, key))).signature_data
    key.public_key().verify(made, DATA)
    check = SignatureVerifyRequest(unique_identifier=public_key(kms, key), signature_data=made)
    assert play(kms, check).validity_indicator is VALID
    assert play(kms, check, (*PARTS, b".")).validity_indicator is INVALID


def test_a_verification_needs_a_proof_and_takes_only_one(kms: TestKms) -> None:
    key, reason = mac_key(kms), ResultReason.INVALID_FIELD

    def begun(mac_data: bytes | None) -> bytes:
        request = MACVerifyRequest(
            unique_identifier=key, data=SecretBytes(b"data"), mac_data=mac_data, init_indicator=True
        )
        correlation = kms.call(request).correlation_value
        assert correlation is not None
        return correlation

    for version in (V1_3, V1_4):
        for first, last in (None, None), (b"one", b"other"):
            request = MACVerifyRequest(
                unique_identifier=key,
                correlation_value=begun(first),
                final_indicator=True,
                mac_data=last,
            )
            (result,) = kms.batch(request, version=version)
            assert result.reason is reason  # type: ignore[union-attr]


def test_digested_data_come_whole(kms: TestKms) -> None:
    reason = ResultReason.INVALID_FIELD
    private = private_key(kms, ec.generate_private_key(ec.SECP256R1()))
    public = public_key(kms, ec.generate_private_key(ec.SECP256R1()))
    for request in (
        SignRequest(unique_identifier=private, digested_data=SecretBytes(bytes(32)), init_indicator=True),
        SignatureVerifyRequest(
            unique_identifier=public, digested_data=SecretBytes(bytes(32)), init_indicator=True
        ),
    ):
        assert_refused(kms, request, reason, reason, since=V1_4)


@pytest.mark.parametrize("what", ["hash", "mac", "mac_verify", "sign", "signature_verify"])
def test_a_stream_belongs_to_one_client_and_one_operation(kms: TestKms, what: str) -> None:
    """What is not a stream of the caller and the operation is none at all."""
    key = mac_key(kms)
    private = private_key(kms, rsa_key())
    public = public_key(kms, rsa_key())
    requests: dict[str, Any] = {
        "hash": HashRequest(cryptographic_parameters=SHA_256),
        "mac": MACRequest(unique_identifier=key),
        "mac_verify": MACVerifyRequest(unique_identifier=key),
        "sign": SignRequest(unique_identifier=private, cryptographic_parameters=SHA_256),
        "signature_verify": SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=SHA_256
        ),
    }
    request = requests.pop(what).replace(data=SecretBytes(b"data"))
    correlation = kms.call(request.replace(init_indicator=True)).correlation_value
    foreign = request.replace(correlation_value=correlation, final_indicator=True)
    assert_refused(kms, foreign, *NO_STREAM, since=V1_3, caller=BOB)
    for other in requests.values():
        mistaken = other.replace(data=SecretBytes(b"data"), correlation_value=correlation)
        assert_refused(kms, mistaken, *NO_STREAM, since=V1_3)


def test_a_key_that_is_retired_meanwhile_ends_the_stream(kms: TestKms) -> None:
    key = mac_key(kms)
    begun = kms.call(
        MACRequest(unique_identifier=key, data=SecretBytes(b"data"), init_indicator=True)
    ).correlation_value
    kms.call(revoke(key))
    rest = MACRequest(unique_identifier=key, correlation_value=begun, final_indicator=True)
    (result,) = kms.batch(rest)
    assert result.reason is ResultReason.PERMISSION_DENIED  # type: ignore[union-attr]


def test_every_part_is_spent_but_the_use_is_one(kms: TestKms) -> None:
    for unit, total, left in (
        (UsageLimitsUnit.BYTE, 50_000, 50_000 - len(DATA)),
        (UsageLimitsUnit.OBJECT, 9, 8),
    ):
        limits = UsageLimits(usage_limits_total=total, usage_limits_unit=unit)
        key = mac_key(kms, attribute(Tag.USAGE_LIMITS, limits))
        play(kms, MACRequest(unique_identifier=key))
        assert value(kms, key, Tag.USAGE_LIMITS).usage_limits_count == left
