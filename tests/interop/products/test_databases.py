"""Object stores and databases that are not in a family of their own."""

import os
from collections.abc import Callable

import pytest

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import (
    Field,
    Product,
    ask,
    attribute,
    attribute_reference,
    credential,
    key_block,
    name,
    symmetric_key,
    template,
)

Namer = Callable[[str], str]
CBC = (
    "CryptographicParameters",
    [("BlockCipherMode", "CBC"), ("PaddingMethod", "PKCS5"), ("CryptographicAlgorithm", "AES")],
)


def aes_256(*more: Field) -> Field:
    return template(
        attribute("Cryptographic Algorithm", "AES"),
        attribute("Cryptographic Length", 256),
        attribute("Cryptographic Usage Mask", 12),
        *more,
    )


def version_field(text: str) -> Field:
    major, minor = text.split(".")
    return (
        "ProtocolVersion",
        [("ProtocolVersionMajor", int(major)), ("ProtocolVersionMinor", int(minor))],
    )


def test_scality_shakes_hands_and_encrypts_with_a_key_per_bucket(
    endpoint: Endpoint, fresh_name: Namer
) -> None:
    offered = [version_field(text) for text in ("1.4", "1.3", "1.2")]
    with Product(endpoint, version="1.4", batch_id_size=4) as cloudserver:
        assert cloudserver.ok("DiscoverVersions", *offered) == offered
        cloudserver.ok("Query", ("QueryFunction", "QueryExtensionMap"))
        assert cloudserver.ok("Query", ("QueryFunction", "QueryServerInformation")).one(
            "VendorIdentification"
        )
        probed = cloudserver.ok(
            "Query", ("QueryFunction", "QueryOperations"), ("QueryFunction", "QueryObjects")
        )
        needed = {
            "Create",
            "Activate",
            "Encrypt",
            "Decrypt",
            "DiscoverVersions",
            "Revoke",
            "Destroy",
            "Query",
        }
        assert needed <= set(probed.all("Operation"))
        assert "SymmetricKey" in probed.all("ObjectType")

        made = cloudserver.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            aes_256(attribute("x-Bucket-Name", fresh_name("bucket"))),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        assert cloudserver.ok("Activate", key) == [key]
        data_key, vector = os.urandom(32), ("IVCounterNonce", bytes(16))
        sealed = cloudserver.ok("Encrypt", key, CBC, ("Data", data_key), vector)
        assert sealed.one("UniqueIdentifier") == key[1]
        opened = cloudserver.ok("Decrypt", key, CBC, ("Data", sealed.one("Data")), vector)
        assert opened.one("UniqueIdentifier") == key[1]
        assert opened.one("Data") == data_key
        reason = [
            ("RevocationReasonCode", "CessationOfOperation"),
            ("RevocationMessage", "About to be deleted"),
        ]
        assert cloudserver.ok("Revoke", key, ("RevocationReason", reason)) == [key]
        assert cloudserver.ok("Destroy", key) == [key]


def scylla_filters(namespace: str) -> list[Field]:
    return [
        attribute("Object Type", "SymmetricKey"),
        attribute("Cryptographic Algorithm", "AES"),
        attribute("Cryptographic Length", 256),
        attribute("State", "Active"),
        attribute("Cryptographic Usage Mask", 12),
        attribute("x-key-namespace", namespace),
    ]


def test_scylla_makes_one_key_for_a_namespace_and_finds_it_again(
    endpoint: Endpoint, fresh_name: Namer
) -> None:
    namespace = fresh_name("keyspace")
    with Product(endpoint, version="1.4", header=[credential("scylla", "password")]) as scylla:
        scylla.ok("Query", ("QueryFunction", "QueryOperations"), ("QueryFunction", "QueryObjects"))
        filters = scylla_filters(namespace)
        assert scylla.ok("Locate", ("MaximumItems", 1), *filters).all("UniqueIdentifier") == []
        made = scylla.ok(
            "Create", ("ObjectType", "SymmetricKey"), aes_256(attribute("x-key-namespace", namespace))
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        assert scylla.ok("Locate", ("MaximumItems", 1), *filters).all("UniqueIdentifier") == []
        scylla.ok("Activate", key)
        assert scylla.ok("Locate", ("MaximumItems", 1), *filters).all("UniqueIdentifier") == [key[1]]
        got, read = scylla.batch(
            ask("Get", key, ("KeyFormatType", "Raw")),
            ask("GetAttributes", key),
            header=[("BatchOrderOption", True)],
        )
        assert len(got.fields().path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32
        attributes = read.fields().attributes()
        assert attributes["x-key-namespace"] == namespace
        assert attributes["Cryptographic Length"] == 256


def test_old_scylla_misspells_two_attributes_and_finds_nothing(endpoint: Endpoint, fresh_name: Namer) -> None:
    """A filter that the server does not know matches nothing; it is no failure, and never everything."""
    with Product(endpoint, version="1.4") as scylla:
        made = scylla.ok("Create", ("ObjectType", "SymmetricKey"), aes_256())
        scylla.ok("Activate", ("UniqueIdentifier", made.one("UniqueIdentifier")))
        found = scylla.ok("Locate", attribute("State", "Active"), attribute("CryptographicLength", 256))
        assert found.all("UniqueIdentifier") == []


def test_datastax_lists_expires_and_destroys_keys(endpoint: Endpoint, fresh_name: Namer) -> None:
    """Its tools list name, cipher, state, dates and namespace, and expire a key with Protect Stop Date."""
    namespace, label = fresh_name("dse"), fresh_name("table")
    listed = (
        "Name",
        "Cryptographic Algorithm",
        "Cryptographic Length",
        "State",
        "Activation Date",
        "Initial Date",
        "Protect Stop Date",
        "x-key-namespace",
    )
    with Product(endpoint, version="1.1") as dse:
        made = dse.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            aes_256(attribute("Name", name(label)), attribute("x-key-namespace", namespace)),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        dse.ok("Activate", key)
        activated = dse.ok("GetAttributes", key, *(("AttributeName", each) for each in listed)).attributes()
        assert set(activated) == set(listed) - {"Protect Stop Date"}
        stop = activated["Activation Date"] + 3600
        dse.ok("AddAttribute", key, attribute("Protect Stop Date", stop))
        expired = dse.ok("GetAttributes", key, ("AttributeName", "Protect Stop Date"))
        assert expired.attributes() == {"Protect Stop Date": stop}
        assert dse.ok("Locate", attribute("x-key-namespace", namespace)).all("UniqueIdentifier") == [key[1]]
        dse.ok("Revoke", key, ("RevocationReason", [("RevocationReasonCode", "Superseded")]))
        dse.ok("Destroy", key)


def test_couchbase_uses_a_key_on_the_server_or_gets_it(endpoint: Endpoint) -> None:
    """A setting of Couchbase chooses between Get and Encrypt/Decrypt."""
    data_key, vector = os.urandom(32), ("IVCounterNonce", os.urandom(16))
    with Product(endpoint, version="1.4") as couchbase:
        made = couchbase.ok("Create", ("ObjectType", "SymmetricKey"), aes_256())
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        couchbase.ok("Activate", key)
        sealed = couchbase.ok("Encrypt", key, CBC, ("Data", data_key), vector).one("Data")
        assert couchbase.ok("Decrypt", key, CBC, ("Data", sealed), vector).one("Data") == data_key
        assert couchbase.ok("Get", key).one("ObjectType") == "SymmetricKey"


def test_db2_inserts_a_master_key_and_uses_its_label(endpoint: Endpoint, fresh_name: Namer) -> None:
    label = attribute("Name", name(fresh_name("SYSTEM.DB2.MASTER.KEY")))
    material = os.urandom(32)
    with Product(endpoint, version="1.1") as db2:
        assert db2.ok("Locate", label).all("UniqueIdentifier") == []
        inserted = db2.ok("Register", ("ObjectType", "SymmetricKey"), aes_256(label), symmetric_key(material))
        key = ("UniqueIdentifier", inserted.one("UniqueIdentifier"))
        assert db2.ok("Locate", label).all("UniqueIdentifier") == [key[1]]
        assert db2.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial") == material


def test_informix_sends_a_credential_beside_its_certificate(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.1", header=[credential("informix", "password")]) as informix:
        made = informix.ok("Create", ("ObjectType", "SymmetricKey"), aes_256())
        assert informix.ok("Get", ("UniqueIdentifier", made.one("UniqueIdentifier"))).one("SymmetricKey")


def test_iris_speaks_2_0(endpoint: Endpoint, fresh_name: Namer) -> None:
    """InterSystems IRIS: create, list, activate for use and Get, with the Attributes of 2.x."""
    label = fresh_name("iris")
    with Product(endpoint, version="2.0") as iris:
        made = iris.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            (
                "Attributes",
                [
                    ("CryptographicAlgorithm", "AES"),
                    ("CryptographicLength", 256),
                    ("CryptographicUsageMask", 12),
                    ("Name", name(label)),
                ],
            ),
        )
        assert made.names() == ["ObjectType", "UniqueIdentifier"]
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        found = iris.ok("Locate", ("Attributes", [("Name", name(label))]))
        assert found.all("UniqueIdentifier") == [key[1]]
        assert iris.ok("Activate", key) == [key]
        read = iris.ok("GetAttributes", key, ("AttributeReference", attribute_reference("State")))
        assert read.path("Attributes", "State") == "Active"
        assert len(iris.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32


@pytest.mark.parametrize("kind", ["symmetric", "secret", "opaque"])
def test_the_oracle_key_vault_sdk_keeps_objects_of_many_types(
    endpoint: Endpoint, fresh_name: Namer, kind: str
) -> None:
    content = os.urandom(32)
    objects: dict[str, tuple[str, Field, list[Field]]] = {
        "symmetric": ("SymmetricKey", symmetric_key(content), [attribute("Cryptographic Usage Mask", 12)]),
        "secret": (
            "SecretData",
            ("SecretData", [("SecretDataType", "Password"), key_block("Raw", content)]),
            [attribute("Cryptographic Usage Mask", 0x40)],
        ),
        "opaque": (
            "OpaqueObject",
            ("OpaqueObject", [("OpaqueDataType", 0x80000001), ("OpaqueDataValue", content)]),
            [],
        ),
    }
    object_type, managed_object, attributes = objects[kind]
    label = attribute("Name", name(fresh_name(kind)))
    with Product(endpoint, version="1.1") as sdk:
        sdk.ok("Query", ("QueryFunction", "QueryOperations"))
        registered = sdk.ok(
            "Register", ("ObjectType", object_type), template(label, *attributes), managed_object
        )
        key = ("UniqueIdentifier", registered.one("UniqueIdentifier"))
        assert sdk.ok("Locate", label).all("UniqueIdentifier") == [key[1]]
        returned = sdk.ok("Get", key)
        assert returned.one("ObjectType") == object_type
        assert managed_object[0] in returned.names()
        sdk.ok("AddAttribute", key, attribute("x-Wallet", "wallet-1"))
        sdk.ok("ModifyAttribute", key, attribute("x-Wallet", "wallet-2", index=0))
        changed = sdk.ok("GetAttributes", key, ("AttributeName", "x-Wallet"))
        assert changed.attributes() == {"x-Wallet": "wallet-2"}
        deleted = sdk.ok("DeleteAttribute", key, ("AttributeName", "x-Wallet"), ("AttributeIndex", 0))
        assert deleted.attributes() == {"x-Wallet": "wallet-2"}
        assert "x-Wallet" not in sdk.ok("GetAttributeList", key).all("AttributeName")
        sdk.ok("Destroy", key)


def test_the_oracle_key_vault_sdk_rotates_a_key(endpoint: Endpoint, fresh_name: Namer) -> None:
    label = attribute("Name", name(fresh_name("tde")))
    with Product(endpoint, version="1.1") as sdk:
        made = sdk.ok("Create", ("ObjectType", "SymmetricKey"), aes_256(label))
        old = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        sdk.ok("Activate", old)
        new = sdk.ok("ReKey", old).one("UniqueIdentifier")
        assert sdk.ok("Locate", label).all("UniqueIdentifier") == [new]
