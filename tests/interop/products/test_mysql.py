"""The MySQL family: keyring_okv under 1.1, keyring_kmip that changes its version with every call."""

import os
from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import (
    Product,
    ask,
    attribute,
    name,
    secret_data,
    symmetric_key,
    template,
)

Namer = Callable[[str], str]
RESPONSE_LIMIT = ("MaximumResponseSize", 8192)


def test_keyring_okv_lets_the_server_make_the_key(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.1") as okv:
        made = okv.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 0x83C),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        okv.ok("Activate", key)
        assert len(okv.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32
        okv.ok("Revoke", key, ("RevocationReason", [("RevocationReasonCode", "CessationOfOperation")]))
        okv.ok("Destroy", key)


def test_keyring_kmip_speaks_two_versions_on_one_connection(endpoint: Endpoint, fresh_name: Namer) -> None:
    """Register and GetAttributes under 1.4, the rest under 1.0 (libkmip refuses more than 8192 bytes)."""
    group = attribute("Object Group", fresh_name("group"))
    keys = {fresh_name("innodb"): os.urandom(32) for _ in range(3)}
    with Product(endpoint, version="1.0", header=[RESPONSE_LIMIT]) as keyring:
        for label, material in keys.items():
            stored = keyring.ok(
                "Register",
                ("ObjectType", "SymmetricKey"),
                template(
                    attribute("Cryptographic Algorithm", "AES"),
                    attribute("Cryptographic Length", 256),
                    attribute("Cryptographic Usage Mask", 12),
                    attribute("Name", name(label)),
                    group,
                ),
                symmetric_key(material),
                version="1.4",
            )
            keyring.ok("Activate", ("UniqueIdentifier", stored.one("UniqueIdentifier")))

        found = keyring.ok(
            "Locate", ("MaximumItems", 16), attribute("Object Type", "SymmetricKey"), group
        ).all("UniqueIdentifier")
        assert len(found) == 3
        read = {}
        for identifier in found:
            key = ("UniqueIdentifier", identifier)
            material = keyring.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")
            labelled = keyring.ok("GetAttributes", key, ("AttributeName", "Name"), version="1.4")
            read[labelled.attributes()["Name"].one("NameValue")] = material
        assert read == keys

        for identifier in found:
            reason = [
                ("RevocationReasonCode", "Unspecified"),
                ("RevocationMessage", "deleted by the keyring"),
            ]
            keyring.ok("Revoke", ("UniqueIdentifier", identifier), ("RevocationReason", reason))
            keyring.ok("Destroy", ("UniqueIdentifier", identifier))
        assert keyring.ok("Locate", ("MaximumItems", 16), group).all("UniqueIdentifier") == []


def test_keyring_kmip_stores_a_password(endpoint: Endpoint, fresh_name: Namer) -> None:
    with Product(endpoint, version="1.4", header=[RESPONSE_LIMIT]) as keyring:
        stored = keyring.ok(
            "Register",
            ("ObjectType", "SecretData"),
            template(attribute("Cryptographic Usage Mask", 0x240), attribute("Name", name(fresh_name("pw")))),
            secret_data("Password", b"s3cret"),
        )
        got = keyring.ok("Get", ("UniqueIdentifier", stored.one("UniqueIdentifier")), version="1.0")
        assert got.path("SecretData", "KeyBlock", "KeyValue", "KeyMaterial") == b"s3cret"


def test_libkmip_can_read_what_query_answers(endpoint: Endpoint) -> None:
    """libkmip keeps at most 64 operations, 32 object types and strings of 128 bytes."""
    functions = ("QueryOperations", "QueryObjects", "QueryServerInformation")
    with Product(endpoint, version="1.4", header=[RESPONSE_LIMIT]) as libkmip:
        answer = libkmip.ok("Query", *(("QueryFunction", function) for function in functions))
    assert 0 < len(answer.all("Operation")) <= 64
    assert 0 < len(answer.all("ObjectType")) <= 32
    assert len(answer.one("VendorIdentification")) <= 128


def test_kmipclient_reads_key_and_attributes_in_one_batch(endpoint: Endpoint, fresh_name: Namer) -> None:
    """Percona's newer client: 1.4, a megabyte at most, batches in order."""
    wanted = (
        "State",
        "Name",
        "Operation Policy Name",
        "Cryptographic Algorithm",
        "Cryptographic Length",
        "Cryptographic Usage Mask",
    )
    label, material = fresh_name("component"), os.urandom(32)
    with Product(endpoint, version="1.4", header=[("MaximumResponseSize", 1 << 20)]) as component:
        stored = component.ok(
            "Register",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
                attribute("Name", name(label)),
            ),
            symmetric_key(material),
        )
        key = ("UniqueIdentifier", stored.one("UniqueIdentifier"))
        component.ok("Activate", key)
        got, attributes = component.batch(
            ask("Get", key),
            ask("GetAttributes", key, *(("AttributeName", each) for each in wanted)),
            header=[("BatchOrderOption", True)],
        )
        assert got.fields().path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial") == material
        read = attributes.fields().attributes()
        assert read["State"] == "Active"
        assert read["Name"].one("NameValue") == label
        assert read["Cryptographic Usage Mask"] == 12

        names = component.ok("GetAttributeList", key).all("AttributeName")
        every = component.ok("GetAttributes", key, *(("AttributeName", each) for each in names))
        assert set(every.attributes()) == set(names)

        component.ok("Revoke", key, ("RevocationReason", [("RevocationReasonCode", "KeyCompromise")]))
        component.ok("Destroy", key)
