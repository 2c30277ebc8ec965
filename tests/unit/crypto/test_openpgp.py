"""PGP keys and certificates: read where the library is installed, kept as they came where it is not."""

import pytest

from strongroom.crypto import openpgp
from strongroom.crypto.openpgp import MAXIMUM, examine_pgp_certificate, examine_pgp_key
from strongroom.domain.errors import InvalidField
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PGPKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    DigitalSignatureAlgorithm,
    KeyFormatType,
    Tag,
)

pysequoia = pytest.importorskip("pysequoia")

BROKEN = [
    b"",
    b"\x00" * 50,
    b"anything",
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n",
    bytes(MAXIMUM + 1),
]


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


def test_a_key_tells_what_it_is_signed_with(secret: bytes, public: bytes, armored: bytes) -> None:
    signed = (
        AttributeInstance(
            Tag.DIGITAL_SIGNATURE_ALGORITHM, DigitalSignatureAlgorithm.SHA_512_WITH_RSA_ENCRYPTION
        ),
    )
    for data in (secret, public, armored):
        assert examine_pgp_key(data, 4) == signed


def test_a_certificate_tells_its_user_ids_and_who_signed_it(public: bytes) -> None:
    """KMIP 1.4 §3.13 and §3.14."""
    found = {a.key: a.value for a in examine_pgp_certificate(public)}
    subject = found[Tag.CERTIFICATE_SUBJECT]
    assert subject.certificate_subject_distinguished_name == "A <a@b.example>"
    assert subject.certificate_subject_alternative_name == ("B <b@b.example>",)
    fingerprint = pysequoia.Cert.split_bytes(public)[0].fingerprint
    assert found[Tag.CERTIFICATE_IDENTIFIER].issuer == fingerprint[-16:].upper()
    assert found[Tag.CERTIFICATE_IDENTIFIER].serial_number is None


@pytest.mark.parametrize("bad", BROKEN)
def test_malformed_material_is_refused(bad: bytes) -> None:
    with pytest.raises(InvalidField):
        examine_pgp_key(bad, 4)
    with pytest.raises(InvalidField):
        examine_pgp_certificate(bad)


def test_a_truncated_key_is_refused(secret: bytes, armored: bytes) -> None:
    for bad in (secret[:-10], armored[: len(armored) // 2], secret + b"\xff\xff"):
        with pytest.raises(InvalidField):
            examine_pgp_key(bad, 4)


def test_the_version_is_that_of_the_key(secret: bytes) -> None:
    with pytest.raises(InvalidField):
        examine_pgp_key(secret, 6)


def test_a_version_that_the_library_does_not_read_is_kept_as_it_came() -> None:
    assert examine_pgp_key(b"anything", 3) == ()


def test_without_the_library_everything_is_kept_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openpgp, "INSTALLED", False)
    assert examine_pgp_key(b"anything", 4) == ()
    assert examine_pgp_certificate(b"anything") == ()
