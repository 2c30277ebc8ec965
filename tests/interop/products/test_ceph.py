"""Ceph and Kubernetes storage: RADOS Gateway on 1.0, ceph-csi and Rook on 1.4 with a handshake."""

import os
from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import (
    Field,
    Product,
    attribute,
    credential,
    name,
    symmetric_key,
    template,
    timestamp,
)

Namer = Callable[[str], str]
CBC = (
    "CryptographicParameters",
    [("BlockCipherMode", "CBC"), ("PaddingMethod", "PKCS5"), ("CryptographicAlgorithm", "AES")],
)
GCM = (
    "CryptographicParameters",
    [("BlockCipherMode", "GCM"), ("CryptographicAlgorithm", "AES"), ("TagLength", 16)],
)


def aes_256(*more: Field) -> Field:
    return template(
        attribute("Cryptographic Algorithm", "AES"),
        attribute("Cryptographic Length", 256),
        attribute("Cryptographic Usage Mask", 12),
        *more,
    )


def handshake(session: Product) -> None:
    """ceph-csi and Rook accept one version only, the one that they asked for."""
    wanted = [("ProtocolVersionMajor", 1), ("ProtocolVersionMinor", 4)]
    answer = session.ok("DiscoverVersions", ("ProtocolVersion", wanted))
    assert answer == [("ProtocolVersion", wanted)]


def test_rados_gateway_gets_its_key_by_name(endpoint: Endpoint, fresh_name: Namer) -> None:
    label, material = fresh_name("rgw-bucket"), os.urandom(32)
    with Product(endpoint, version="1.0") as operator:
        operator.ok(
            "Register",
            ("ObjectType", "SymmetricKey"),
            aes_256(attribute("Name", name(label))),
            symmetric_key(material),
        )
    header = [("MaximumResponseSize", 65536), timestamp(), credential("rgw", "secret")]
    with Product(endpoint, version="1.0", header=header) as gateway:
        found = gateway.ok("Locate", attribute("Name", name(label))).all("UniqueIdentifier")
        assert len(found) == 1
        block = gateway.ok("Get", ("UniqueIdentifier", found[0])).path("SymmetricKey", "KeyBlock")
        assert block.one("KeyFormatType") == "Raw"
        assert block.path("KeyValue", "KeyMaterial") == material
        assert gateway.ok("Locate", attribute("Name", name(label[:-1]))).all("UniqueIdentifier") == []


def test_ceph_csi_wraps_a_volume_key(endpoint: Endpoint) -> None:
    passphrase, vector = os.urandom(40), os.urandom(16)
    with Product(endpoint, version="1.4", batch_id_size=16) as csi:
        handshake(csi)
        key = (
            "UniqueIdentifier",
            csi.ok("Create", ("ObjectType", "SymmetricKey"), aes_256()).one("UniqueIdentifier"),
        )
        csi.ok("Activate", key)
        sealed = csi.ok("Encrypt", key, CBC, ("Data", passphrase), ("IVCounterNonce", vector))
        opened = csi.ok("Decrypt", key, CBC, ("Data", sealed.one("Data")), ("IVCounterNonce", vector))
        assert opened.one("Data") == passphrase


def test_rook_registers_gets_and_destroys_without_activating(endpoint: Endpoint, fresh_name: Namer) -> None:
    material = os.urandom(32)
    with Product(endpoint, version="1.4", batch_id_size=16) as rook:
        handshake(rook)
        registered = rook.ok(
            "Register",
            ("ObjectType", "SymmetricKey"),
            aes_256(attribute("Name", name(fresh_name("rook-ceph-osd")))),
            symmetric_key(material),
        )
        assert registered.names() == ["UniqueIdentifier"]
        key = ("UniqueIdentifier", registered.one("UniqueIdentifier"))
        got = rook.ok("Get", key)
        assert got.path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial") == material
        rook.ok("Destroy", key)


def test_the_nvmeof_gateway_keeps_one_connection_for_every_get(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.2") as gateway:
        made = gateway.ok("Create", ("ObjectType", "SymmetricKey"), aes_256())
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        first = gateway.ok("Get", key)
        assert all(gateway.ok("Get", key) == first for _ in range(10))


def test_the_kubernetes_kms_plugin_encrypts_with_gcm(endpoint: Endpoint) -> None:
    data_key, nonce = os.urandom(32), os.urandom(12)
    with Product(endpoint, version="1.4") as plugin:
        made = plugin.ok("Create", ("ObjectType", "SymmetricKey"), aes_256())
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        plugin.ok("Activate", key)
        sealed = plugin.ok("Encrypt", key, GCM, ("Data", data_key), ("IVCounterNonce", nonce))
        tag = ("AuthenticatedEncryptionTag", sealed.one("AuthenticatedEncryptionTag"))
        assert len(tag[1]) == 16
        data, iv = ("Data", sealed.one("Data")), ("IVCounterNonce", nonce)
        assert plugin.ok("Decrypt", key, GCM, data, iv, tag).one("Data") == data_key
        forged = ("AuthenticatedEncryptionTag", bytes(16))
        refused = plugin.try_("Decrypt", key, GCM, data, iv, forged)
        assert (refused.status, refused.reason) == ("OperationFailed", "CryptographicFailure")
