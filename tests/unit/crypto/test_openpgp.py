"""PGP keys and certificates: read where the library is installed, kept as they came where it is not."""

import time
from pathlib import Path

import pytest

from strongroom.crypto import openpgp
from strongroom.crypto.certificates.names import MAXIMUM_ALTERNATIVE_NAMES
from strongroom.crypto.openpgp import MAXIMUM, examine_pgp_certificate, examine_pgp_key
from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PGPKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    DigitalSignatureAlgorithm,
    KeyFormatType,
    Tag,
)

pysequoia = pytest.importorskip("pysequoia", reason="an extra: pip install 'strongroom[pgp]'")

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


def packets(data: bytes) -> list[bytes]:
    """Return the packets of a small key, whose lengths have one or two bytes (RFC 9580 §4.2.1)."""
    found = []
    while data:
        first = data[1]
        end = 2 + first if first < 192 else 3 + ((first - 192) << 8) + data[2] + 192
        found.append(data[:end])
        data = data[end:]
    return found


def test_a_key_that_takes_long_to_read_keeps_nobody() -> None:
    """Each signature is of another name, so the library tries it on every one, and keeps the interpreter."""
    key = bytes(pysequoia.Tsk.generate(user_ids=["A"]).extract_certificate())
    primary, direct, _, signature, *_ = packets(key)
    names = (b"name %d" % number for number in range(4500))
    costly = primary + direct + b"".join(bytes([0xCD, len(n)]) + n + signature for n in names)
    assert len(costly) <= MAXIMUM
    before = time.process_time()
    with pytest.raises(InvalidField, match="reasonable time"):
        examine_pgp_key(costly, 4)
    assert time.process_time() - before < 1


def test_the_user_ids_of_a_certificate_are_bounded() -> None:
    primary, direct, *_ = packets(bytes(pysequoia.Tsk.generate(user_ids=["A"]).extract_certificate()))
    names = (b"%d" % number for number in range(MAXIMUM_ALTERNATIVE_NAMES + 1))
    many = primary + direct + b"".join(bytes([0xCD, len(n)]) + n for n in names)
    with pytest.raises(ServerLimitExceeded, match="alternative names"):
        examine_pgp_certificate(many)


def test_a_reader_that_gets_nowhere_is_given_up(monkeypatch: pytest.MonkeyPatch, public: bytes) -> None:
    monkeypatch.setattr(openpgp, "_PATIENCE", 0.001)
    with pytest.raises(InvalidField, match="reasonable time"):
        examine_pgp_key(public, 4)


def test_what_the_reader_says_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error keeps neither what it was given nor what the reader had to say."""
    reader = tmp_path / "reader.py"
    reader.write_text("import sys; sys.exit(sys.stdin.read())")
    monkeypatch.setattr(openpgp, "_READER", reader)
    with pytest.raises(InvalidField) as refused:
        examine_pgp_key(b"a secret", 4)
    assert refused.value.__cause__ is None
    assert "a secret" not in str(refused.value)
