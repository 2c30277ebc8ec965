"""OpenStack Barbican: KMIP 1.2 through PyKMIP, a connection per call, never Activate, never Revoke."""

import datetime
import os
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import (
    Field,
    Product,
    attribute,
    credential,
    key_block,
    secret_data,
    symmetric_key,
    template,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_2048 = (("CryptographicAlgorithm", "RSA"), ("CryptographicLength", 2048))


def barbican(endpoint: Endpoint) -> Product:
    return Product(
        endpoint, version="1.2", header=[credential("barbican", "password")], connection_per_request=True
    )


@pytest.mark.parametrize(
    ("algorithm", "length"), [("AES", 256), ("AES", 128), ("DES3", 192), ("HMAC_SHA256", 256)]
)
def test_barbican_creates_gets_and_destroys_a_key_that_is_pre_active(
    endpoint: Endpoint, algorithm: str, length: int
) -> None:
    service = barbican(endpoint)
    made = service.ok(
        "Create",
        ("ObjectType", "SymmetricKey"),
        template(
            attribute("Cryptographic Algorithm", algorithm),
            attribute("Cryptographic Length", length),
            attribute("Cryptographic Usage Mask", 0x0C),
        ),
    )
    key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
    assert service.ok("Get", key).path("SymmetricKey", "KeyBlock", "CryptographicLength") == length
    assert service.ok("Destroy", key) == [key]


def test_barbican_creates_an_rsa_pair(endpoint: Endpoint) -> None:
    service = barbican(endpoint)
    made = service.ok(
        "CreateKeyPair",
        (
            "CommonTemplateAttribute",
            [attribute("Cryptographic Algorithm", "RSA"), attribute("Cryptographic Length", 2048)],
        ),
        ("PrivateKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x09)]),
        ("PublicKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x06)]),
    )
    for half in ("PrivateKey", "PublicKey"):
        key = ("UniqueIdentifier", made.one(f"{half}UniqueIdentifier"))
        assert service.ok("Get", key).one("ObjectType") == half
        service.ok("Destroy", key)


def certificate() -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "barbican")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365))
        .sign(KEY, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.DER)


def private(form: serialization.PrivateFormat) -> bytes:
    return KEY.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def public(form: serialization.PublicFormat) -> bytes:
    return KEY.public_key().public_bytes(serialization.Encoding.DER, form)


OBJECTS: dict[str, Field] = {
    "symmetric": symmetric_key(os.urandom(32)),
    "private as PKCS#8": (
        "PrivateKey",
        [key_block("PKCS_8", private(serialization.PrivateFormat.PKCS8), *RSA_2048)],
    ),
    "private as PKCS#1": (
        "PrivateKey",
        [key_block("PKCS_1", private(serialization.PrivateFormat.TraditionalOpenSSL), *RSA_2048)],
    ),
    "public as X.509": (
        "PublicKey",
        [key_block("X_509", public(serialization.PublicFormat.SubjectPublicKeyInfo), *RSA_2048)],
    ),
    "public as PKCS#1": (
        "PublicKey",
        [key_block("PKCS_1", public(serialization.PublicFormat.PKCS1), *RSA_2048)],
    ),
    "certificate": ("Certificate", [("CertificateType", "X_509"), ("CertificateValue", certificate())]),
    "password": secret_data("Password", b"p4ssw0rd"),
    "opaque": ("OpaqueObject", [("OpaqueDataType", 0x80000000), ("OpaqueDataValue", b"\x00opaque")]),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_barbican_gets_back_what_it_registered(
    endpoint: Endpoint, fresh_name: Callable[[str], str], kind: str
) -> None:
    service = barbican(endpoint)
    sent = OBJECTS[kind]
    attributes = [] if kind == "opaque" else [attribute("Cryptographic Usage Mask", 0x0C)]
    registered = service.ok("Register", ("ObjectType", sent[0]), template(*attributes), sent)
    key = ("UniqueIdentifier", registered.one("UniqueIdentifier"))
    returned = service.ok("Get", key)
    assert returned.one("ObjectType") == sent[0]
    content = dict(returned.one(sent[0]))
    for title, value in sent[1]:
        if title == "KeyBlock":
            expected = dict(value)
            assert content[title].one("KeyFormatType") == expected["KeyFormatType"]
            assert content[title].one("KeyValue") == expected["KeyValue"]
        elif isinstance(value, bytes):
            assert content[title] == value
    service.ok("Destroy", key)
