"""Synology DSM: KMIP 1.2, one connection for each operation, the vault key is found by the volume's Name."""

from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Field, Product, attribute, name, secret_data, template

FUNCTIONS = (
    "QueryOperations",
    "QueryObjects",
    "QueryServerInformation",
    "QueryApplicationNamespaces",
    "QueryExtensionList",
    "QueryExtensionMap",
)
MATERIAL = bytes(range(72))


def test_synology_keeps_a_vault_key_and_finds_it_after_a_reboot(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    dsm = Product(endpoint, version="1.2", batch_id_size=4, connection_per_request=True)
    for _ in range(3):
        answer = dsm.ok("Query", *(("QueryFunction", function) for function in FUNCTIONS))
        assert {"Register", "ModifyAttribute", "Locate"} <= set(answer.all("Operation"))
        assert "SecretData" in answer.all("ObjectType")
        assert answer.one("VendorIdentification")

    volume = attribute("Name", name(fresh_name("volume")))
    assert dsm.ok("Locate", volume).all("UniqueIdentifier") == []

    placeholder = attribute("Name", name(fresh_name("hash").ljust(128, "0")))
    registered = dsm.ok(
        "Register",
        ("ObjectType", "SecretData"),
        template(
            attribute("Cryptographic Usage Mask", 0x02),
            attribute("Operation Policy Name", "default"),
            placeholder,
        ),
        secret_data("Password", MATERIAL),
    )
    assert registered.names() == ["UniqueIdentifier"]
    key: Field = ("UniqueIdentifier", registered.one("UniqueIdentifier"))

    modified = dsm.ok("ModifyAttribute", key, volume)
    assert modified.names() == ["UniqueIdentifier", "Attribute"]
    assert modified.attributes()["Name"] == volume[1][1][1]
    assert dsm.ok("Locate", volume).all("UniqueIdentifier") == [key[1]]
    assert dsm.ok("Locate", placeholder).all("UniqueIdentifier") == []
    assert dsm.ok("Activate", key) == [key]

    names = dsm.ok("GetAttributeList", key).all("AttributeName")
    assert {"Name", "State", "Object Type", "Operation Policy Name"} <= set(names)
    found = dsm.ok("GetAttributes", key, ("AttributeName", "State"), ("AttributeName", "Object Type"))
    assert found.attributes() == {"State": "Active", "Object Type": "SecretData"}
    secret = dsm.ok("Get", key).one("SecretData")
    assert secret.one("SecretDataType") == "Password"
    block = secret.one("KeyBlock")
    assert block == [("KeyFormatType", "Opaque"), ("KeyValue", [("KeyMaterial", MATERIAL)])]

    reason = [("RevocationReasonCode", "CessationOfOperation")]
    assert dsm.ok("Revoke", key, ("RevocationReason", reason)) == [key]
    assert dsm.ok("Destroy", key) == [key]
    assert dsm.ok("Locate", volume).all("UniqueIdentifier") == []
