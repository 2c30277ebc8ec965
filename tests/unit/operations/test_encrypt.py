"""Encrypt and Decrypt (KMIP 1.2 §4.29-4.30, 2.1 §6.1.17 and §6.1.11)."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from strongroom.domain.context import Policy
from strongroom.domain.operation import Request
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    PaddingMethod,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.expect import (
    EVERY_USE,
    active_key,
    assert_refused,
    key_in,
    key_pair,
    refusal,
    register_key,
    register_opaque,
    register_template,
)
from tests.kms import BOB, TestKms, attribute, template

M, P = BlockCipherMode, PaddingMethod
IV = bytes(range(16))


class Vector(NamedTuple):
    """A published case. The first three are of NIST SP 800-38A, the last is case 4 of the GCM proposal."""

    mode: BlockCipherMode
    key: bytes
    iv: bytes | None
    plain: bytes
    sealed: bytes
    additional: bytes | None = None
    tag: bytes | None = None


NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
NIST_PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
GCM_PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
GCM_SEALED = bytes.fromhex(
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
)
VECTORS = [
    Vector(M.ECB, NIST_KEY, None, NIST_PLAIN, bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97")),
    Vector(M.CBC, NIST_KEY, IV, NIST_PLAIN, bytes.fromhex("7649abac8119b246cee98e9b12e9197d")),
    Vector(
        M.CTR,
        NIST_KEY,
        bytes(range(0xF0, 0x100)),
        NIST_PLAIN,
        bytes.fromhex("874d6191b620e3261bef6864990db6ce"),
    ),
    Vector(
        M.GCM,
        bytes.fromhex("feffe9928665731c6d6a8f9467308308"),
        bytes.fromhex("cafebabefacedbaddecaf888"),
        GCM_PLAIN,
        GCM_SEALED,
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        bytes.fromhex("5bc94fbc3221a5db94fae95ae7121a47"),
    ),
]
NEED_AN_IV = [M.CBC, M.CTR, M.GCM]


def registered(kms: TestKms, *attributes: AttributeInstance, **given: Any) -> UniqueIdentifier:
    made = register_key(kms, *attributes, **given)
    kms.call(ActivateRequest(unique_identifier=made))
    return made


def parameters(mode: BlockCipherMode, **given: Any) -> CryptographicParameters:
    return CryptographicParameters(block_cipher_mode=mode, **given)


def encryption(made: UniqueIdentifier, data: bytes, how: Any, **given: Any) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=made, data=SecretBytes(data), cryptographic_parameters=how, **given
    )


def decryption(made: UniqueIdentifier, data: bytes | None, how: Any, **given: Any) -> DecryptRequest:
    return DecryptRequest(unique_identifier=made, data=data, cryptographic_parameters=how, **given)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.mode.name)
def test_published_cases_are_met(kms: TestKms, vector: Vector) -> None:
    made, how = registered(kms, material=vector.key), parameters(vector.mode)
    aead = {"authenticated_encryption_additional_data": vector.additional}
    sealed = kms.call(encryption(made, vector.plain, how, iv_counter_nonce=vector.iv, **aead))
    assert sealed.data == vector.sealed
    assert sealed.authenticated_encryption_tag == vector.tag
    aead["authenticated_encryption_tag"] = vector.tag
    opened = kms.call(decryption(made, vector.sealed, how, iv_counter_nonce=vector.iv, **aead))
    assert opened.data == SecretBytes(vector.plain)


@pytest.mark.parametrize("padding", [P.PKCS5, P.ANSI_X9_23])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17])
def test_padding_fills_up_to_whole_blocks(kms: TestKms, padding: PaddingMethod, size: int) -> None:
    made, how = registered(kms), parameters(M.CBC, padding_method=padding)
    sealed = kms.call(encryption(made, bytes(size), how, iv_counter_nonce=IV)).data
    assert sealed is not None
    assert len(sealed) == (size // 16 + 1) * 16
    opened = kms.call(decryption(made, sealed, how, iv_counter_nonce=IV))
    assert opened.data == SecretBytes(bytes(size))


def test_without_padding_data_is_whole_blocks(kms: TestKms) -> None:
    request = encryption(registered(kms), bytes(17), parameters(M.CBC), iv_counter_nonce=IV)
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


@pytest.mark.parametrize("mode", [M.CTR, M.GCM])
def test_a_stream_mode_takes_any_length(kms: TestKms, mode: BlockCipherMode) -> None:
    made = registered(kms)
    iv = IV if mode is M.CTR else IV[:12]
    for size in (0, 1, 17):
        sealed = kms.call(encryption(made, bytes(size), parameters(mode), iv_counter_nonce=iv))
        assert sealed.data is not None
        assert len(sealed.data) == size


@pytest.mark.parametrize("mode", NEED_AN_IV)
def test_a_random_iv_is_made_and_returned(kms: TestKms, mode: BlockCipherMode) -> None:
    """KMIP 2.1 table 215: if Random IV is specified and the value was not provided in the request."""
    made, how = registered(kms), parameters(mode, random_iv=True)
    first = kms.call(encryption(made, bytes(16), how))
    second = kms.call(encryption(made, bytes(16), how))
    assert first.iv_counter_nonce is not None
    assert first.iv_counter_nonce != second.iv_counter_nonce
    opened = kms.call(
        decryption(
            made,
            first.data,
            how,
            iv_counter_nonce=first.iv_counter_nonce,
            authenticated_encryption_tag=first.authenticated_encryption_tag,
        )
    )
    assert opened.data == SecretBytes(bytes(16))


@pytest.mark.parametrize("mode", NEED_AN_IV)
def test_an_iv_that_was_given_is_not_returned(kms: TestKms, mode: BlockCipherMode) -> None:
    iv = IV[:12] if mode is M.GCM else IV
    request = encryption(registered(kms), bytes(16), parameters(mode), iv_counter_nonce=iv)
    assert kms.call(request).iv_counter_nonce is None


@pytest.mark.parametrize("mode", NEED_AN_IV)
def test_a_missing_iv_is_an_invalid_message(kms: TestKms, mode: BlockCipherMode) -> None:
    """Decision 0006: of the reasons that the tables allow, the one of the published cases."""
    made = registered(kms)
    reason = ResultReason.INVALID_MESSAGE
    assert_refused(kms, encryption(made, bytes(16), parameters(mode)), reason, reason)
    assert_refused(kms, decryption(made, bytes(16), parameters(mode)), reason, reason)


@pytest.mark.parametrize(("mode", "size"), [(M.CBC, 15), (M.CBC, 17), (M.GCM, 0)])
def test_an_iv_of_the_wrong_length_is_refused(kms: TestKms, mode: BlockCipherMode, size: int) -> None:
    request = encryption(registered(kms), bytes(16), parameters(mode), iv_counter_nonce=bytes(size))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_parameters_come_from_the_key_when_the_request_has_none(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.17: they can be specified as associated attributes of the object."""
    own = attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters(M.ECB, padding_method=P.PKCS5))
    made = registered(kms, own)
    sealed = kms.call(encryption(made, b"text", None)).data
    assert sealed is not None
    assert kms.call(decryption(made, sealed, None)).data == SecretBytes(b"text")


def test_no_parameters_at_all_are_refused(kms: TestKms) -> None:
    """KMIP 2.1 table 214: if the algorithm requires parameters then the operation shall fail."""
    made = registered(kms)
    for request in (encryption(made, bytes(16), None), decryption(made, bytes(16), None)):
        assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_data_is_required(kms: TestKms) -> None:
    """KMIP 2.1 table 214: yes for single-part."""
    made = registered(kms)
    reason = ResultReason.INVALID_FIELD
    request = EncryptRequest(unique_identifier=made, cryptographic_parameters=parameters(M.ECB))
    assert_refused(kms, request, reason, reason)
    assert_refused(kms, decryption(made, None, parameters(M.ECB)), reason, reason)


@pytest.mark.parametrize("change", ["data", "tag", "iv", "additional data", "key"])
def test_what_was_tampered_with_is_not_decrypted(kms: TestKms, change: str) -> None:
    """One reason and one message, whatever was wrong: a better one would help to guess."""
    made, how = registered(kms), parameters(M.GCM)
    sealed = kms.call(
        encryption(
            made,
            b"text",
            how,
            iv_counter_nonce=IV[:12],
            authenticated_encryption_additional_data=b"context",
        )
    )
    assert sealed.data is not None
    assert sealed.authenticated_encryption_tag is not None
    data, tag = sealed.data, sealed.authenticated_encryption_tag
    other = registered(kms, material=bytes(16)) if change == "key" else made
    request = decryption(
        other,
        bytes([data[0] ^ 1]) + data[1:] if change == "data" else data,
        how,
        iv_counter_nonce=bytes(12) if change == "iv" else IV[:12],
        authenticated_encryption_additional_data=b"" if change == "additional data" else b"context",
        authenticated_encryption_tag=bytes(16) if change == "tag" else tag,
    )
    refused = refusal(kms, request)
    assert refused.reason is ResultReason.CRYPTOGRAPHIC_FAILURE
    assert refused.message == "the data cannot be decrypted"


def test_a_wrong_padding_is_a_cryptographic_failure(kms: TestKms) -> None:
    """faults 25."""
    made = registered(kms)
    sealed = kms.call(encryption(made, bytes(16), parameters(M.ECB))).data
    request = decryption(made, sealed, parameters(M.ECB, padding_method=P.PKCS5))
    assert_refused(kms, request, ResultReason.CRYPTOGRAPHIC_FAILURE, ResultReason.CRYPTOGRAPHIC_FAILURE)


@pytest.mark.parametrize("length", [12, 13, 14, 15, 16])
def test_a_tag_has_the_length_asked_for(kms: TestKms, length: int) -> None:
    made, how = registered(kms), parameters(M.GCM, tag_length=length)
    sealed = kms.call(encryption(made, b"text", how, iv_counter_nonce=IV[:12]))
    tag = sealed.authenticated_encryption_tag
    assert tag is not None
    assert len(tag) == length
    opened = kms.call(
        decryption(made, sealed.data, how, iv_counter_nonce=IV[:12], authenticated_encryption_tag=tag)
    )
    assert opened.data == SecretBytes(b"text")


@pytest.mark.parametrize("mode", [M.PCBC, M.CBC_MAC, M.CMAC])
def test_a_mode_that_the_server_does_not_do_is_refused(kms: TestKms, mode: BlockCipherMode) -> None:
    request = encryption(registered(kms), bytes(16), parameters(mode), iv_counter_nonce=IV)
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS
    assert refusal(kms, request).reason is ResultReason.FEATURE_NOT_SUPPORTED


ENCRYPT_ALLOWED = {State.ACTIVE}
DECRYPT_ALLOWED = {State.ACTIVE, State.DEACTIVATED, State.COMPROMISED}


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_the_state_allows_protecting_and_processing(kms: TestKms, state: State) -> None:
    """faults 22. KMIP 2.1 §4.57: what is retired or compromised shall not protect, but may process."""
    made = key_in(kms, state)
    cases: list[tuple[Request[Any], set[State]]] = [
        (encryption(made, bytes(16), parameters(M.ECB)), ENCRYPT_ALLOWED),
        (decryption(made, bytes(16), parameters(M.ECB)), DECRYPT_ALLOWED),
    ]
    for request, allowed in cases:
        if state in allowed:
            kms.call(request)
        else:
            assert_refused(
                kms,
                request,
                ResultReason.PERMISSION_DENIED,
                ResultReason.WRONG_KEY_LIFECYCLE_STATE,
            )


def test_the_usage_mask_must_have_the_bit(kms: TestKms) -> None:
    """KMIP 1.4 §3.19."""
    both = {CryptographicUsageMask.ENCRYPT, CryptographicUsageMask.DECRYPT}
    for bit in both:
        (other,) = both - {bit}
        made = active_key(kms, mask=other)
        request = (encryption if bit is CryptographicUsageMask.ENCRYPT else decryption)(
            made, bytes(16), parameters(M.ECB)
        )
        assert_refused(
            kms,
            request,
            ResultReason.PERMISSION_DENIED,
            ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
        )


def test_what_is_no_key_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11: object specified is not able to be used for encryption."""
    template = register_template(kms, "t")
    for request in (
        encryption(template, bytes(16), parameters(M.ECB)),
        decryption(template, bytes(16), parameters(M.ECB)),
    ):
        assert refusal(kms, request, version=V1_4).reason is ResultReason.PERMISSION_DENIED
        assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_OBJECT_TYPE
    blob = register_opaque(kms)
    kms.call(ActivateRequest(unique_identifier=blob))
    for version in (V1_2, V2_1):
        refused = refusal(kms, decryption(blob, bytes(16), parameters(M.ECB)), version=version)
        assert refused.reason in (
            ResultReason.INVALID_OBJECT_TYPE,
            ResultReason.PERMISSION_DENIED,
            ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
        )


def test_the_key_of_another_owner_is_not_used(kms: TestKms) -> None:
    request = encryption(registered(kms), bytes(16), parameters(M.ECB))
    assert refusal(kms, request, caller=BOB).reason is ResultReason.ITEM_NOT_FOUND


def test_a_signing_key_does_not_encrypt(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    kms.call(ActivateRequest(unique_identifier=private))
    request = encryption(private, bytes(16), parameters(M.ECB))
    assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED


def rsa_pair(kms: TestKms) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    """Return an active pair (private, public) whose keys may both be used to encrypt and decrypt."""
    made = kms.call(
        CreateKeyPairRequest(
            common_attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
                attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048),
                attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE),
                attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
                attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, CryptographicParameters(padding_method=P.OAEP)),
            )
        )
    )
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def test_a_public_key_encrypts_and_its_private_key_decrypts(kms: TestKms) -> None:
    private, public = rsa_pair(kms)
    for how in (None, CryptographicParameters(padding_method=P.PKCS1_V1_5)):
        sealed = kms.call(encryption(public, b"text", how)).data
        assert kms.call(decryption(private, sealed, how)).data == SecretBytes(b"text")


def test_the_other_half_of_a_pair_is_the_wrong_object(kms: TestKms) -> None:
    private, public = rsa_pair(kms)
    reasons = (ResultReason.PERMISSION_DENIED, ResultReason.INVALID_OBJECT_TYPE)
    assert_refused(kms, encryption(private, b"text", None), *reasons)
    assert_refused(kms, decryption(public, bytes(256), None), *reasons)


def test_an_empty_structure_of_parameters_says_no_more_than_none(kms: TestKms) -> None:
    own = attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters(M.ECB))
    made = registered(kms, own)
    whole = kms.call(encryption(made, bytes(16), None)).data
    assert kms.call(encryption(made, bytes(16), CryptographicParameters())).data == whole


def test_parameters_of_the_request_are_not_mixed_with_those_of_the_key(kms: TestKms) -> None:
    own = attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters(M.CBC, padding_method=P.PKCS5))
    sealed = kms.call(encryption(registered(kms, own), bytes(16), parameters(M.ECB))).data
    assert sealed is not None
    assert len(sealed) == 16


@pytest.mark.parametrize("legacy", [False, True])
def test_legacy_ciphers_are_used_where_the_policy_allows_it(tmp_path: Path, legacy: bool) -> None:
    kms = TestKms(tmp_path, policy=Policy(legacy=legacy))
    made = kms.call(
        CreateRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.DES3),
                attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE),
                attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
            ),
        )
    ).unique_identifier
    for start in ({}, {"init_indicator": True}):
        request = encryption(made, bytes(8), parameters(M.ECB), **start)
        if legacy:
            sealed = kms.call(request).data
            assert kms.call(decryption(made, sealed, parameters(M.ECB))).data == SecretBytes(bytes(8))
        else:
            reasons = (
                ResultReason.FEATURE_NOT_SUPPORTED,
                ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS,
            )
            assert_refused(kms, request, *reasons, since=V1_4, outside_table=True)
    kms.close()


def test_a_key_of_512_bits_is_good_for_xts(kms: TestKms) -> None:
    made = registered(kms, material=bytes(range(64)))
    sealed = kms.call(encryption(made, bytes(32), parameters(M.XTS), iv_counter_nonce=IV)).data
    opened = kms.call(decryption(made, sealed, parameters(M.XTS), iv_counter_nonce=IV))
    assert opened.data == SecretBytes(bytes(32))
    assert_refused(
        kms,
        encryption(made, bytes(32), parameters(M.ECB)),
        ResultReason.INVALID_FIELD,
        ResultReason.INVALID_FIELD,
    )


@pytest.mark.parametrize("version", [V1_2, V1_4, V2_1], ids=str)
def test_the_key_may_be_made_and_used_in_one_batch(kms: TestKms, version: Version) -> None:
    made = register_key(kms, usage=EVERY_USE)
    _, sealed = kms.batch(
        ActivateRequest(unique_identifier=made),
        encryption(made, bytes(16), parameters(M.ECB)).replace(unique_identifier=made),
        version=version,
    )
    assert isinstance(sealed, EncryptResponse)
