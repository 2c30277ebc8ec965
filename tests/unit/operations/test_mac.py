"""MAC and MAC Verify (KMIP 1.2 §4.33-4.34, 2.1 §6.1.32-6.1.33)."""

import hashlib
import hmac
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from strongroom.domain.context import Policy
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    Tag,
    UsageLimitsUnit,
    ValidityIndicator,
)
from tests.expect import (
    MISSING,
    assert_refused,
    key_pair,
    mask,
    raw_key,
    refusal,
    register_template,
    registration,
    revoke,
    value,
)
from tests.kms import ALICE, BOB, TestKms, attribute

A, H = CryptographicAlgorithm, HashingAlgorithm
BOTH = CryptographicUsageMask.MAC_GENERATE | CryptographicUsageMask.MAC_VERIFY
CMAC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CMAC)


class Vector(NamedTuple):
    """A published case; `source` says where."""

    source: str
    algorithm: CryptographicAlgorithm
    key: str
    data: bytes
    mac: str
    parameters: CryptographicParameters | None = None


HI = b"\x0b" * 20
VECTORS = [
    Vector(
        "RFC 2202 §3 case 1",
        A.HMAC_SHA1,
        HI.hex(),
        b"Hi There",
        "b617318655057264e28bc0b6fb378c8ef146be00",
    ),
    Vector(
        "RFC 4231 §4.2",
        A.HMAC_SHA224,
        HI.hex(),
        b"Hi There",
        "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
    ),
    Vector(
        "RFC 4231 §4.2",
        A.HMAC_SHA256,
        HI.hex(),
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    Vector(
        "RFC 4231 §4.2",
        A.HMAC_SHA384,
        HI.hex(),
        b"Hi There",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
    ),
    Vector(
        "RFC 4231 §4.2",
        A.HMAC_SHA512,
        HI.hex(),
        b"Hi There",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    Vector(
        "RFC 4493 §4 example 1",
        A.AES,
        "2b7e151628aed2a6abf7158809cf4f3c",
        b"",
        "bb1d6929e95937287fa37d129b756746",
        CMAC,
    ),
    Vector(
        "RFC 4493 §4 example 2",
        A.AES,
        "2b7e151628aed2a6abf7158809cf4f3c",
        bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"),
        "070a16b46b4d4144f79bdd9dd04a287c",
        CMAC,
    ),
    Vector(
        "RFC 8439 §2.5.2",
        A.POLY1305,
        "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
        b"Cryptographic Forum Research Group",
        "a8061dc1305136c6c22b8baf0c0127a9",
    ),
]


def mac_key(
    kms: TestKms,
    *attributes: AttributeInstance,
    material: bytes = bytes(32),
    algorithm: CryptographicAlgorithm = A.HMAC_SHA256,
    usage: CryptographicUsageMask = BOTH,
    active: bool = True,
    **block: Any,
) -> UniqueIdentifier:
    key = raw_key(material, cryptographic_algorithm=algorithm, **block)
    made = kms.call(registration(ObjectType.SYMMETRIC_KEY, key, mask(usage), *attributes)).unique_identifier
    if active:
        kms.call(ActivateRequest(unique_identifier=made))
    return made


def mac(
    made: UniqueIdentifier, data: bytes | None = b"data", how: CryptographicParameters | None = None
) -> MACRequest:
    return MACRequest(
        unique_identifier=made,
        cryptographic_parameters=how,
        data=None if data is None else SecretBytes(data),
    )


def verification(
    made: UniqueIdentifier,
    data: bytes | None,
    mac_data: bytes | None,
    how: CryptographicParameters | None = None,
) -> MACVerifyRequest:
    return MACVerifyRequest(
        unique_identifier=made,
        cryptographic_parameters=how,
        data=None if data is None else SecretBytes(data),
        mac_data=mac_data,
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.algorithm.name} {v.source}")
def test_published_macs_are_met(kms: TestKms, vector: Vector) -> None:
    made = mac_key(kms, material=bytes.fromhex(vector.key), algorithm=vector.algorithm)
    expected = bytes.fromhex(vector.mac)
    assert kms.call(mac(made, vector.data, vector.parameters)).mac_data == expected
    right = kms.call(verification(made, vector.data, expected, vector.parameters))
    assert right.validity_indicator is ValidityIndicator.VALID


@pytest.mark.parametrize("size", [20_000, 600_000])
def test_long_data_gives_the_mac_of_all_of_it(kms: TestKms, size: int) -> None:
    data = bytes(range(256)) * (size // 256)
    expected = hmac.digest(bytes(32), data, hashlib.sha256)
    assert kms.call(mac(mac_key(kms), data)).mac_data == expected


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (A.HMAC_SHA3_224, "sha3_224"),
        (A.HMAC_SHA3_256, "sha3_256"),
        (A.HMAC_SHA3_384, "sha3_384"),
        (A.HMAC_SHA3_512, "sha3_512"),
    ],
)
def test_hmac_with_sha_3(kms: TestKms, algorithm: CryptographicAlgorithm, name: str) -> None:
    made = mac_key(kms, algorithm=algorithm)
    assert kms.call(mac(made)).mac_data == hmac.digest(bytes(32), b"data", name)


@pytest.mark.parametrize(
    "how",
    [
        CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA512),
        CryptographicParameters(hashing_algorithm=H.SHA_512),
        CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA512, hashing_algorithm=H.SHA_512),
    ],
    ids=["algorithm", "hash", "both"],
)
def test_the_parameters_of_the_request_name_the_method(kms: TestKms, how: CryptographicParameters) -> None:
    """OASIS CS-AC-M-4 uses an AES key with HMAC."""
    made = mac_key(kms, material=bytes(16), algorithm=A.AES)
    assert kms.call(mac(made, b"data", how)).mac_data == hmac.digest(bytes(16), b"data", "sha512")


def test_parameters_come_from_the_key_when_the_request_has_none(kms: TestKms) -> None:
    own = attribute(
        Tag.CRYPTOGRAPHIC_PARAMETERS, CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA384)
    )
    made = mac_key(kms, own, material=bytes(16), algorithm=A.AES)
    assert kms.call(mac(made)).mac_data == hmac.digest(bytes(16), b"data", "sha384")


def test_a_tag_length_cuts_the_mac(kms: TestKms) -> None:
    made, how = mac_key(kms), CryptographicParameters(tag_length=16)
    short = kms.call(mac(made, b"data", how)).mac_data
    assert short == hmac.digest(bytes(32), b"data", "sha256")[:16]
    found = kms.call(verification(made, b"data", short, how)).validity_indicator
    assert found is ValidityIndicator.VALID
    # Without the Tag Length the whole MAC is expected: nobody may shorten what he forges.
    assert kms.call(verification(made, b"data", short)).validity_indicator is ValidityIndicator.INVALID


@pytest.mark.parametrize("length", [0, 7, 33])
def test_a_tag_length_that_is_no_use_is_refused(kms: TestKms, length: int) -> None:
    request = mac(mac_key(kms), b"data", CryptographicParameters(tag_length=length))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS)


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(32)])
def test_a_wrong_mac_is_invalid_and_no_error(kms: TestKms, wrong: bytes) -> None:
    found = kms.call(verification(mac_key(kms), b"data", wrong))
    assert found.validity_indicator is ValidityIndicator.INVALID


@pytest.mark.parametrize(
    ("algorithm", "how"),
    [
        (A.AES, None),
        (A.HMAC_SHA256, CryptographicParameters(cryptographic_algorithm=A.AES)),
        (
            A.HMAC_SHA256,
            CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA1, hashing_algorithm=H.SHA_256),
        ),
        (
            A.HMAC_SHA256,
            CryptographicParameters(cryptographic_algorithm=A.AES, block_cipher_mode=BlockCipherMode.CMAC),
        ),
    ],
    ids=["none", "cipher without mode", "two hashes", "other cipher"],
)
def test_parameters_that_say_no_method_are_refused(
    kms: TestKms, algorithm: CryptographicAlgorithm, how: CryptographicParameters | None
) -> None:
    made = mac_key(kms, material=bytes(16), algorithm=algorithm)
    for request in (mac(made, b"data", how), verification(made, b"data", b"mac", how)):
        assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_poly1305_takes_keys_of_one_length(kms: TestKms) -> None:
    made = mac_key(kms, material=bytes(16), algorithm=A.AES)
    request = mac(made, b"data", CryptographicParameters(cryptographic_algorithm=A.POLY1305))
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


@pytest.mark.parametrize("algorithm", [A.HMAC_SHA256, A.AES, A.CHACHA20])
def test_poly1305_takes_no_key_of_another_algorithm(kms: TestKms, algorithm: CryptographicAlgorithm) -> None:
    """Whoever has two MACs of one key can work it out (RFC 8439 §2.5), also where it never leaves."""
    made = mac_key(kms, attribute(Tag.EXTRACTABLE, value=False), material=bytes(32), algorithm=algorithm)
    how = CryptographicParameters(cryptographic_algorithm=A.POLY1305)
    for request in (mac(made, b"data", how), verification(made, b"data", bytes(16), how)):
        found = refusal(kms, request, version=V2_1)
        assert found.reason is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS
        assert "keys of Poly1305 alone" in found.message


@pytest.mark.parametrize(
    "how",
    [
        CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM),
        CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC_MAC),
        CryptographicParameters(cryptographic_algorithm=A.RSA),
        CryptographicParameters(cryptographic_algorithm=A.HMAC_MD5),
        CryptographicParameters(hashing_algorithm=H.TIGER),
    ],
    ids=["GMAC", "CBC-MAC", "RSA", "HMAC-MD5", "HMAC-Tiger"],
)
def test_a_method_that_the_server_does_not_do_is_a_feature_not_supported(
    kms: TestKms, how: CryptographicParameters
) -> None:
    """KMIP 2.1 table 261 has no Unsupported Cryptographic Parameters."""
    made = mac_key(kms, material=bytes(16), algorithm=A.AES)
    for request in (mac(made, b"data", how), verification(made, b"data", b"mac", how)):
        for version in (V1_2, V1_4, V2_1):
            found = refusal(kms, request, version=version).reason
            assert found is ResultReason.FEATURE_NOT_SUPPORTED


def test_a_key_of_xts_makes_no_cmac(kms: TestKms) -> None:
    made = mac_key(kms, material=bytes(range(64)), algorithm=A.AES)
    for request in (mac(made, b"data", CMAC), verification(made, b"data", bytes(16), CMAC)):
        found = refusal(kms, request, version=V2_1)
        assert found.reason is ResultReason.FEATURE_NOT_SUPPORTED
        assert "64 bytes" in found.message


def test_cmac_with_3des_needs_the_policy(kms: TestKms, tmp_path: Path) -> None:
    def request(at: TestKms) -> MACRequest:
        made = mac_key(
            at,
            material=bytes.fromhex("8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5"),
            algorithm=A.DES3,
            cryptographic_length=168,
        )
        return mac(made, b"", CMAC)

    assert refusal(kms, request(kms), version=V2_1).reason is ResultReason.FEATURE_NOT_SUPPORTED
    (tmp_path / "legacy").mkdir()
    legacy = TestKms(tmp_path / "legacy", policy=Policy(legacy=True))
    # NIST SP 800-38B §D.4, example 13.
    assert legacy.call(request(legacy)).mac_data == bytes.fromhex("b7a688e122ffaf95")
    legacy.close()


def test_data_is_required(kms: TestKms) -> None:
    made, reason = mac_key(kms), ResultReason.INVALID_FIELD
    for request in (mac(made, None), verification(made, None, b"m"), verification(made, b"data", None)):
        assert_refused(kms, request, reason, reason)


def test_what_is_no_symmetric_key_is_refused(kms: TestKms) -> None:
    template = register_template(kms, "t")
    for request in (mac(template), verification(template, b"data", b"mac")):
        assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED
        assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_OBJECT_TYPE


def test_the_usage_mask_must_have_the_bit(kms: TestKms) -> None:
    generating = mac_key(kms, usage=CryptographicUsageMask.MAC_GENERATE)
    verifying = mac_key(kms, usage=CryptographicUsageMask.MAC_VERIFY)
    made = kms.call(mac(generating)).mac_data
    assert kms.call(verification(verifying, b"data", made)).validity_indicator is ValidityIndicator.VALID
    for request in (mac(verifying), verification(generating, b"data", made)):
        assert_refused(
            kms,
            request,
            ResultReason.PERMISSION_DENIED,
            ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
        )


def test_a_retired_key_verifies_but_makes_no_mac(kms: TestKms) -> None:
    """KMIP 2.1 §4.57."""
    made = mac_key(kms)
    code = kms.call(mac(made)).mac_data
    kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    found = kms.call(verification(made, b"data", code))
    assert found.validity_indicator is ValidityIndicator.VALID
    assert_refused(kms, mac(made), ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_a_key_that_is_not_active_yet_does_neither(kms: TestKms) -> None:
    made = mac_key(kms, active=False)
    for request in (mac(made), verification(made, b"data", b"mac")):
        assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_usage_limits_are_spent_by_mac_and_not_by_verify(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=5, usage_limits_unit=UsageLimitsUnit.BYTE)
    made = mac_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    kms.call(mac(made, b"1234"))
    kms.call(verification(made, b"1234", b"mac"))
    assert value(kms, made, Tag.USAGE_LIMITS).usage_limits_count == 1
    assert_refused(kms, mac(made, b"12"), ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_unknown_and_foreign_keys_are_not_found(kms: TestKms) -> None:
    made = mac_key(kms)
    for request, caller in (
        (mac(MISSING), ALICE),
        (verification(MISSING, b"data", b"mac"), ALICE),
        (mac(made), BOB),
        (verification(made, b"data", b"mac"), BOB),
    ):
        reasons = ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND
        assert_refused(kms, request, *reasons, caller=caller)


def test_a_private_key_makes_no_mac(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    kms.call(ActivateRequest(unique_identifier=private))
    assert refusal(kms, mac(private)).reason is ResultReason.PERMISSION_DENIED
