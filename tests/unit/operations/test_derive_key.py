"""Derive Key (KMIP 1.4 §4.6, 2.1 §6.1.14)."""

import hashlib
import hmac
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.attributes.rules import MAXIMUM_INSTANCES
from strongroom.crypto.keys.groups import group
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PrivateKey, PublicKey, SecretData, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, DerivationParameters, Link, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.procedures.creation import link_derived
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    ResultReason,
    SecretDataType,
    State,
    Tag,
    UniqueIdentifierEnumeration,
    UsageLimitsUnit,
)
from tests.expect import (
    MISSING,
    assert_refused,
    mask,
    named,
    raw_key,
    refusal,
    register_opaque,
    register_template,
    registration,
    revoke,
    value,
    values,
)
from tests.kms import ALICE, BOB, TestKms, attribute, template

A, H, M = CryptographicAlgorithm, HashingAlgorithm, DerivationMethod
DERIVE = CryptographicUsageMask.DERIVE_KEY
ENCRYPT = CryptographicUsageMask.ENCRYPT
KEY = bytes(range(32))
SHA_256 = CryptographicParameters(hashing_algorithm=H.SHA_256)


def symmetric(
    kms: TestKms,
    material: bytes = KEY,
    algorithm: CryptographicAlgorithm = A.HMAC_SHA256,
    *attributes: AttributeInstance,
    usage: CryptographicUsageMask = DERIVE,
    active: bool = True,
) -> UniqueIdentifier:
    key = raw_key(material, cryptographic_algorithm=algorithm)
    return registered(kms, ObjectType.SYMMETRIC_KEY, key, mask(usage), *attributes, active=active)


def secret(
    kms: TestKms,
    data: bytes = b"password",
    key_format: KeyFormatType = KeyFormatType.RAW,
    *attributes: AttributeInstance,
) -> UniqueIdentifier:
    made = SecretData(
        secret_data_type=SecretDataType.SEED,
        key_block=KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretBytes(data))),
    )
    return registered(kms, ObjectType.SECRET_DATA, made, mask(DERIVE), *attributes)


def registered(
    kms: TestKms, object_type: ObjectType, made: Any, *attributes: AttributeInstance, active: bool = True
) -> UniqueIdentifier:
    identifier = kms.call(registration(object_type, made, *attributes)).unique_identifier
    if active:
        kms.call(ActivateRequest(unique_identifier=identifier))
    return identifier


def derivation(
    method: DerivationMethod,
    *bases: Any,
    length: int | None = 128,
    algorithm: CryptographicAlgorithm | None = A.AES,
    to: ObjectType = ObjectType.SYMMETRIC_KEY,
    attributes: tuple[AttributeInstance, ...] = (),
    data: bytes | tuple[bytes, ...] | None = None,
    parameters: CryptographicParameters | None = None,
    **more: Any,
) -> DeriveKeyRequest:
    given = [mask(ENCRYPT), *attributes]
    if length is not None:
        given.append(attribute(Tag.CRYPTOGRAPHIC_LENGTH, length))
    if algorithm is not None:
        given.append(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm))
    parts = () if data is None else data if isinstance(data, tuple) else (data,)
    return DeriveKeyRequest(
        object_type=to,
        unique_identifier=bases,
        derivation_method=method,
        derivation_parameters=DerivationParameters(
            cryptographic_parameters=parameters, derivation_data=tuple(map(SecretBytes, parts)), **more
        ),
        attributes=template(*given),
    )


def to_secret(method: DerivationMethod, *bases: Any, size: int, **more: Any) -> DeriveKeyRequest:
    """Derive Secret Data of so many bytes."""
    return derivation(method, *bases, length=8 * size, algorithm=None, to=ObjectType.SECRET_DATA, **more)


def material(kms: TestKms, request: DeriveKeyRequest, version: Any = V2_1) -> bytes:
    """Return the bytes of what the request derives."""
    made = kms.call(request, version=version).unique_identifier
    found = kms.call(GetRequest(unique_identifier=made), version=version).managed_object
    assert isinstance(found, SymmetricKey | SecretData)
    assert isinstance(found.key_block.key_value, KeyValue)
    shown = found.key_block.key_value.key_material
    assert isinstance(shown, SecretBytes)
    return shown.reveal()


def test_pbkdf2_meets_rfc_6070(kms: TestKms) -> None:
    """Case 3; HMAC-SHA-1 is the usual function."""
    request = to_secret(M.PBKDF2, secret(kms), size=20, salt=b"salt", iteration_count=4096)
    assert material(kms, request).hex() == "4b007901b765489abead49d926f721d065a429c1"


@pytest.mark.parametrize("key_format", [KeyFormatType.RAW, KeyFormatType.OPAQUE])
def test_pbkdf2_with_a_named_function(kms: TestKms, key_format: KeyFormatType) -> None:
    request = to_secret(
        M.PBKDF2,
        secret(kms, key_format=key_format),
        size=100,
        salt=b"salt",
        iteration_count=7,
        parameters=CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA512),
    )
    assert material(kms, request) == hashlib.pbkdf2_hmac("sha512", b"password", b"salt", 7, 100)


def test_hkdf_meets_rfc_5869(kms: TestKms) -> None:
    """Appendix A.1; SHA-256 is the usual function."""
    request = to_secret(
        M.HKDF, secret(kms, b"\x0b" * 22), size=42, salt=bytes(range(13)), data=bytes(range(0xF0, 0xFA))
    )
    assert material(kms, request).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def test_hkdf_without_salt_and_info_and_with_another_function_meets_rfc_5869(kms: TestKms) -> None:
    """Appendix A.6."""
    request = to_secret(
        M.HKDF,
        secret(kms, b"\x0b" * 22),
        size=42,
        parameters=CryptographicParameters(hashing_algorithm=H.SHA_1),
    )
    assert material(kms, request).hex() == (
        "0ac1af7002b3d761d1e55298da9d0506b9ae52057220a306e07b6b87e8df21d0ea00033de03984d34918"
    )


def test_hash_of_a_key_and_of_secret_data(kms: TestKms) -> None:
    """KMIP 2.1 §7.12: either a derivation key or derivation data."""
    for base in (symmetric(kms), secret(kms, KEY)):
        request = derivation(M.HASH, base, length=256, parameters=SHA_256)
        assert material(kms, request) == hashlib.sha256(KEY).digest()


@pytest.mark.parametrize(
    ("algorithm", "parameters", "function"),
    [
        (A.AES, SHA_256, "sha256"),
        (A.AES, CryptographicParameters(cryptographic_algorithm=A.HMAC_SHA512), "sha512"),
        (A.HMAC_SHA384, None, "sha384"),
        # KMIP 2.1 §7.12: the attributes of the key say enough, and the parameters are ignored.
        (A.HMAC_SHA384, SHA_256, "sha384"),
    ],
    ids=["hash named", "HMAC named", "HMAC key", "HMAC key and hash"],
)
def test_hmac(
    kms: TestKms,
    algorithm: CryptographicAlgorithm,
    parameters: CryptographicParameters | None,
    function: str,
) -> None:
    request = derivation(M.HMAC, symmetric(kms, KEY, algorithm), data=b"data", parameters=parameters)
    assert material(kms, request) == hmac.digest(KEY, b"data", function)[:16]


def test_derivation_data_may_be_a_secret_data_object(kms: TestKms) -> None:
    for bases in ((symmetric(kms), secret(kms, b"data")), (secret(kms, b"data"), symmetric(kms))):
        assert material(kms, derivation(M.HMAC, *bases)) == hmac.digest(KEY, b"data", "sha256")[:16]


def test_secret_data_may_be_the_key(kms: TestKms) -> None:
    request = derivation(M.HMAC, secret(kms, KEY), data=b"data", parameters=SHA_256)
    assert material(kms, request) == hmac.digest(KEY, b"data", "sha256")[:16]


def test_encrypt_meets_nist(kms: TestKms) -> None:
    """SP 800-38A §F.2.1, the first block."""
    base = symmetric(kms, bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), A.AES)
    request = derivation(
        M.ENCRYPT,
        base,
        data=bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"),
        parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC),
        initialization_vector=bytes(range(16)),
    )
    assert material(kms, request).hex() == "7649abac8119b246cee98e9b12e9197d"


@pytest.mark.parametrize(
    ("method", "mode"),
    [
        (M.ENCRYPT, BlockCipherMode.ECB),
        (M.NIST800_108_C, BlockCipherMode.CMAC),
        (M.NIST800_108_F, BlockCipherMode.CMAC),
        (M.NIST800_108_DPI, BlockCipherMode.CMAC),
    ],
)
@pytest.mark.parametrize(
    "protection", [attribute(Tag.SENSITIVE, value=True), attribute(Tag.EXTRACTABLE, value=False)]
)
def test_protected_secret_data_go_into_no_cipher(
    kms: TestKms, method: DerivationMethod, mode: BlockCipherMode, protection: AttributeInstance
) -> None:
    """The client gets what comes out, and may know the key."""
    parameters = CryptographicParameters(block_cipher_mode=mode)
    key, known = symmetric(kms, KEY, A.AES), secret(kms, KEY)
    protected = secret(kms, bytes(16), KeyFormatType.RAW, protection)
    free = secret(kms, bytes(16))
    for bases in ((key, protected), (protected, key)):
        kms.call(derivation(method, key, free, parameters=parameters))
        assert_refused(
            kms,
            derivation(method, *bases, parameters=parameters),
            ResultReason.PERMISSION_DENIED,
            ResultReason.PERMISSION_DENIED,
        )
    if method is M.ENCRYPT:
        named_cipher = parameters.replace(cryptographic_algorithm=A.AES)
        request = derivation(method, known, protected, parameters=named_cipher)
        assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED
        kms.call(derivation(method, protected, free, parameters=named_cipher))
    kms.call(derivation(M.HMAC, key, protected, parameters=SHA_256))


def test_encrypt_takes_no_random_initialization_vector(kms: TestKms) -> None:
    """Nobody could derive the key again."""
    request = derivation(
        M.ENCRYPT,
        symmetric(kms, KEY, A.AES),
        data=bytes(16),
        parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, random_iv=True),
    )
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


def test_sp_800_108_feedback_meets_a_case_made_with_bouncy_castle(kms: TestKms) -> None:
    """Botan's sp800_108_fb.vec, HMAC-SHA-256, the first."""
    key = bytes.fromhex("a7c84831ed751469d67bd1341502f8d9cea242f22b603a82b82e5f04124e14d0")
    salt = bytes.fromhex(
        "8ba32a09224e2ba61eadfe345e3978950895f605e73867946dd1175cc836421b6318d9e6384abe5f323e"
    )
    request = to_secret(
        M.NIST800_108_F,
        symmetric(kms, key),
        size=2,
        data=bytes.fromhex("e7eafc5b1faea3ac16e3b0b7") + b"\x00" + salt[32:],
        initialization_vector=salt[:32],
    )
    assert material(kms, request).hex() == "ae76"


def test_sp_800_108_modes_give_what_their_formulas_say(kms: TestKms) -> None:
    """SP 800-108r1 §4.1-4.3, one block each: i and L are 32 bits, i stands before the data."""
    base, data = symmetric(kms), b"label\x00context"
    tail = (1).to_bytes(4) + data + (128).to_bytes(4)
    pipe = hmac.digest(KEY, data + (128).to_bytes(4), "sha256")
    for method, first in (
        (M.NIST800_108_C, tail),
        (M.NIST800_108_F, tail),
        (M.NIST800_108_DPI, pipe + tail),
    ):
        expected = hmac.digest(KEY, first, "sha256")[:16]
        assert material(kms, derivation(method, base, data=data)) == expected


@pytest.mark.parametrize("method", [M.NIST800_108_C, M.NIST800_108_F, M.NIST800_108_DPI])
def test_sp_800_108_with_cmac_needs_the_mode(kms: TestKms, method: DerivationMethod) -> None:
    base = symmetric(kms, KEY, A.AES)
    cmac = CryptographicParameters(block_cipher_mode=BlockCipherMode.CMAC)
    assert len(material(kms, to_secret(method, base, size=100, data=b"data", parameters=cmac))) == 100
    found = refusal(kms, derivation(method, base, data=b"data"), version=V2_1).reason
    assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


@pytest.mark.parametrize(
    ("date", "service", "key"),
    [
        (b"20150830", b"iam", "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"),
        (b"20120215", b"iam", "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"),
    ],
)
def test_aws_signing_keys_are_those_of_the_manual(
    kms: TestKms, date: bytes, service: bytes, key: str
) -> None:
    """AWS General Reference, "Examples of how to derive a signing key for Signature Version 4"."""
    base = secret(kms, b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    request = to_secret(M.AWS_SIGNATURE_VERSION_4, base, size=32, data=(date, b"us-east-1", service))
    assert material(kms, request).hex() == key
    short = to_secret(M.AWS_SIGNATURE_VERSION_4, base, size=32, data=(date, b"us-east-1"))
    assert refusal(kms, short, version=V2_1).reason is ResultReason.INVALID_FIELD


KINDS: list[tuple[str, Any, Any]] = [
    ("P-256", lambda: ec.generate_private_key(ec.SECP256R1()), A.ECDH),
    ("brainpoolP512r1", lambda: ec.generate_private_key(ec.BrainpoolP512R1()), A.ECDH),
    ("X25519", x25519.X25519PrivateKey.generate, A.ECDH),
    ("X448", x448.X448PrivateKey.generate, A.ECDH),
    ("DH", lambda: group(2048).parameters().generate_private_key(), A.DH),
]


def pair(kms: TestKms, key: Any) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    def block(key_format: KeyFormatType, der: bytes) -> KeyBlock:
        return KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretBytes(der)))

    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return (
        registered(
            kms,
            ObjectType.PRIVATE_KEY,
            PrivateKey(key_block=block(KeyFormatType.PKCS_8, private)),
            mask(DERIVE),
        ),
        registered(
            kms,
            ObjectType.PUBLIC_KEY,
            PublicKey(key_block=block(KeyFormatType.X_509, public)),
            mask(DERIVE),
        ),
    )


@pytest.mark.parametrize(("name", "make", "algorithm"), KINDS, ids=[k[0] for k in KINDS])
def test_both_sides_of_an_agreement_derive_the_same(
    kms: TestKms, name: str, make: Any, algorithm: CryptographicAlgorithm
) -> None:
    (ours, our_public), (theirs, their_public) = pair(kms, make()), pair(kms, make())
    parameters = CryptographicParameters(cryptographic_algorithm=algorithm)
    one = derivation(M.ASYMMETRIC_KEY, ours, their_public, length=256, parameters=parameters)
    other = derivation(M.ASYMMETRIC_KEY, our_public, theirs, length=256, parameters=parameters)
    assert material(kms, one) == material(kms, other)


def test_the_agreed_key_is_the_shared_secret(kms: TestKms) -> None:
    ours, theirs = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    request = derivation(M.ASYMMETRIC_KEY, pair(kms, ours)[0], pair(kms, theirs)[1], length=256)
    assert material(kms, request) == ours.exchange(ec.ECDH(), theirs.public_key())[:32]


def test_keys_that_do_not_belong_together_agree_on_nothing(kms: TestKms) -> None:
    reason = ResultReason.CRYPTOGRAPHIC_FAILURE
    private, _ = pair(kms, ec.generate_private_key(ec.SECP256R1()))
    for other in (ec.generate_private_key(ec.SECP384R1()), x25519.X25519PrivateKey.generate()):
        request = derivation(M.ASYMMETRIC_KEY, private, pair(kms, other)[1])
        assert_refused(kms, request, reason, reason, since=V1_4)


def test_an_agreement_has_one_key_of_each_kind(kms: TestKms) -> None:
    private, public = pair(kms, ec.generate_private_key(ec.SECP256R1()))
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, derivation(M.ASYMMETRIC_KEY, private), reason, reason, since=V1_4)
    assert_refused(
        kms,
        derivation(M.ASYMMETRIC_KEY, private, public, symmetric(kms)),
        reason,
        ResultReason.INVALID_OBJECT_TYPE,
        since=V1_4,
    )


def test_a_derived_key_has_the_attributes_of_a_new_one(kms: TestKms) -> None:
    """KMIP 2.1 §4.39 and §4.44: Original Creation Date and Random Number Generator are set."""
    request = derivation(M.HMAC, symmetric(kms), data=b"data", attributes=(named("derived"),))
    made = kms.call(request).unique_identifier
    assert value(kms, made, Tag.CRYPTOGRAPHIC_ALGORITHM) is A.AES
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 128
    assert value(kms, made, Tag.CRYPTOGRAPHIC_USAGE_MASK) == ENCRYPT
    assert value(kms, made, Tag.STATE) is State.PRE_ACTIVE
    assert value(kms, made, Tag.ORIGINAL_CREATION_DATE) == kms.clock.now()
    assert value(kms, made, Tag.NAME).name_value == "derived"
    assert (
        value(kms, made, Tag.DIGEST).digest_value
        == hashlib.sha256(hmac.digest(KEY, b"data", "sha256")[:16]).digest()
    )


def test_bases_and_derived_keys_are_linked_both_ways(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.14."""
    key, data = symmetric(kms), secret(kms, b"data")
    made = [kms.call(derivation(M.HMAC, key, data)).unique_identifier for _ in range(2)]
    for one in made:
        assert values(kms, one, Tag.LINK) == [
            Link(link_type=LinkType.DERIVATION_BASE_OBJECT_LINK, linked_object_identifier=base)
            for base in (key, data)
        ]
    for base in (key, data):
        assert values(kms, base, Tag.LINK) == [
            Link(link_type=LinkType.DERIVED_KEY_LINK, linked_object_identifier=one) for one in made
        ]


def test_a_base_that_is_full_of_links_forgets_the_oldest() -> None:
    def thing(name: str) -> ManagedObject:
        return ManagedObject(
            unique_identifier=UniqueIdentifier(name),
            object_type=ObjectType.SYMMETRIC_KEY,
            tenant=1,
            owner=1,
            sequence=1,
            state=State.ACTIVE,
        )

    base = thing("base")
    for number in range(MAXIMUM_INSTANCES + 5):
        link_derived(base, thing(str(number)))
    linked = [link.linked_object_identifier for link in base.values(Tag.LINK)]
    assert linked == [str(number) for number in range(5, MAXIMUM_INSTANCES + 5)]


def test_the_derived_key_fills_the_id_placeholder(kms: TestKms) -> None:
    base = symmetric(kms)
    made, got = kms.batch(derivation(M.HMAC, base, data=b"data"), GetRequest())
    assert got.unique_identifier == made.unique_identifier  # type: ignore[union-attr]


def test_the_id_placeholder_is_no_base(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.14: it shall not be used in place of a Unique Identifier."""
    reason = ResultReason.INVALID_FIELD
    request = derivation(M.HMAC, UniqueIdentifierEnumeration.ID_PLACEHOLDER, data=b"data")
    assert refusal(kms, request, version=V2_1).reason is reason
    assert_refused(kms, derivation(M.HMAC, data=b"data"), reason, reason)


def test_any_length_up_to_what_the_method_gives(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.14: if the length exceeds the output of the method, it fails."""
    base, reason = symmetric(kms), ResultReason.CRYPTOGRAPHIC_FAILURE
    assert len(material(kms, to_secret(M.HMAC, base, size=32, data=b"data"))) == 32
    assert_refused(kms, to_secret(M.HMAC, base, size=33, data=b"data"), reason, reason)
    hkdf = to_secret(M.HKDF, base, size=255 * 32 + 1)
    assert refusal(kms, hkdf, version=V2_1).reason is reason


@pytest.mark.parametrize("length", [None, 0, -8, 12, 8 * 65536 + 8])
def test_secret_data_have_a_length_in_whole_bytes(kms: TestKms, length: int | None) -> None:
    reason = ResultReason.INVALID_FIELD
    request = derivation(M.HKDF, symmetric(kms), length=length, algorithm=None, to=ObjectType.SECRET_DATA)
    assert refusal(kms, request, version=V2_1).reason is reason


def test_a_key_needs_an_algorithm_and_one_of_its_lengths(kms: TestKms) -> None:
    reason, base = ResultReason.INVALID_FIELD, symmetric(kms)
    for given in ({"algorithm": None}, {"length": None}, {"length": 100}, {"algorithm": A.RSA}):
        request = derivation(M.HMAC, base, data=b"data", **given)
        assert_refused(kms, request, reason, reason)


def test_derivation_data_given_twice_are_ambiguous(kms: TestKms) -> None:
    """KMIP 1.0 §11.7: Invalid Message."""
    reason, key, data = ResultReason.INVALID_MESSAGE, symmetric(kms), secret(kms)
    for request in (
        derivation(M.HMAC, key, data, data=b"data"),
        derivation(M.HASH, key, data=b"data", parameters=SHA_256),
        derivation(M.PBKDF2, data, data=b"data", salt=b"salt", iteration_count=1),
    ):
        assert_refused(kms, request, reason, reason)


def test_a_vendors_method_is_unsupported(kms: TestKms) -> None:
    method, key = cast(DerivationMethod, 0x80000001), symmetric(kms)
    for request in (derivation(method, key), to_secret(method, key, size=16)):
        found = refusal(kms, request, version=V2_1).reason
        assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS


def test_missing_derivation_data_are_an_invalid_field(kms: TestKms) -> None:
    reason, key = ResultReason.INVALID_FIELD, symmetric(kms)
    for method in (M.HMAC, M.NIST800_108_C, M.NIST800_108_F, M.NIST800_108_DPI):
        assert_refused(kms, derivation(method, key), reason, reason)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"salt": b"salt"},
        {"iteration_count": 1},
        {"salt": b"salt", "iteration_count": 0},
        {"salt": b"salt", "iteration_count": -1},
        {"salt": b"salt", "iteration_count": 2**31 - 1},
        {"salt": b"salt", "iteration_count": 6_000_000, "length": 256},
    ],
    ids=str,
)
def test_pbkdf2_needs_salt_and_a_bearable_iteration_count(kms: TestKms, given: Any) -> None:
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, derivation(M.PBKDF2, secret(kms), **given), reason, reason)


@pytest.mark.parametrize("method", [M.HKDF, M.NIST800_108_C, M.NIST800_108_F, M.NIST800_108_DPI])
def test_derivation_data_that_are_gone_through_too_often_are_refused(
    kms: TestKms, method: DerivationMethod
) -> None:
    """Nothing stops a thread that computes."""
    base, most = symmetric(kms), (1 << 32) // 8000
    found = refusal(kms, to_secret(method, base, size=8000, data=bytes(most + 1)), version=V2_1)
    assert found.reason is ResultReason.INVALID_FIELD
    assert f"{most} bytes" in found.message
    kms.call(to_secret(method, base, size=16, data=bytes(most + 1)), version=V2_1)


def test_more_objects_than_a_method_has_roles_are_refused(kms: TestKms) -> None:
    reason, one, other = ResultReason.INVALID_FIELD, symmetric(kms), symmetric(kms)
    for request in (
        derivation(M.HMAC, one, other, data=b"data"),
        derivation(M.HASH, one, other, parameters=SHA_256),
        derivation(M.HMAC, *[secret(kms) for _ in range(9)]),
    ):
        assert_refused(kms, request, reason, reason)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (M.HASH, None),
        (
            M.HASH,
            CryptographicParameters(hashing_algorithm=H.SHA_1, cryptographic_algorithm=A.HMAC_SHA256),
        ),
    ],
    ids=["none", "two"],
)
def test_parameters_that_name_no_function_are_refused(
    kms: TestKms, method: DerivationMethod, parameters: CryptographicParameters | None
) -> None:
    found = refusal(kms, derivation(method, symmetric(kms), parameters=parameters), version=V2_1).reason
    assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


def test_parameters_come_from_the_key_when_the_request_has_none(kms: TestKms) -> None:
    """KMIP 1.4 §4.6: those of the key with the lowest index."""
    own = attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, SHA_256)
    request = derivation(M.HASH, symmetric(kms, KEY, A.AES, own), length=256)
    assert material(kms, request) == hashlib.sha256(KEY).digest()


@pytest.mark.parametrize("hashing", [H.TIGER, H.MD5])
def test_a_function_that_is_not_computed_is_unsupported(kms: TestKms, hashing: HashingAlgorithm) -> None:
    request = derivation(
        M.HASH, symmetric(kms), parameters=CryptographicParameters(hashing_algorithm=hashing)
    )
    assert refusal(kms, request, version=V1_0).reason is ResultReason.FEATURE_NOT_SUPPORTED
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS


def test_only_keys_and_secret_data_are_derived(kms: TestKms) -> None:
    request = derivation(M.HMAC, symmetric(kms), data=b"data", to=ObjectType.PRIVATE_KEY)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_OBJECT_TYPE)


def test_only_keys_and_secret_data_are_bases(kms: TestKms) -> None:
    found = refusal(kms, derivation(M.HMAC, register_template(kms, "t"), data=b"data"), version=V1_0)
    assert found.reason is ResultReason.INVALID_FIELD
    private, _ = pair(kms, ec.generate_private_key(ec.SECP256R1()))
    for method in (M.HMAC, M.HASH):
        assert_refused(
            kms,
            derivation(method, private),
            ResultReason.INVALID_FIELD,
            ResultReason.INVALID_OBJECT_TYPE,
        )
    blob = register_opaque(kms)
    refused = refusal(kms, derivation(M.HMAC, blob, data=b"data"), version=V2_1)
    assert refused.reason in (
        ResultReason.INVALID_OBJECT_TYPE,
        ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    )


def test_every_base_must_have_the_bit(kms: TestKms) -> None:
    with_bit, without = secret(kms), symmetric(kms, usage=ENCRYPT)
    for bases in ((without,), (without, with_bit)):
        assert_refused(
            kms,
            derivation(M.HMAC, *bases),
            ResultReason.INVALID_FIELD,
            ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
        )


def test_bases_are_active(kms: TestKms) -> None:
    retired = symmetric(kms)
    kms.call(revoke(retired))
    for base in (symmetric(kms, active=False), retired):
        assert_refused(
            kms,
            derivation(M.HMAC, base, data=b"data"),
            ResultReason.INVALID_FIELD,
            ResultReason.WRONG_KEY_LIFECYCLE_STATE,
        )


def test_destroyed_bases_derive_nothing(kms: TestKms) -> None:
    base = symmetric(kms)
    kms.call(revoke(base))
    kms.call(DestroyRequest(unique_identifier=base))
    assert_refused(
        kms,
        derivation(M.HMAC, base, data=b"data"),
        ResultReason.ITEM_NOT_FOUND,
        ResultReason.OBJECT_DESTROYED,
    )


def test_unknown_and_foreign_bases_are_not_found(kms: TestKms) -> None:
    mine = symmetric(kms)
    for bases, caller in (((MISSING,), ALICE), ((mine, MISSING), ALICE), ((mine,), BOB)):
        assert_refused(
            kms,
            derivation(M.HMAC, *bases, data=b"data"),
            ResultReason.ITEM_NOT_FOUND,
            ResultReason.OBJECT_NOT_FOUND,
            caller=caller,
        )
    assert values(kms, mine, Tag.LINK) == []


def test_a_name_that_is_taken_is_refused(kms: TestKms) -> None:
    base = symmetric(kms, KEY, A.HMAC_SHA256, named("taken"))
    request = derivation(M.HMAC, base, data=b"data", attributes=(named("taken"),))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_attributes_that_a_client_may_not_set_are_an_invalid_field(kms: TestKms) -> None:
    """The error tables of the operation have no reason that speaks of read-only attributes."""
    reason, base = ResultReason.INVALID_FIELD, symmetric(kms)
    for wrong in (
        attribute(Tag.INITIAL_DATE, kms.clock.now()),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
    ):
        request = derivation(M.HMAC, base, data=b"data", attributes=(wrong,))
        assert_refused(kms, request, reason, reason)


def test_links_can_be_read_in_3_0(kms: TestKms) -> None:
    base = symmetric(kms)
    for _ in range(2):
        kms.call(derivation(M.HMAC, base, data=b"data"), version=V3_0)
    assert len(values(kms, base, Tag.LINK)) == 2
    assert values(kms, base, Tag.DERIVED_OBJECT_LINK, version=V3_0)


@pytest.mark.parametrize(("unit", "total"), [(UsageLimitsUnit.OBJECT, 1), (UsageLimitsUnit.BYTE, 16)])
def test_encryption_by_derivation_counts_against_the_usage_limits(
    kms: TestKms, unit: UsageLimitsUnit, total: int
) -> None:
    """KMIP 2.1 §4.59: the derived key, which Get gives out, is the ciphertext that Encrypt would refuse."""
    limits = attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=total, usage_limits_unit=unit))
    base = symmetric(kms, KEY[:16], A.AES, limits)
    parameters = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
    request = to_secret(M.ENCRYPT, base, size=16, data=bytes(16), parameters=parameters)
    kms.call(request)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)
    assert len(values(kms, base, Tag.LINK)) == 1


def test_what_goes_in_and_what_comes_out_of_a_derivation_are_counted(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=1000, usage_limits_unit=UsageLimitsUnit.BYTE)

    def cost(*others: Any, size: int, **given: Any) -> int:
        base = symmetric(kms, KEY, A.HMAC_SHA256, attribute(Tag.USAGE_LIMITS, limits))
        kms.call(to_secret(M.HMAC, base, *others, size=size, parameters=SHA_256, **given))
        left: int = value(kms, base, Tag.USAGE_LIMITS).usage_limits_count
        return 1000 - left

    assert cost(size=16, data=bytes(100)) == 100
    assert cost(secret(kms, bytes(100)), size=16) == 100
    assert cost(size=32, data=b"data") == 32
