"""Sign and Signature Verify (KMIP 1.2 §4.31-4.32, 2.1 §6.1.55-6.1.56)."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.domain.context import Policy
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, PrivateKey, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    V3_0,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    PaddingMethod,
    ResultReason,
    RevocationReasonCode,
    Tag,
    UsageLimitsUnit,
    ValidityIndicator,
    Version,
)
from tests.expect import MISSING, active_key, assert_refused, mask, refusal, registration, revoke, value
from tests.kms import ALICE, BOB, TestKms, attribute, template

A, D, H, P = CryptographicAlgorithm, DigitalSignatureAlgorithm, HashingAlgorithm, PaddingMethod
SIGN, VERIFY = CryptographicUsageMask.SIGN, CryptographicUsageMask.VERIFY
VALID, INVALID = ValidityIndicator.VALID, ValidityIndicator.INVALID
DATA = b"what is signed"


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def block(key_format: KeyFormatType, der: bytes) -> KeyBlock:
    return KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretBytes(der)))


def private_key(
    kms: TestKms,
    key: Any,
    *attributes: AttributeInstance,
    usage: CryptographicUsageMask = SIGN,
    active: bool = True,
) -> UniqueIdentifier:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    made = PrivateKey(key_block=block(KeyFormatType.PKCS_8, der))
    return registered(kms, ObjectType.PRIVATE_KEY, made, mask(usage), *attributes, active=active)


def public_key(
    kms: TestKms,
    key: Any,
    *attributes: AttributeInstance,
    usage: CryptographicUsageMask = VERIFY,
    active: bool = True,
) -> UniqueIdentifier:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    made = PublicKey(key_block=block(KeyFormatType.X_509, der))
    return registered(kms, ObjectType.PUBLIC_KEY, made, mask(usage), *attributes, active=active)


def registered(
    kms: TestKms, object_type: ObjectType, made: Any, *attributes: AttributeInstance, active: bool = True
) -> UniqueIdentifier:
    identifier = kms.call(registration(object_type, made, *attributes)).unique_identifier
    if active:
        kms.call(ActivateRequest(unique_identifier=identifier))
    return identifier


def how(**given: Any) -> CryptographicParameters:
    return CryptographicParameters(**given)


def signing(
    key: UniqueIdentifier,
    parameters: CryptographicParameters | None = None,
    data: bytes | None = DATA,
    digest: bytes | None = None,
) -> SignRequest:
    return SignRequest(
        unique_identifier=key,
        cryptographic_parameters=parameters,
        data=None if data is None else SecretBytes(data),
        digested_data=None if digest is None else SecretBytes(digest),
    )


def verifying(
    key: UniqueIdentifier,
    signature: bytes | None,
    parameters: CryptographicParameters | None = None,
    data: bytes | None = DATA,
    digest: bytes | None = None,
) -> SignatureVerifyRequest:
    return SignatureVerifyRequest(
        unique_identifier=key,
        cryptographic_parameters=parameters,
        data=None if data is None else SecretBytes(data),
        digested_data=None if digest is None else SecretBytes(digest),
        signature_data=signature,
    )


def verdict(kms: TestKms, request: SignatureVerifyRequest, version: Version = V1_4) -> Any:
    return kms.call(request, version=version).validity_indicator


SHA = {
    H.SHA_1: hashes.SHA1(),
    H.SHA_224: hashes.SHA224(),
    H.SHA_256: hashes.SHA256(),
    H.SHA_384: hashes.SHA384(),
    H.SHA_512: hashes.SHA512(),
    H.SHA_512_256: hashes.SHA512_256(),
    H.SHA3_256: hashes.SHA3_256(),
    H.SHA3_512: hashes.SHA3_512(),
}


@pytest.mark.parametrize("hashing", SHA)
def test_pkcs_1_signatures_are_those_of_the_library(kms: TestKms, hashing: HashingAlgorithm) -> None:
    parameters = how(cryptographic_algorithm=A.RSA, padding_method=P.PKCS1_V1_5, hashing_algorithm=hashing)
    expected = rsa_key().sign(DATA, padding.PKCS1v15(), SHA[hashing])
    assert kms.call(signing(private_key(kms, rsa_key()), parameters)).signature_data == expected
    assert verdict(kms, verifying(public_key(kms, rsa_key()), expected, parameters)) is VALID


@pytest.mark.parametrize("salt", [None, 0, 20, 64])
@pytest.mark.parametrize("mask_hash", [None, H.SHA_1, H.SHA_256])
def test_pss_signatures_verify_with_the_library(
    kms: TestKms, salt: int | None, mask_hash: HashingAlgorithm | None
) -> None:
    """What is not said: a salt as long as the digest, and masks with the hash function of the message."""
    parameters = how(
        padding_method=P.PSS,
        hashing_algorithm=H.SHA_384,
        salt_length=salt,
        mask_generator_hashing_algorithm=mask_hash,
    )
    made = kms.call(signing(private_key(kms, rsa_key()), parameters)).signature_data
    assert made is not None
    scheme = padding.PSS(padding.MGF1(SHA[mask_hash or H.SHA_384]), 48 if salt is None else salt)
    rsa_key().public_key().verify(made, DATA, scheme, hashes.SHA384())
    assert verdict(kms, verifying(public_key(kms, rsa_key()), made, parameters)) is VALID


def test_verifying_pss_takes_any_salt_unless_the_length_is_given(kms: TestKms) -> None:
    """OASIS CS-AC-M-2 has a salt of 222 bytes and says nothing of it."""
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    signature = rsa_key().sign(DATA, scheme, hashes.SHA256())
    public = public_key(kms, rsa_key())
    pss = how(padding_method=P.PSS, hashing_algorithm=H.SHA_256)
    assert verdict(kms, verifying(public, signature, pss)) is VALID
    assert verdict(kms, verifying(public, signature, pss.replace(salt_length=222))) is VALID
    assert verdict(kms, verifying(public, signature, pss.replace(salt_length=32))) is INVALID


CURVES = [
    ec.SECP224R1,
    ec.SECP256R1,
    ec.SECP384R1,
    ec.SECP521R1,
    ec.SECP256K1,
    ec.BrainpoolP256R1,
    ec.BrainpoolP384R1,
    ec.BrainpoolP512R1,
]


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: c.name)
def test_ecdsa_on_every_curve_of_the_library(kms: TestKms, curve: type[ec.EllipticCurve]) -> None:
    key = ec_key(curve)
    parameters = how(cryptographic_algorithm=A.ECDSA, hashing_algorithm=H.SHA_512)
    made = kms.call(signing(private_key(kms, key), parameters)).signature_data
    assert made is not None
    key.public_key().verify(made, DATA, ec.ECDSA(hashes.SHA512()))
    assert verdict(kms, verifying(public_key(kms, key), made, parameters)) is VALID


def test_dsa(kms: TestKms) -> None:
    parameters = how(digital_signature_algorithm=D.DSA_WITH_SHA256)
    made = kms.call(signing(private_key(kms, dsa_key()), parameters)).signature_data
    assert made is not None
    dsa_key().public_key().verify(made, DATA, hashes.SHA256())
    assert verdict(kms, verifying(public_key(kms, dsa_key()), made, parameters)) is VALID


def test_rfc_6979_signature_is_valid(kms: TestKms) -> None:
    """RFC 6979 §A.2.5, P-256 with SHA-256 over "sample"."""
    x = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    public = public_key(kms, ec.derive_private_key(x, ec.SECP256R1()))
    parameters = how(digital_signature_algorithm=D.ECDSA_WITH_SHA256)
    signature = encode_dss_signature(r, s)
    assert verdict(kms, verifying(public, signature, parameters, b"sample")) is VALID
    assert verdict(kms, verifying(public, signature, parameters, b"simple")) is INVALID


ED25519 = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
ED25519_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
ED448 = bytes.fromhex(
    "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3"
    "528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b"
)
ED448_SIGNATURE = bytes.fromhex(
    "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f"
    "2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a"
    "9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db"
    "b61149f05a7363268c71d95808ff2e652600"
)


@pytest.mark.parametrize(
    ("key", "data", "signature"),
    [
        (ed25519.Ed25519PrivateKey.from_private_bytes(ED25519), b"\x72", ED25519_SIGNATURE),
        (ed448.Ed448PrivateKey.from_private_bytes(ED448), b"", ED448_SIGNATURE),
    ],
    ids=["RFC 8032 §7.1 test 2", "RFC 8032 §7.4 blank"],
)
def test_published_eddsa_signatures_are_met(kms: TestKms, key: Any, data: bytes, signature: bytes) -> None:
    """EdDSA has a hash function of its own, so it needs no parameters."""
    private, public = private_key(kms, key), public_key(kms, key)
    assert kms.call(signing(private, None, data)).signature_data == signature
    assert verdict(kms, verifying(public, signature, None, data)) is VALID
    assert verdict(kms, verifying(public, signature, None, data + b".")) is INVALID


ML_DSA = [A.ML_DSA_44, A.ML_DSA_65, A.ML_DSA_87]


def created_pair(
    kms: TestKms, algorithm: CryptographicAlgorithm
) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    request = CreateKeyPairRequest(
        common_attributes=template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)),
        private_key_attributes=template(mask(SIGN)),
        public_key_attributes=template(mask(VERIFY)),
    )
    made = kms.call(request, version=V3_0)
    for key in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        kms.call(ActivateRequest(unique_identifier=key))
    return made.private_key_unique_identifier, made.public_key_unique_identifier


@pytest.mark.parametrize("algorithm", ML_DSA)
def test_ml_dsa_signs_and_verifies(kms: TestKms, algorithm: CryptographicAlgorithm) -> None:
    """FIPS 204; the signature is one over the message itself, with an empty context."""
    private, public = created_pair(kms, algorithm)
    made = kms.call(signing(private), version=V3_0).signature_data
    assert made is not None
    assert verdict(kms, verifying(public, made), V3_0) is VALID
    assert verdict(kms, verifying(public, made, None, b"other"), V3_0) is INVALID
    assert verdict(kms, verifying(public, made[:-1]), V3_0) is INVALID


def test_ml_dsa_signatures_are_those_of_the_library(kms: TestKms) -> None:
    key = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    made = kms.call(signing(private_key(kms, key))).signature_data
    assert made is not None
    key.public_key().verify(made, DATA)
    assert verdict(kms, verifying(public_key(kms, key), key.sign(DATA))) is VALID


@pytest.mark.parametrize("algorithm", [A.ED25519, A.ML_DSA_65])
def test_what_signs_a_message_signs_no_digest(kms: TestKms, algorithm: CryptographicAlgorithm) -> None:
    private, public = created_pair(kms, algorithm)
    for request in (signing(private, None, None, bytes(32)), verifying(public, b"", None, None, bytes(32))):
        found = refusal(kms, request, version=V2_1).reason
        assert found is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS


def test_a_key_for_agreement_signs_nothing(kms: TestKms) -> None:
    private = private_key(kms, x25519.X25519PrivateKey.generate())
    found = refusal(kms, signing(private), version=V2_1).reason
    assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS


RSA_NAMES = [
    (D.SHA_1_WITH_RSA_ENCRYPTION, H.SHA_1),
    (D.SHA_224_WITH_RSA_ENCRYPTION, H.SHA_224),
    (D.SHA_256_WITH_RSA_ENCRYPTION, H.SHA_256),
    (D.SHA_384_WITH_RSA_ENCRYPTION, H.SHA_384),
    (D.SHA_512_WITH_RSA_ENCRYPTION, H.SHA_512),
    (D.SHA3_256_WITH_RSA_ENCRYPTION, H.SHA3_256),
    (D.SHA3_512_WITH_RSA_ENCRYPTION, H.SHA3_512),
]


@pytest.mark.parametrize(("name", "hashing"), RSA_NAMES)
def test_a_digital_signature_algorithm_says_all(
    kms: TestKms, name: DigitalSignatureAlgorithm, hashing: HashingAlgorithm
) -> None:
    """KMIP 2.1 §4.16: either it, or Cryptographic Algorithm and Hashing Algorithm."""
    request = signing(private_key(kms, rsa_key()), how(digital_signature_algorithm=name))
    expected = rsa_key().sign(DATA, padding.PKCS1v15(), SHA[hashing])
    assert kms.call(request, version=V2_1).signature_data == expected


def test_rsassa_pss_takes_its_hash_function_from_the_hashing_algorithm(kms: TestKms) -> None:
    parameters = how(digital_signature_algorithm=D.RSASSA_PSS, hashing_algorithm=H.SHA_256)
    made = kms.call(signing(private_key(kms, rsa_key()), parameters)).signature_data
    assert made is not None
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    rsa_key().public_key().verify(made, DATA, scheme, hashes.SHA256())


def test_parameters_come_from_the_key_when_the_request_has_none(kms: TestKms) -> None:
    own = attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, how(hashing_algorithm=H.SHA_256))
    expected = rsa_key().sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    assert kms.call(signing(private_key(kms, rsa_key(), own))).signature_data == expected
    assert verdict(kms, verifying(public_key(kms, rsa_key(), own), expected)) is VALID


@pytest.mark.parametrize("key", [rsa_key, ec_key, dsa_key], ids=["RSA", "EC", "DSA"])
def test_digested_data_is_signed_as_the_data_would_be(kms: TestKms, key: Any) -> None:
    """KMIP 1.4 §4.31."""
    private, public = private_key(kms, key()), public_key(kms, key())
    parameters, digest = how(hashing_algorithm=H.SHA_256), hashlib.sha256(DATA).digest()
    of_digest = kms.call(signing(private, parameters, None, digest)).signature_data
    of_data = kms.call(signing(private, parameters)).signature_data
    assert verdict(kms, verifying(public, of_digest, parameters)) is VALID
    assert verdict(kms, verifying(public, of_data, parameters, None, digest)) is VALID
    assert verdict(kms, verifying(public, of_data, parameters, None, bytes(32))) is INVALID


@pytest.mark.parametrize("key", [rsa_key, ec_key, dsa_key], ids=["RSA", "EC", "DSA"])
@pytest.mark.parametrize("size", [1, 16, 32, 100])
def test_digested_data_of_an_unnamed_hash_function_is_signed_as_it_is(
    kms: TestKms, key: Any, size: int
) -> None:
    """OASIS TC-RSA-SIGN-DIGESTEDDATA-1 and TC-ECDSA-SIGN-DIGESTEDDATA-1."""
    private, public = private_key(kms, key()), public_key(kms, key())
    made = kms.call(signing(private, None, None, bytes(size))).signature_data
    assert verdict(kms, verifying(public, made, None, None, bytes(size))) is VALID
    assert verdict(kms, verifying(public, made, None, None, b"\x01" * size)) is INVALID


def test_a_digest_has_the_length_of_its_hash_function(kms: TestKms) -> None:
    private, public = private_key(kms, ec_key()), public_key(kms, ec_key())
    parameters = how(hashing_algorithm=H.SHA_256)
    for request in (
        signing(private, parameters, None, bytes(20)),
        verifying(public, b"", parameters, None, bytes(20)),
    ):
        assert_refused(
            kms,
            request,
            ResultReason.INVALID_FIELD,
            ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS,
            since=V1_4,
        )


def test_rsa_shows_what_was_signed(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.56: the recovered data of an algorithm that supports it."""
    parameters, digest = how(hashing_algorithm=H.SHA_256), hashlib.sha256(DATA).digest()
    signature = rsa_key().sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    public = public_key(kms, rsa_key())
    found = kms.call(verifying(public, signature, parameters, None))
    assert (found.validity_indicator, found.data) == (VALID, digest)
    found = kms.call(verifying(public, bytes(256), parameters, None))
    assert (found.validity_indicator, found.data) == (INVALID, None)


def test_ecdsa_needs_the_data(kms: TestKms) -> None:
    reason = ResultReason.INVALID_FIELD
    request = verifying(public_key(kms, ec_key()), b"x", how(hashing_algorithm=H.SHA_256), None)
    assert_refused(kms, request, reason, reason)


def test_a_certificate_verifies_with_the_key_that_it_certifies(kms: TestKms) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(ec_key().public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(ec_key(), hashes.SHA256())
    )
    made = Certificate(
        certificate_type=CertificateType.X_509,
        certificate_value=certificate.public_bytes(Encoding.DER),
    )
    identifier = registered(kms, ObjectType.CERTIFICATE, made, mask(VERIFY))
    parameters = how(hashing_algorithm=H.SHA_256)
    signature = ec_key().sign(DATA, ec.ECDSA(hashes.SHA256()))
    assert verdict(kms, verifying(identifier, signature, parameters)) is VALID


@pytest.mark.parametrize("key", [rsa_key, ec_key, dsa_key], ids=["RSA", "EC", "DSA"])
@pytest.mark.parametrize("signature", [b"", b"nonsense", bytes(256), bytes(100_000)], ids=len)
def test_nonsense_is_invalid_and_no_error(kms: TestKms, key: Any, signature: bytes) -> None:
    request = verifying(public_key(kms, key()), signature, how(hashing_algorithm=H.SHA_256))
    assert verdict(kms, request) is INVALID


def test_parameters_of_another_kind_of_key_sign_nothing_and_verify_nothing(kms: TestKms) -> None:
    """OASIS TC-ECDSA-SIGN-DIGESTEDDATA-1 verifies with RSA parameters and an EC key: Invalid."""
    parameters = how(cryptographic_algorithm=A.RSA, padding_method=P.PSS, hashing_algorithm=H.SHA_1)
    public = public_key(kms, ec_key())
    assert verdict(kms, verifying(public, b"x", parameters)) is INVALID
    assert verdict(kms, verifying(public, b"x", parameters, None, bytes(20))) is INVALID
    assert_refused(
        kms,
        signing(private_key(kms, ec_key()), parameters),
        ResultReason.INVALID_FIELD,
        ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS,
    )


BAD = [
    (rsa_key, None),
    (rsa_key, how(padding_method=P.PSS)),
    (rsa_key, how(hashing_algorithm=H.SHA_256, padding_method=P.OAEP)),
    (ec_key, how(hashing_algorithm=H.SHA_256, padding_method=P.PSS)),
    (ec_key, how(cryptographic_algorithm=A.ECDSA)),
    (
        rsa_key,
        how(digital_signature_algorithm=D.SHA_256_WITH_RSA_ENCRYPTION, hashing_algorithm=H.SHA_1),
    ),
    (rsa_key, how(digital_signature_algorithm=D.SHA_256_WITH_RSA_ENCRYPTION, padding_method=P.PSS)),
    (ed25519.Ed25519PrivateKey.generate, how(hashing_algorithm=H.SHA_512)),
]


@pytest.mark.parametrize(("key", "parameters"), BAD)
def test_parameters_that_say_no_scheme_are_refused(
    kms: TestKms, key: Any, parameters: CryptographicParameters | None
) -> None:
    """KMIP 2.1 table 334: if the algorithm requires parameters the operation fails."""
    for request in (
        signing(private_key(kms, key()), parameters),
        verifying(public_key(kms, key()), b"x", parameters),
    ):
        assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS)


UNSUPPORTED = [
    how(hashing_algorithm=H.SHA_256, padding_method=P.X9_31),
    how(hashing_algorithm=H.SHA_256, padding_method=P.NONE),
    how(hashing_algorithm=H.RIPEMD_160),
    how(hashing_algorithm=H.MD5),
    how(digital_signature_algorithm=D.MD2_WITH_RSA_ENCRYPTION),
    how(digital_signature_algorithm=D.MD5_WITH_RSA_ENCRYPTION),
    how(digital_signature_algorithm=0x80000001),
]


@pytest.mark.parametrize("parameters", UNSUPPORTED)
def test_what_the_server_does_not_do_is_unsupported(
    kms: TestKms, parameters: CryptographicParameters
) -> None:
    for request in (
        signing(private_key(kms, rsa_key()), parameters),
        verifying(public_key(kms, rsa_key()), b"x", parameters),
    ):
        found = refusal(kms, request, version=V2_1).reason
        assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS
        assert refusal(kms, request).reason is ResultReason.FEATURE_NOT_SUPPORTED


def test_pss_has_one_trailer_field(kms: TestKms) -> None:
    request = signing(
        private_key(kms, rsa_key()),
        how(padding_method=P.PSS, hashing_algorithm=H.SHA_256, trailer_field=2),
    )
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS


def test_md5_signs_where_the_policy_allows_what_is_legacy(tmp_path: Path) -> None:
    kms = TestKms(tmp_path, policy=Policy(legacy=True))
    request = signing(private_key(kms, rsa_key()), how(digital_signature_algorithm=D.MD5_WITH_RSA_ENCRYPTION))
    expected = rsa_key().sign(DATA, padding.PKCS1v15(), hashes.MD5())
    assert kms.call(request).signature_data == expected
    kms.close()


def test_a_key_too_short_for_the_scheme_is_a_cryptographic_failure(kms: TestKms) -> None:
    parameters = how(padding_method=P.PSS, hashing_algorithm=H.SHA_512, salt_length=500)
    reason = ResultReason.CRYPTOGRAPHIC_FAILURE
    assert_refused(kms, signing(private_key(kms, rsa_key()), parameters), reason, reason, since=V1_4)


def test_either_data_or_digested_data_is_signed(kms: TestKms) -> None:
    reason = ResultReason.INVALID_FIELD
    parameters = how(hashing_algorithm=H.SHA_256)
    private, public = private_key(kms, rsa_key()), public_key(kms, rsa_key())
    assert_refused(kms, signing(private, parameters, None), reason, reason)
    assert_refused(kms, verifying(public, None, parameters), reason, reason)
    for request in (
        signing(private, parameters, DATA, bytes(32)),
        verifying(public, b"x", parameters, DATA, bytes(32)),
    ):
        assert_refused(kms, request, reason, reason, since=V1_4)


def test_only_private_keys_sign_and_only_public_keys_verify(kms: TestKms) -> None:
    parameters = how(hashing_algorithm=H.SHA_256)
    symmetric = active_key(kms, mask=SIGN | VERIFY)
    for request in (
        signing(public_key(kms, rsa_key(), usage=SIGN), parameters),
        signing(symmetric, parameters),
        verifying(private_key(kms, rsa_key(), usage=VERIFY), b"x", parameters),
        verifying(symmetric, b"x", parameters),
    ):
        assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.INVALID_OBJECT_TYPE)


def test_the_usage_mask_must_have_the_bit(kms: TestKms) -> None:
    parameters = how(hashing_algorithm=H.SHA_256)
    for request in (
        signing(private_key(kms, rsa_key(), usage=VERIFY), parameters),
        verifying(public_key(kms, rsa_key(), usage=SIGN), b"x", parameters),
    ):
        assert_refused(
            kms,
            request,
            ResultReason.PERMISSION_DENIED,
            ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
        )


def test_a_retired_key_signs_nothing_but_its_signatures_can_be_verified(kms: TestKms) -> None:
    """KMIP 2.1 §4.57."""
    parameters = how(hashing_algorithm=H.SHA_256)
    private, public = private_key(kms, ec_key()), public_key(kms, ec_key())
    signature = kms.call(signing(private, parameters)).signature_data
    for key in (private, public):
        kms.call(revoke(key, RevocationReasonCode.KEY_COMPROMISE))
    assert verdict(kms, verifying(public, signature, parameters)) is VALID
    assert_refused(
        kms,
        signing(private, parameters),
        ResultReason.PERMISSION_DENIED,
        ResultReason.WRONG_KEY_LIFECYCLE_STATE,
    )


def test_a_key_that_is_not_active_yet_does_neither(kms: TestKms) -> None:
    parameters = how(hashing_algorithm=H.SHA_256)
    for request in (
        signing(private_key(kms, ec_key(), active=False), parameters),
        verifying(public_key(kms, ec_key(), active=False), b"x", parameters),
    ):
        assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_usage_limits_are_spent_by_signing(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.55."""
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    private = private_key(kms, ec_key(), attribute(Tag.USAGE_LIMITS, limits))
    parameters = how(hashing_algorithm=H.SHA_256)
    kms.call(signing(private, parameters))
    assert value(kms, private, Tag.USAGE_LIMITS).usage_limits_count == 0
    reason = ResultReason.PERMISSION_DENIED
    assert_refused(kms, signing(private, parameters), reason, reason)


def test_unknown_and_foreign_keys_are_not_found(kms: TestKms) -> None:
    private, public = private_key(kms, ec_key()), public_key(kms, ec_key())
    parameters = how(hashing_algorithm=H.SHA_256)
    for request, caller in (
        (signing(MISSING, parameters), ALICE),
        (verifying(MISSING, b"x", parameters), ALICE),
        (signing(private, parameters), BOB),
        (verifying(public, b"x", parameters), BOB),
    ):
        reasons = ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND
        assert_refused(kms, request, *reasons, caller=caller)


@pytest.mark.parametrize("size", [20_000, 600_000])
def test_long_data_is_signed_as_a_whole(kms: TestKms, size: int) -> None:
    data = bytes(range(256)) * (size // 256)
    parameters = how(hashing_algorithm=H.SHA_256)
    made = kms.call(signing(private_key(kms, rsa_key()), parameters, data)).signature_data
    assert made == rsa_key().sign(data, padding.PKCS1v15(), hashes.SHA256())
