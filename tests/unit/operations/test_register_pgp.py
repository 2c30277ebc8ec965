"""Register of PGP keys and certificates, with the library that reads them."""

import pytest

from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, PGPKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    CertificateType,
    DigitalSignatureAlgorithm,
    KeyFormatType,
    ObjectType,
    ResultReason,
    Tag,
)
from tests.expect import mask, refusal, registration, value, values
from tests.kms import TestKms

pysequoia = pytest.importorskip("pysequoia", reason="an extra: pip install 'strongroom[pgp]'")


@pytest.fixture(scope="module")
def secret() -> bytes:
    key = pysequoia.Tsk.generate(
        user_ids=["A <a@b.example>", "B <b@b.example>"], cipher_suite=pysequoia.CipherSuite.RSA2k
    )
    return bytes(key)


@pytest.fixture(scope="module")
def public(secret: bytes) -> bytes:
    return bytes(pysequoia.Tsk.from_bytes(secret).extract_certificate())


@pytest.fixture(scope="module")
def armored(secret: bytes) -> bytes:
    return str(pysequoia.Tsk.from_bytes(secret).extract_certificate()).encode()


def pgp_key(data: bytes, version: int = 4) -> PGPKey:
    return PGPKey(
        pgp_key_version=version,
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=SecretBytes(data))
        ),
    )


def test_a_pgp_key_is_registered_with_what_it_tells(kms: TestKms, armored: bytes) -> None:
    request = registration(ObjectType.PGP_KEY, pgp_key(armored), mask(0))  # type: ignore[arg-type]
    made = kms.call(request, version=V1_4).unique_identifier
    algorithm = DigitalSignatureAlgorithm.SHA_512_WITH_RSA_ENCRYPTION
    assert values(kms, made, Tag.DIGITAL_SIGNATURE_ALGORITHM) == [algorithm]
    broken = registration(ObjectType.PGP_KEY, pgp_key(b"anything"), mask(0))  # type: ignore[arg-type]
    assert refusal(kms, broken, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_a_pgp_certificate_is_registered_with_what_it_tells(kms: TestKms, public: bytes) -> None:
    certificate = Certificate(certificate_type=CertificateType.PGP, certificate_value=public)
    made = kms.call(registration(ObjectType.CERTIFICATE, certificate), version=V1_0).unique_identifier
    subject = value(kms, made, Tag.CERTIFICATE_SUBJECT, version=V1_0)
    assert subject.certificate_subject_distinguished_name == "A <a@b.example>"
    assert value(kms, made, Tag.CERTIFICATE_LENGTH, version=V1_4) == len(public)
    assert value(kms, made, Tag.X_509_CERTIFICATE_SUBJECT) is None
