"""One object of every kind that clients keep, and all that a server shows of what a client has.

Rule: only what the client library had from the first schema on, since the program that makes the old data
directories of the tests runs this on old releases, too (`tools/make_upgrade_sample.py`). What is compared is
plain data, which JSON can hold.
"""

import datetime as dt
import hashlib
from enum import Enum
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom import Client
from strongroom.client.attributes import attribute
from strongroom.client.errors import ObjectDestroyed
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    RecommendedCurve,
    RevocationReasonCode,
    StorageStatusMask,
    Tag,
)

EVERYWHERE: Final = StorageStatusMask.ON_LINE_STORAGE | StorageStatusMask.DESTROYED_STORAGE

FORMATS: Final = {ObjectType.PRIVATE_KEY: KeyFormatType.PKCS_8, ObjectType.PUBLIC_KEY: KeyFormatType.X_509}
"""What an asymmetric key is asked for in; the default may be numbers."""

Inventory = dict[str, dict[str, Any]]
"""What a server shows, by Unique Identifier: attributes by tag, and a digest of the material."""


def populate(client: Client, prefix: str = "kept") -> None:
    """Make an object of each type, and one in each state that lasts."""
    client.create_symmetric_key(name=f"{prefix}-pre-active")
    active = client.create_symmetric_key(name=f"{prefix}-active")
    client.activate(active)
    client.add_attribute(active, attribute(Tag.OBJECT_GROUP, f"{prefix}-group"))
    client.add_attribute(active, attribute(Tag.CONTACT_INFORMATION, "büro ☎ 1"))
    client.re_key(active)
    client.create_key_pair(
        cryptographic_algorithm=CryptographicAlgorithm.ECDSA,
        cryptographic_length=None,
        recommended_curve=RecommendedCurve.P_256,
        private_key_name=f"{prefix}-private",
        public_key_name=f"{prefix}-public",
    )
    pkcs8, certificate = _certificate()
    client.register_private_key(
        pkcs8,
        cryptographic_algorithm=CryptographicAlgorithm.EC,
        cryptographic_length=256,
        cryptographic_usage_mask=CryptographicUsageMask.SIGN,
    )
    client.register_certificate(certificate, name=f"{prefix}-certificate")
    client.register_symmetric_key(known(f"{prefix} key"), name=f"{prefix}-registered")
    client.register_secret_data(known(f"{prefix} password"), name=f"{prefix}-password")
    client.register_opaque_object(known(f"{prefix} opaque") * 100, name=f"{prefix}-opaque")
    for fate in ("revoked", "compromised", "destroyed"):
        key = client.create_symmetric_key(name=f"{prefix}-{fate}")
        client.activate(key)
        reason = RevocationReasonCode.CESSATION_OF_OPERATION
        if fate == "compromised":
            reason = RevocationReasonCode.KEY_COMPROMISE
        client.revoke(key, revocation_reason_code=reason)
        if fate == "destroyed":
            client.destroy(key)


def known(name: str) -> bytes:
    """Return 32 bytes that can be looked for."""
    return hashlib.sha256(f"known: {name}".encode()).digest()


def inventory(client: Client) -> Inventory:
    """Return everything that a client can see of its objects."""
    found: Inventory = {}
    for identifier in client.locate(storage_status_mask=EVERYWHERE):
        (kind,) = client.get_attributes(identifier, Tag.OBJECT_TYPE)
        try:
            # Before the attributes, since the first Get changes one of them.
            opened = client.get_material(identifier, key_format_type=FORMATS.get(kind.value))
            material = hashlib.sha256(opened.reveal()).hexdigest()
        except ObjectDestroyed:
            material = None
        attributes: dict[str, list[Any]] = {}
        for key, value, _ in client.get_attributes(identifier):
            if key is not Tag.LEASE_TIME:
                attributes.setdefault(getattr(key, "name", str(key)), []).append(plain(value))
        found[str(identifier)] = {"attributes": attributes, "material": material}
    return found


def plain(value: Any) -> Any:
    """Return a value of an attribute as plain data."""
    match value:
        case Enum():
            return value.name if value.name is not None else value.value
        case dt.datetime():
            return value.isoformat()
        case SecretBytes():
            return value.reveal().hex()
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(entry) for entry in value]
        case None | bool() | int() | str():
            return value
    names = [field.name for field in type(value).fields]
    return {name: plain(getattr(value, name)) for name in names if getattr(value, name) is not None}


def _certificate() -> tuple[bytes, bytes]:
    """Return a private key (PKCS#8) and a certificate of it, both in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kept")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=20 * 365))
        .sign(key, hashes.SHA256())
    )
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return pkcs8, certificate.public_bytes(Encoding.DER)
