"""Wrapped keys on Get (KMIP 1.4 §2.1.5-2.1.6, 2.1 §3.3 and §7.18)."""

from datetime import timedelta
from typing import Any, TypeAlias, cast

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue, TransparentSymmetricKey, spell_out
from strongroom.model.objects import SecretData, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Name, UsageLimits
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_2,
    V1_4,
    V2_1,
    V3_0,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EncodingOption,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    ResultReason,
    SecretDataType,
    Tag,
    UsageLimitsUnit,
    Version,
    WrappingMethod,
)
from strongroom.wire import binary
from tests.expect import (
    AES_128,
    EVERY_USE,
    MISSING,
    assert_refused,
    key,
    mask,
    named,
    refusal,
    register_key,
    register_opaque,
    registration,
    value,
)
from tests.kms import BOB, TestKms, attribute
from tests.wrapping import (
    CBC,
    CMAC,
    CTR,
    GCM,
    HMAC,
    KEK,
    MAC,
    NIST,
    PADDED,
    UNWRAP,
    VERIFY,
    WRAP,
    ciphertext_of,
    get_wrapped,
    specification,
    wrapping_key,
)

R: TypeAlias = ResultReason
M: TypeAlias = WrappingMethod
SECRET = bytes.fromhex("00112233445566778899aabbccddeeff")


def request(made: UniqueIdentifier, *given: Any, **specified: Any) -> GetRequest:
    return GetRequest(unique_identifier=made, key_wrapping_specification=specification(*given, **specified))


def secret_data(kms: TestKms, data: bytes) -> UniqueIdentifier:
    held = SecretData(
        secret_data_type=SecretDataType.PASSWORD,
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=SecretBytes(data))
        ),
    )
    return kms.call(registration(ObjectType.SECRET_DATA, held, mask(EVERY_USE))).unique_identifier


@pytest.mark.parametrize(
    ("kek", "secret", "wrapped"),
    [
        (KEK.hex(), SECRET.hex(), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
        (
            bytes(range(32)).hex(),
            SECRET.hex() + "000102030405060708090a0b0c0d0e0f",
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ],
    ids=["RFC 3394 4.1", "RFC 3394 4.6"],
)
def test_aes_key_wrap(kms: TestKms, kek: str, secret: str, wrapped: str) -> None:
    made = register_key(kms, material=bytes.fromhex(secret))
    got = get_wrapped(kms, made, specification(wrapping_key(kms, NIST, material=bytes.fromhex(kek))))
    assert ciphertext_of(got).hex() == wrapped


@pytest.mark.parametrize(
    ("secret", "wrapped"),
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
    ids=["RFC 5649 6, 20 bytes", "RFC 5649 6, 7 bytes"],
)
def test_aes_key_wrap_with_padding(kms: TestKms, secret: str, wrapped: str) -> None:
    kek = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    made = secret_data(kms, bytes.fromhex(secret))
    got = get_wrapped(kms, made, specification(wrapping_key(kms, PADDED, material=kek), PADDED))
    assert ciphertext_of(got).hex() == wrapped


def test_the_answer_says_how_the_key_was_wrapped(kms: TestKms) -> None:
    kek, mac_key = wrapping_key(kms, GCM), wrapping_key(kms, HMAC, usage=MAC | VERIFY)
    wanted = specification(
        kek, GCM, mac_key=mac_key, method=M.ENCRYPT_THEN_MAC_SIGN, encoding=EncodingOption.TTLV_ENCODING
    )
    data = get_wrapped(kms, register_key(kms), wanted).key_block.key_wrapping_data
    assert data.wrapping_method is M.ENCRYPT_THEN_MAC_SIGN
    assert data.encryption_key_information.unique_identifier == kek
    assert data.encryption_key_information.cryptographic_parameters == GCM
    assert data.mac_signature_key_information.unique_identifier == mac_key
    assert data.mac_signature_key_information.cryptographic_parameters == HMAC
    assert len(data.mac_signature) == 32
    assert len(data.iv_counter_nonce) == 12
    assert data.encoding_option is EncodingOption.TTLV_ENCODING


def test_a_method_that_needs_no_second_key_does_not_mention_one(kms: TestKms) -> None:
    kek, mac_key = wrapping_key(kms, NIST), wrapping_key(kms, HMAC, usage=MAC)
    got = get_wrapped(kms, register_key(kms), specification(kek, mac_key=mac_key))
    assert got.key_block.key_wrapping_data.mac_signature_key_information is None
    assert got.key_block.key_wrapping_data.mac_signature is None


@pytest.mark.parametrize("parameters", [CBC, GCM, CTR], ids=["CBC", "GCM", "CTR"])
def test_every_wrapping_has_an_iv_of_its_own(kms: TestKms, parameters: CryptographicParameters) -> None:
    """Also when the same request comes again, byte for byte."""
    made, kek = register_key(kms), wrapping_key(kms, parameters)
    seen = {
        get_wrapped(kms, made, specification(kek, parameters)).key_block.key_wrapping_data.iv_counter_nonce
        for _ in range(4)
    }
    assert len(seen) == 4


@pytest.mark.parametrize("version", [V1_1, V1_4, V2_1, V3_0])
def test_without_an_encoding_option_the_key_value_is_ttlv(kms: TestKms, version: Version) -> None:
    """KMIP 1.4 §2.1.6: if not present, the wrapped Key Value SHALL be TTLV encoded."""
    made, mac_key = register_key(kms, material=SECRET), wrapping_key(kms, HMAC, usage=MAC)
    wanted = specification(None, mac_key=mac_key, method=M.MAC_SIGN, encoding=None)
    got = get_wrapped(kms, made, wanted, version=version)
    assert got.key_block.key_wrapping_data.encoding_option is None
    tag, _, fields = binary.decode(ciphertext_of(got))
    assert tag == Tag.KEY_VALUE
    assert fields == [(Tag.KEY_MATERIAL, 8, SECRET)]


def test_version_1_0_knows_ttlv_encoding_only(kms: TestKms) -> None:
    made, kek = register_key(kms), wrapping_key(kms, NIST)
    got = get_wrapped(kms, made, specification(kek, encoding=None), version=V1_0)
    assert len(ciphertext_of(got)) == 8 + 8 + 16 + 8  # two headers, the key, the block of RFC 3394


@pytest.mark.parametrize(
    ("version", "tag", "children"), [(V1_2, Tag.ATTRIBUTE, 2), (V2_1, Tag.ATTRIBUTES, 1)]
)
def test_attributes_are_wrapped_along_in_the_dialect_of_the_request(
    kms: TestKms, version: Version, tag: Tag, children: int
) -> None:
    """KMIP 1.4 §2.1.6; a name that the object has no attribute for is left out."""
    made = register_key(kms, named("along"), material=SECRET)
    wanted = specification(
        None,
        mac_key=wrapping_key(kms, HMAC, usage=MAC),
        method=M.MAC_SIGN,
        encoding=EncodingOption.TTLV_ENCODING,
        attributes=(Tag.NAME, Tag.CONTACT_INFORMATION, Tag.CRYPTOGRAPHIC_LENGTH),
    )
    got = get_wrapped(kms, made, wanted, version=version)
    fields = binary.decode(ciphertext_of(got))[2]
    assert [f[0] for f in fields] == [Tag.KEY_MATERIAL] + [tag] * children
    assert b"along" in ciphertext_of(got)


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_attributes_cannot_be_wrapped_along_without_encoding(kms: TestKms, version: Version) -> None:
    """KMIP 1.4 §11.12: Encoding Option not permitted when the specification contains attribute names."""
    asked = request(register_key(kms), wrapping_key(kms, NIST), attributes=(Tag.NAME,))
    assert refusal(kms, asked, version=version).reason is R.ENCODING_OPTION_ERROR


def test_a_structure_cannot_be_wrapped_without_encoding(kms: TestKms) -> None:
    """KMIP 1.4 §11.12: the object cannot be provided in the desired Encoding Option."""
    spelt = SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
            key_value=KeyValue(key_material=spell_out(TransparentSymmetricKey(key=SecretBytes(SECRET)))),
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=128,
        )
    )
    made = kms.call(registration(ObjectType.SYMMETRIC_KEY, spelt, mask(EVERY_USE))).unique_identifier
    kek = wrapping_key(kms, NIST)
    for version in (V1_4, V2_1):
        found = refusal(kms, request(made, kek), version=version).reason
        assert found is R.ENCODING_OPTION_ERROR
    assert ciphertext_of(get_wrapped(kms, made, specification(kek, encoding=None)))


def test_a_key_is_converted_before_it_is_wrapped(kms: TestKms) -> None:
    made, kek = register_key(kms, material=SECRET), wrapping_key(kms, NIST)
    asked = GetRequest(
        unique_identifier=made,
        key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
        key_wrapping_specification=specification(kek, encoding=None),
    )
    got: Any = kms.call(asked).managed_object
    assert got.key_block.key_format_type is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    assert len(ciphertext_of(got)) == 8 + 8 + 8 + 16 + 8  # a header more than Raw has


@pytest.mark.parametrize("method", [M.TR_31, cast(M, 0x80000001)])
def test_methods_that_no_library_has_are_refused(kms: TestKms, method: M) -> None:
    asked = request(register_key(kms), wrapping_key(kms, NIST), method=method)
    assert_refused(kms, asked, R.FEATURE_NOT_SUPPORTED, R.FEATURE_NOT_SUPPORTED, outside_table=True)


@pytest.mark.parametrize("method", [M.ENCRYPT, M.MAC_SIGN, M.ENCRYPT_THEN_MAC_SIGN, M.MAC_SIGN_THEN_ENCRYPT])
def test_a_method_needs_its_keys(kms: TestKms, method: M) -> None:
    asked = request(register_key(kms), None, method=method)
    assert_refused(kms, asked, R.INVALID_FIELD, R.INVALID_FIELD)


def test_an_object_without_key_block_cannot_be_wrapped(kms: TestKms) -> None:
    asked = request(register_opaque(kms), wrapping_key(kms, NIST))
    assert_refused(kms, asked, R.ILLEGAL_OPERATION, R.INVALID_OBJECT_TYPE)


def test_a_key_is_not_wrapped_with_itself(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST)
    assert_refused(kms, request(kek, kek), R.INVALID_FIELD, R.INVALID_FIELD)


@pytest.mark.parametrize("as_mac_key", [False, True])
def test_an_unknown_wrapping_key(kms: TestKms, as_mac_key: bool) -> None:
    asked = (
        request(register_key(kms), None, mac_key=MISSING, method=M.MAC_SIGN)
        if as_mac_key
        else request(register_key(kms), MISSING)
    )
    assert_refused(kms, asked, R.ITEM_NOT_FOUND, R.WRAPPING_OBJECT_NOT_FOUND)


def test_the_wrapping_key_of_somebody_else_does_not_exist(kms: TestKms) -> None:
    """faults 20."""
    kek = wrapping_key(kms, NIST)
    mine = kms.create_symmetric_key(caller=BOB)
    asked = request(mine, kek)
    assert_refused(kms, asked, R.ITEM_NOT_FOUND, R.WRAPPING_OBJECT_NOT_FOUND, caller=BOB)
    foreign = refusal(kms, asked, version=V2_1, caller=BOB)
    missing = refusal(kms, request(mine, MISSING), version=V2_1, caller=BOB)
    assert (foreign.reason, foreign.message) == (missing.reason, missing.message)


def test_somebody_elses_key_cannot_be_had_wrapped(kms: TestKms) -> None:
    made = register_key(kms)
    own = kms.create_symmetric_key(mask=WRAP, caller=BOB)
    assert_refused(kms, request(made, own), R.ITEM_NOT_FOUND, R.OBJECT_NOT_FOUND, caller=BOB)


def test_an_archived_wrapping_key(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST)
    kms.call(ArchiveRequest(unique_identifier=kek))
    asked = request(register_key(kms), kek)
    assert_refused(kms, asked, R.OBJECT_ARCHIVED, R.WRAPPING_OBJECT_ARCHIVED)


def test_a_destroyed_wrapping_key(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST, active=False)
    kms.call(DestroyRequest(unique_identifier=kek))
    asked = request(register_key(kms), kek)
    assert_refused(kms, asked, R.ITEM_NOT_FOUND, R.WRAPPING_OBJECT_DESTROYED)


def test_a_wrapping_key_that_is_no_key(kms: TestKms) -> None:
    asked = request(register_key(kms), register_opaque(kms))
    assert_refused(kms, asked, R.ILLEGAL_OPERATION, R.INVALID_OBJECT_TYPE)


@pytest.mark.parametrize("usage", [UNWRAP, EVERY_USE])
def test_a_wrapping_key_needs_wrap_key_in_its_mask(kms: TestKms, usage: CryptographicUsageMask) -> None:
    """faults 20. KMIP 2.1 §12.2: Encrypt is not interchangeable with Wrap Key."""
    asked = request(register_key(kms), wrapping_key(kms, NIST, usage=usage))
    assert_refused(kms, asked, R.PERMISSION_DENIED, R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK)


def test_a_mac_key_needs_mac_generate_in_its_mask(kms: TestKms) -> None:
    asked = request(
        register_key(kms), None, mac_key=wrapping_key(kms, HMAC, usage=VERIFY | WRAP), method=M.MAC_SIGN
    )
    assert_refused(kms, asked, R.PERMISSION_DENIED, R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK)


def test_a_wrapping_key_is_active(kms: TestKms) -> None:
    """faults 20."""
    asked = request(register_key(kms), wrapping_key(kms, NIST, active=False))
    assert_refused(kms, asked, R.PERMISSION_DENIED, R.PERMISSION_DENIED)


def test_a_wrapping_key_wraps_until_its_protect_stop_date(kms: TestKms) -> None:
    """Also when the same request was answered before."""
    kek = register_key(
        kms,
        attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
        attribute(Tag.PROTECT_STOP_DATE, kms.clock.now() + timedelta(hours=1)),
        attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, NIST),
        usage=WRAP,
    )
    asked = request(register_key(kms), kek)
    kms.call(asked)
    kms.call(asked)
    kms.clock.pass_time(hours=1)
    assert_refused(kms, asked, R.PERMISSION_DENIED, R.PERMISSION_DENIED)


def test_wrapping_counts_against_the_usage_limits_of_the_wrapping_key(kms: TestKms) -> None:
    """KMIP 1.4 §3.21: wrapping applies protection."""
    kek = register_key(
        kms,
        attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
        attribute(
            Tag.USAGE_LIMITS,
            UsageLimits(usage_limits_total=2, usage_limits_unit=UsageLimitsUnit.OBJECT),
        ),
        attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, NIST),
        usage=WRAP,
    )
    asked = request(register_key(kms), kek)
    kms.call(asked)
    kms.call(asked)
    assert_refused(kms, asked, R.PERMISSION_DENIED, R.PERMISSION_DENIED)


def test_parameters_that_the_key_does_not_have(kms: TestKms) -> None:
    """KMIP 2.1 §7.18: no instance of the key's Cryptographic Parameters matches."""
    asked = request(register_key(kms), wrapping_key(kms, CBC, GCM), NIST)
    assert_refused(kms, asked, R.ITEM_NOT_FOUND, R.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_parameters_nowhere(kms: TestKms) -> None:
    asked = request(register_key(kms), wrapping_key(kms), None)
    assert_refused(kms, asked, R.ITEM_NOT_FOUND, R.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_the_first_parameters_of_the_key_are_used_when_the_request_has_none(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.6: the attribute with the lowest Attribute Index."""
    got = get_wrapped(kms, register_key(kms), specification(wrapping_key(kms, NIST, CBC), None))
    said = got.key_block.key_wrapping_data.encryption_key_information.cryptographic_parameters
    assert said == NIST


def test_what_the_request_leaves_out_is_taken_from_the_matching_parameters(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST, CBC)
    asked = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC)
    got = get_wrapped(kms, register_key(kms), specification(kek, asked))
    said = got.key_block.key_wrapping_data.encryption_key_information.cryptographic_parameters
    assert said == CBC


def test_a_key_without_parameters_takes_those_of_the_request(kms: TestKms) -> None:
    """PyKMIP and others never give a key Cryptographic Parameters."""
    got = get_wrapped(kms, register_key(kms, material=SECRET), specification(wrapping_key(kms), NIST))
    assert ciphertext_of(got).hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"


def test_a_mode_that_is_not_done(kms: TestKms) -> None:
    odd = CryptographicParameters(block_cipher_mode=BlockCipherMode.X9_102_AKW1)
    asked = request(register_key(kms), wrapping_key(kms, odd), odd)
    assert_refused(kms, asked, R.FEATURE_NOT_SUPPORTED, R.FEATURE_NOT_SUPPORTED, outside_table=True)


def test_data_that_does_not_fit_the_mode(kms: TestKms) -> None:
    """RFC 3394 wraps multiples of 8 bytes."""
    asked = request(secret_data(kms, b"seven!!"), wrapping_key(kms, NIST))
    assert refusal(kms, asked, version=V2_1).reason is R.BAD_CRYPTOGRAPHIC_PARAMETERS


def test_a_sensitive_key_is_given_out_wrapped(kms: TestKms) -> None:
    """faults 21. KMIP 2.1 §4.55: prevent the value being retrieved unless it is wrapped by another key."""
    made, kek = key(kms, attribute(Tag.SENSITIVE, value=True)), wrapping_key(kms, NIST)
    assert ciphertext_of(get_wrapped(kms, made, specification(kek)))


def test_a_sensitive_key_is_not_given_out_merely_authenticated(kms: TestKms) -> None:
    """faults 21. MAC/sign encrypts nothing."""
    made = key(kms, attribute(Tag.SENSITIVE, value=True))
    asked = request(made, None, mac_key=wrapping_key(kms, HMAC, usage=MAC), method=M.MAC_SIGN)
    assert_refused(kms, asked, R.SENSITIVE, R.SENSITIVE, since=V1_4)


def test_a_key_that_is_not_extractable_is_not_given_out_wrapped_either(kms: TestKms) -> None:
    """faults 21."""
    asked = request(key(kms, attribute(Tag.EXTRACTABLE, value=False)), wrapping_key(kms, NIST))
    assert_refused(kms, asked, R.NOT_EXTRACTABLE, R.NOT_EXTRACTABLE, since=V1_4)


def test_a_key_that_was_never_wrapped_may_be_wrapped_as_registered(kms: TestKms) -> None:
    asked = GetRequest(
        unique_identifier=register_key(kms),
        key_wrap_type=KeyWrapType.AS_REGISTERED,
        key_wrapping_specification=specification(wrapping_key(kms, NIST)),
    )
    assert ciphertext_of(kms.call(asked).managed_object)


def test_a_wrapped_answer_is_not_given_again_to_who_may_no_longer_wrap(kms: TestKms) -> None:
    made, kek = register_key(kms), wrapping_key(kms, NIST)
    asked = request(made, kek)
    kms.call(asked)
    kms.call(asked)
    kms.call(ArchiveRequest(unique_identifier=kek))
    assert refusal(kms, asked, version=V1_4).reason is R.OBJECT_ARCHIVED


def test_wrapping_does_not_write_the_key_back(kms: TestKms) -> None:
    made, kek = register_key(kms, material=SECRET), wrapping_key(kms, NIST)
    get_wrapped(kms, made, specification(kek))
    got: Any = kms.call(GetRequest(unique_identifier=made)).managed_object
    assert got.key_block.key_value.key_material.reveal() == SECRET
    assert value(kms, made, Tag.LINK) is None


def test_the_placeholder_names_the_key_to_wrap(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST)
    created = registration(ObjectType.SYMMETRIC_KEY, _raw(), mask(EVERY_USE))
    asked = GetRequest(key_wrapping_specification=specification(kek))
    _, got = kms.batch(created, asked, batch_order_option=True)
    assert ciphertext_of(cast(Any, got).managed_object)


def _raw() -> SymmetricKey:
    return SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=KeyValue(key_material=SecretBytes(AES_128)),
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=128,
        )
    )


def test_a_cmac_authenticates_a_key(kms: TestKms) -> None:
    """NIST SP 800-38B D.1, the AES-128 key with a message of 16 bytes."""
    mac_key = wrapping_key(kms, CMAC, material=bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), usage=MAC)
    made = register_key(kms, material=bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"))
    got = get_wrapped(kms, made, specification(None, mac_key=mac_key, mac=CMAC, method=M.MAC_SIGN))
    data = got.key_block.key_wrapping_data
    assert data.mac_signature.hex() == "070a16b46b4d4144f79bdd9dd04a287c"


def test_a_name_finds_no_wrapping_key_of_somebody_else(kms: TestKms) -> None:
    register_key(kms, attribute(Tag.NAME, Name(name_value="kek")), usage=WRAP)
    mine = kms.create_symmetric_key(caller=BOB)
    asked = request(mine, UniqueIdentifier("kek"))
    assert refusal(kms, asked, version=V3_0, caller=BOB).reason is R.WRAPPING_OBJECT_NOT_FOUND
