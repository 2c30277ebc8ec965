"""Register (KMIP 1.x §4.3, 2.1 §6.1.43), and Get of what was registered."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import (
    KeyBlock,
    KeyMaterial,
    KeyValue,
    TransparentDSAPrivateKey,
    TransparentDSAPublicKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
    TransparentSymmetricKey,
    spell_out,
)
from strongroom.model.objects import (
    Certificate,
    CertificateRequest,
    ManagedObjectStruct,
    PGPKey,
    PrivateKey,
    PublicKey,
    SplitKey,
    SymmetricKey,
    Template,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import EncryptionKeyInformation, KeyWrappingData, Link
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.locate import LocateRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    RecommendedCurve,
    ResultReason,
    SplitKeyMethod,
    State,
    Tag,
    Version,
    WrappingMethod,
)
from tests.expect import (
    AES_128,
    EVERY_USE,
    assert_refused,
    key,
    mask,
    named,
    opaque,
    password,
    raw_key,
    refusal,
    register_key,
    registration,
    state_of,
    value,
    values,
)
from tests.kms import BOB, Refused, TestKms, attribute, template

SIGN, VERIFY = CryptographicUsageMask.SIGN, CryptographicUsageMask.VERIFY
F, A = KeyFormatType, CryptographicAlgorithm


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


def block(
    key_format: KeyFormatType,
    material: KeyMaterial | bytes,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> KeyBlock:
    if isinstance(material, bytes):
        material = SecretBytes(material)
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(key_material=material),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )


def private_der(made: Any, form: PrivateFormat) -> bytes:
    der: bytes = made.private_bytes(Encoding.DER, form, NoEncryption())
    return der


def public_der(made: Any, form: PublicFormat) -> bytes:
    der: bytes = made.public_key().public_bytes(Encoding.DER, form)
    return der


@cache
def certificate() -> Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(ec_key().public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(ec_key(), hashes.SHA256())
    )
    return Certificate(
        certificate_type=CertificateType.X_509, certificate_value=made.public_bytes(Encoding.DER)
    )


def certificate_request() -> CertificateRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(ec_key(), hashes.SHA256())
    return CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10,
        certificate_request_value=made.public_bytes(Encoding.DER),
    )


@pytest.mark.parametrize(
    ("object_type", "given", "formats"),
    [
        (ObjectType.PRIVATE_KEY, "pkcs8", [F.PKCS_8, F.PKCS_1]),
        (ObjectType.PRIVATE_KEY, "pkcs1", [F.PKCS_1]),
        (ObjectType.PUBLIC_KEY, "spki", [F.X_509, F.TRANSPARENT_EC_PUBLIC_KEY]),
    ],
)
def test_a_key_has_the_digest_of_the_default_format_too(
    kms: TestKms, object_type: ObjectType, given: str, formats: list[KeyFormatType]
) -> None:
    """KMIP 2.1 §4.21: a mandatory instance with the default Key Format Type; OASIS TC-IMPEXP-4."""
    blocks = {
        "pkcs8": lambda: block(F.PKCS_8, private_der(rsa_key(), PrivateFormat.PKCS8), A.RSA, 2048),
        "pkcs1": lambda: block(
            F.PKCS_1, private_der(rsa_key(), PrivateFormat.TraditionalOpenSSL), A.RSA, 2048
        ),
        "spki": lambda: block(F.X_509, public_der(ec_key(), PublicFormat.SubjectPublicKeyInfo), A.EC, 256),
    }
    cls = PrivateKey if object_type is ObjectType.PRIVATE_KEY else PublicKey
    request = registration(object_type, cls(key_block=blocks[given]()), mask(SIGN))
    made = kms.call(request).unique_identifier
    digests = values(kms, made, Tag.DIGEST)
    assert [d.key_format_type for d in digests] == formats
    if given == "pkcs8":
        pkcs1 = private_der(rsa_key(), PrivateFormat.TraditionalOpenSSL)
        assert digests[1].digest_value == sha256(pkcs1).digest()


def private_keys() -> Iterator[KeyBlock]:
    """Yield a private key in every format that is read."""
    r, e, d = rsa_key().private_numbers(), ec_key().private_numbers(), dsa_key().private_numbers()
    yield block(F.PKCS_1, private_der(rsa_key(), PrivateFormat.TraditionalOpenSSL), A.RSA, 2048)
    yield block(F.PKCS_8, private_der(rsa_key(), PrivateFormat.PKCS8), A.RSA, 2048)
    yield block(F.PKCS_8, private_der(ec_key(), PrivateFormat.PKCS8), A.EC, 256)
    yield block(F.ECPRIVATEKEY, private_der(ec_key(), PrivateFormat.TraditionalOpenSSL), A.ECDSA, 256)
    spelt_rsa = TransparentRSAPrivateKey(
        modulus=r.public_numbers.n,
        private_exponent=r.d,
        public_exponent=r.public_numbers.e,
        p=r.p,
        q=r.q,
        prime_exponent_p=r.dmp1,
        prime_exponent_q=r.dmq1,
        crt_coefficient=r.iqmp,
    )
    yield block(F.TRANSPARENT_RSA_PRIVATE_KEY, spell_out(spelt_rsa), A.RSA, 2048)
    spelt_ec = TransparentECPrivateKey(recommended_curve=RecommendedCurve.P_256, d=e.private_value)
    yield block(F.TRANSPARENT_ECDSA_PRIVATE_KEY, spell_out(spelt_ec), A.ECDSA, 256)
    yield block(F.TRANSPARENT_EC_PRIVATE_KEY, spell_out(spelt_ec), A.EC, 256)
    group = d.public_numbers.parameter_numbers
    spelt_dsa = TransparentDSAPrivateKey(p=group.p, q=group.q, g=group.g, x=d.x)
    yield block(F.TRANSPARENT_DSA_PRIVATE_KEY, spell_out(spelt_dsa), A.DSA, 2048)


def public_keys() -> Iterator[KeyBlock]:
    """Yield a public key in every format that is read."""
    r, d = rsa_key().public_key().public_numbers(), dsa_key().public_key().public_numbers()
    yield block(F.PKCS_1, public_der(rsa_key(), PublicFormat.PKCS1), A.RSA, 2048)
    yield block(F.X_509, public_der(rsa_key(), PublicFormat.SubjectPublicKeyInfo), A.RSA, 2048)
    yield block(F.X_509, public_der(ec_key(), PublicFormat.SubjectPublicKeyInfo), A.ECDSA, 256)
    spelt_rsa = TransparentRSAPublicKey(modulus=r.n, public_exponent=r.e)
    yield block(F.TRANSPARENT_RSA_PUBLIC_KEY, spell_out(spelt_rsa), A.RSA, 2048)
    point = ec_key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    spelt_ec = TransparentECPublicKey(recommended_curve=RecommendedCurve.P_256, q_string=point)
    yield block(F.TRANSPARENT_ECDSA_PUBLIC_KEY, spell_out(spelt_ec), A.ECDSA, 256)
    yield block(F.TRANSPARENT_EC_PUBLIC_KEY, spell_out(spelt_ec), A.EC, 256)
    group = d.parameter_numbers
    spelt_dsa = TransparentDSAPublicKey(p=group.p, q=group.q, g=group.g, y=d.y)
    yield block(F.TRANSPARENT_DSA_PUBLIC_KEY, spell_out(spelt_dsa), A.DSA, 2048)


def symmetric_keys() -> Iterator[KeyBlock]:
    yield block(F.RAW, AES_128, A.AES, 128)
    yield block(F.OPAQUE, AES_128, A.AES, 128)
    spelt = TransparentSymmetricKey(key=SecretBytes(AES_128))
    yield block(F.TRANSPARENT_SYMMETRIC_KEY, spell_out(spelt), A.AES, 128)
    yield block(F.RAW, bytes(24), A.DES3, 192)
    yield block(F.RAW, bytes(20), A.HMAC_SHA1, 160)


def every_object() -> Iterator[Any]:
    """Yield (object type, object) of every object type in every format, named for the test's report."""
    for key_block in symmetric_keys():
        yield ObjectType.SYMMETRIC_KEY, SymmetricKey(key_block=key_block)
    for key_block in private_keys():
        yield ObjectType.PRIVATE_KEY, PrivateKey(key_block=key_block)
    for key_block in public_keys():
        yield ObjectType.PUBLIC_KEY, PublicKey(key_block=key_block)
    yield ObjectType.CERTIFICATE, certificate()
    yield ObjectType.CERTIFICATE_REQUEST, certificate_request()
    yield ObjectType.SECRET_DATA, password()
    yield ObjectType.OPAQUE_OBJECT, opaque()
    yield (
        ObjectType.PGP_KEY,
        PGPKey(pgp_key_version=3, key_block=block(F.RAW, b"pgp", A.RSA, 2048)),
    )
    yield (
        ObjectType.SPLIT_KEY,
        SplitKey(
            split_key_parts=3,
            key_part_identifier=1,
            split_key_threshold=2,
            split_key_method=SplitKeyMethod.XOR,
            key_block=block(F.RAW, AES_128, A.AES, 128),
        ),
    )


EVERY = [
    pytest.param(
        object_type,
        made,
        id=f"{object_type.name}-{getattr(getattr(made, 'key_block', None), 'key_format_type', '')!s}-{n}",
    )
    for n, (object_type, made) in enumerate(every_object())
]


UNTIL_1_4 = (F.TRANSPARENT_ECDSA_PRIVATE_KEY, F.TRANSPARENT_ECDSA_PUBLIC_KEY)


def since(object_type: ObjectType) -> Version:
    return {ObjectType.PGP_KEY: V1_4, ObjectType.CERTIFICATE_REQUEST: V2_1}.get(object_type, V1_4)


@pytest.mark.parametrize(("object_type", "made"), EVERY)
def test_get_returns_what_was_registered_as_it_was(
    kms: TestKms, object_type: ObjectType, made: ManagedObjectStruct
) -> None:
    """KMIP 2.1 §6.1.19: the server shall be able to return the key in the same format."""
    version = since(object_type)
    request = registration(object_type, made, mask(SIGN | VERIFY))
    identifier = kms.call(request, version=version).unique_identifier
    got = kms.call(GetRequest(unique_identifier=identifier), version=version)
    assert got.object_type is object_type
    assert got.managed_object == made
    key_format = getattr(getattr(made, "key_block", None), "key_format_type", None)
    if key_format is not None:
        if key_format not in UNTIL_1_4:
            assert value(kms, identifier, Tag.KEY_FORMAT_TYPE) is key_format
        asked = GetRequest(unique_identifier=identifier, key_format_type=key_format)
        assert kms.call(asked, version=version).managed_object == made


@pytest.mark.parametrize(("object_type", "made"), EVERY)
def test_what_is_registered_survives_a_restart(
    kms: TestKms, object_type: ObjectType, made: ManagedObjectStruct
) -> None:
    version = since(object_type)
    request = registration(object_type, made, mask(SIGN | VERIFY))
    identifier = kms.call(request, version=version).unique_identifier
    again = TestKms(kms.directory, clock=kms.clock)
    try:
        got = again.call(GetRequest(unique_identifier=identifier), version=version)
        assert got.managed_object == made
    finally:
        again.close()


@pytest.mark.parametrize(("object_type", "made"), EVERY)
def test_an_object_of_another_type_is_refused(
    kms: TestKms, object_type: ObjectType, made: ManagedObjectStruct
) -> None:
    """KMIP 1.4 §11.4: Object Type does not match type of cryptographic object provided."""
    wrong = ObjectType.OPAQUE_OBJECT
    if object_type is wrong:
        wrong = ObjectType.SYMMETRIC_KEY
    request = registration(wrong, made, mask(SIGN))
    key_format = getattr(getattr(made, "key_block", None), "key_format_type", None)
    if key_format not in UNTIL_1_4:
        assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_OBJECT_TYPE
    if since(object_type) == V1_4:
        assert refusal(kms, request).reason is ResultReason.INVALID_FIELD


def test_a_key_spelt_out_in_a_format_that_nobody_knows_is_refused(kms: TestKms) -> None:
    spelt = spell_out(TransparentSymmetricKey(key=SecretBytes(AES_128)))
    key_block = block(cast(KeyFormatType, 0x80000001), spelt, A.RSA, 2048)
    for kind, made in ((ObjectType.PUBLIC_KEY, PublicKey), (ObjectType.PRIVATE_KEY, PrivateKey)):
        found = refusal(kms, registration(kind, made(key_block=key_block), mask(SIGN))).reason
        assert found is ResultReason.INVALID_FIELD


def test_a_template_is_registered_in_1_x(kms: TestKms) -> None:
    """KMIP 1.4 §2.2.6."""
    made = Template(attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128)))
    identifier = kms.call(registration(ObjectType.TEMPLATE, made, named("t"))).unique_identifier
    got = kms.call(GetRequest(unique_identifier=identifier))
    assert got.object_type is ObjectType.TEMPLATE
    assert state_of(kms, identifier) is None


def test_algorithm_and_length_come_from_the_key_block(kms: TestKms) -> None:
    """KMIP 2.1 table 293: may be omitted only if encapsulated in the Key Block."""
    made = register_key(kms)
    assert value(kms, made, Tag.CRYPTOGRAPHIC_ALGORITHM) is A.AES
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 128


def test_algorithm_and_length_may_come_as_attributes(kms: TestKms) -> None:
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        SymmetricKey(key_block=block(F.RAW, AES_128)),
        mask(EVERY_USE),
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
    )
    made = kms.call(request).unique_identifier
    assert value(kms, made, Tag.CRYPTOGRAPHIC_ALGORITHM) is A.AES


def test_a_certificate_tells_its_attributes(kms: TestKms) -> None:
    """KMIP 1.4 §3.9-3.15: the server extracts them from the certificate."""
    made = kms.call(registration(ObjectType.CERTIFICATE, certificate(), mask(VERIFY))).unique_identifier
    assert value(kms, made, Tag.CERTIFICATE_TYPE) is CertificateType.X_509
    assert value(kms, made, Tag.CERTIFICATE_LENGTH) == len(certificate().certificate_value)
    subject = value(kms, made, Tag.X_509_CERTIFICATE_SUBJECT, version=V1_4)
    assert subject.subject_distinguished_name


def test_a_registered_object_is_pre_active_and_fresh(kms: TestKms) -> None:
    made = register_key(kms)
    assert state_of(kms, made) is State.PRE_ACTIVE
    assert value(kms, made, Tag.FRESH) is True
    assert value(kms, made, Tag.INITIAL_DATE) == kms.clock.now()


def test_the_client_may_say_that_an_object_is_not_fresh(kms: TestKms) -> None:
    """KMIP 2.1 §4.24: unless the client provides a False value in Register or Import."""
    made = register_key(kms, attribute(Tag.FRESH, value=False))
    assert value(kms, made, Tag.FRESH) is False


def test_a_registered_object_fills_the_id_placeholder(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.43."""
    _, got = kms.batch(registration(ObjectType.SECRET_DATA, password(), mask(VERIFY)), GetRequest())
    assert isinstance(got, GetResponse)
    assert got.managed_object == password()


def test_a_wrapped_key_is_kept_as_it_came(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.5: the Key Value of a wrapped key is a byte string."""
    wrapping = key(kms)
    made = kms.call(
        registration(ObjectType.SYMMETRIC_KEY, wrapped(wrapping), mask(EVERY_USE))
    ).unique_identifier
    got = kms.call(GetRequest(unique_identifier=made))
    assert got.managed_object == wrapped(wrapping)


def test_a_wrapped_key_is_linked_to_its_wrapping_key(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.43: the server shall create a Link attribute of Link Type Wrapping Key Link."""
    wrapping = key(kms)
    made = kms.call(
        registration(ObjectType.SYMMETRIC_KEY, wrapped(wrapping), mask(EVERY_USE))
    ).unique_identifier
    link = Link(link_type=LinkType.WRAPPING_KEY_LINK, linked_object_identifier=wrapping)
    assert values(kms, made, Tag.LINK) == [link]
    assert values(kms, made, Tag.LINK, version=V1_4) == []  # 1.x has no word for it


def wrapped(wrapping: UniqueIdentifier) -> SymmetricKey:
    return SymmetricKey(
        key_block=KeyBlock(
            key_format_type=F.RAW,
            key_value=SecretBytes(bytes(24)),
            cryptographic_algorithm=A.AES,
            cryptographic_length=128,
            key_wrapping_data=KeyWrappingData(
                wrapping_method=WrappingMethod.ENCRYPT,
                encryption_key_information=EncryptionKeyInformation(unique_identifier=wrapping),
            ),
        )
    )


def test_attributes_inside_the_key_value_are_attributes_of_the_object(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.4: a Key Value may hold attributes of the object."""
    inside = TemplateAttributes(attributes=template(named("inside")).attributes)
    made = raw_key()
    value_ = KeyValue(key_material=SecretBytes(AES_128), attributes=inside)
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        made.replace(key_block=made.key_block.replace(key_value=value_)),
        mask(EVERY_USE),
    )
    identifier = kms.call(request).unique_identifier
    assert [n.name_value for n in values(kms, identifier, Tag.NAME)] == ["inside"]


@pytest.mark.parametrize(
    "request_",
    [
        registration(ObjectType.SYMMETRIC_KEY, raw_key(cryptographic_length=256), mask(EVERY_USE)),
        registration(
            ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE), attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)
        ),
        registration(
            ObjectType.PRIVATE_KEY,
            PrivateKey(key_block=block(F.PKCS_8, b"not a key", A.RSA, 2048)),
            mask(SIGN),
        ),
        registration(
            ObjectType.CERTIFICATE,
            Certificate(certificate_type=CertificateType.X_509, certificate_value=b"no certificate"),
            mask(VERIFY),
        ),
    ],
    ids=["length of the block", "length attribute", "no private key", "no certificate"],
)
def test_material_that_contradicts_the_request_is_refused(kms: TestKms, request_: RegisterRequest) -> None:
    """KMIP 1.4 §11.4: incorrect attribute value(s) specified."""
    assert refusal(kms, request_).reason is ResultReason.INVALID_FIELD
    found = refusal(kms, request_, version=V2_1).reason
    assert found in (ResultReason.INVALID_FIELD, ResultReason.INVALID_ATTRIBUTE_VALUE)
    assert kms.call(LocateRequest()).unique_identifier == ()


def test_a_request_without_the_object_is_refused(kms: TestKms) -> None:
    request = RegisterRequest(object_type=ObjectType.SECRET_DATA, attributes=template(mask(VERIFY)))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_the_name_of_another_object_is_refused(kms: TestKms) -> None:
    key(kms, named("n"))
    request = registration(ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE), named("n"))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


@pytest.mark.parametrize(
    "given", [attribute(Tag.STATE, State.ACTIVE), attribute(Tag.UNIQUE_IDENTIFIER, "mine")], ids=str
)
def test_what_only_the_server_sets_is_refused(kms: TestKms, given: AttributeInstance) -> None:
    """The table of 2.1 has Attribute Read Only, where Create's has both words."""
    request = registration(ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE), given)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.ATTRIBUTE_READ_ONLY)


def test_another_owner_does_not_see_it(kms: TestKms) -> None:
    made = register_key(kms)
    assert refusal(kms, GetRequest(unique_identifier=made), caller=BOB).reason is (
        ResultReason.ITEM_NOT_FOUND
    )


@pytest.mark.parametrize("version", [V1_0, V2_1, V3_0], ids=str)
def test_every_version_registers_and_gets(kms: TestKms, version: Version) -> None:
    request = registration(ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE))
    registered, got = kms.batch(request, GetRequest(), version=version)
    assert not isinstance(registered, Refused)
    assert isinstance(got, GetResponse)
    assert got.managed_object == raw_key()
