"""Storage arrays and servers on commercial client libraries: batches that rely on the ID placeholder,
credentials, application namespaces, custom attributes that are not text, Key Format Type on Get.
"""

import os
from collections.abc import Callable

import pytest

from strongroom.wire import item
from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import (
    Field,
    Product,
    Typed,
    ask,
    attribute,
    credential,
    name,
    symmetric_key,
    template,
)

Namer = Callable[[str], str]
VERSIONS = ["1.0", "1.1", "1.2", "1.3", "1.4"]


def aes_256(*more: Field) -> Field:
    return template(
        attribute("Cryptographic Algorithm", "AES"),
        attribute("Cryptographic Length", 256),
        attribute("Cryptographic Usage Mask", 12),
        *more,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_an_array_makes_and_reads_a_key_in_one_batch(
    endpoint: Endpoint, fresh_name: Namer, version: str
) -> None:
    """Every item after Create leaves its identifier out and means the key just made."""
    with Product(endpoint, version=version, header=[credential("array", "password")]) as array:
        created, activated, got, read = array.batch(
            ask(
                "Create", ("ObjectType", "SymmetricKey"), aes_256(attribute("Name", name(fresh_name("lun"))))
            ),
            ask("Activate"),
            ask("Get", ("KeyFormatType", "Raw")),
            ask("GetAttributes", ("AttributeName", "State")),
            header=[("BatchOrderOption", True)],
        )
    identifier = created.fields().one("UniqueIdentifier")
    assert activated.fields().one("UniqueIdentifier") == identifier
    assert got.fields().path("SymmetricKey", "KeyBlock", "KeyFormatType") == "Raw"
    assert read.fields().attributes() == {"State": "Active"}


def test_the_items_after_a_failed_one_are_not_carried_out(endpoint: Endpoint, fresh_name: Namer) -> None:
    """Batch Error Continuation Option is Stop unless the header says otherwise."""
    label = attribute("Name", name(fresh_name("never")))
    with Product(endpoint, version="1.2") as array:
        answers = array.batch(
            ask("Get", ("UniqueIdentifier", "no-such-key")),
            ask("Create", ("ObjectType", "SymmetricKey"), aes_256(label)),
        )
        assert [answer.reason for answer in answers] == ["ItemNotFound"]
        assert array.ok("Locate", label).all("UniqueIdentifier") == []


def test_an_array_asks_which_application_namespaces_there_are(endpoint: Endpoint) -> None:
    functions = ("QueryOperations", "QueryObjects", "QueryServerInformation", "QueryApplicationNamespaces")
    with Product(endpoint, version="1.1") as array:
        answer = array.ok("Query", *(("QueryFunction", function) for function in functions))
    assert {"Create", "Locate", "Get"} <= set(answer.all("Operation"))


@pytest.mark.parametrize(
    "value",
    [
        "text",
        Typed(item.INTEGER, 42),
        Typed(item.LONG_INTEGER, 1 << 40),
        Typed(item.BIG_INTEGER, 1 << 70),
        Typed(item.ENUMERATION, 3),
        True,
        b"\x00\xff",
        Typed(item.DATE_TIME, 1_700_000_000),
        Typed(item.INTERVAL, 3600),
    ],
    ids=["text", "integer", "long", "big", "enumeration", "boolean", "bytes", "date", "interval"],
)
def test_a_custom_attribute_keeps_its_type_and_finds_its_key(
    endpoint: Endpoint, fresh_name: Namer, value: object
) -> None:
    label = fresh_name("x-array").replace("-", "_").replace("x_", "x-", 1)
    plain = value.value if isinstance(value, Typed) else value
    with Product(endpoint, version="1.2") as array:
        made = array.ok("Create", ("ObjectType", "SymmetricKey"), aes_256(attribute(label, value)))
        identifier = made.one("UniqueIdentifier")
        read = array.ok("GetAttributes", ("UniqueIdentifier", identifier), ("AttributeName", label))
        assert read.attributes() == {label: plain}
        assert array.ok("Locate", attribute(label, value)).all("UniqueIdentifier") == [identifier]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_operations_of_hpe_data_fabric(endpoint: Endpoint, fresh_name: Namer, version: str) -> None:
    """Its list: Activate, Create, Destroy, Discover Versions, Get, Locate, Re-key, Register, Revoke."""
    label = fresh_name("dare")
    with Product(endpoint, version=version) as fabric:
        if version != "1.0":
            assert fabric.ok("DiscoverVersions").all("ProtocolVersion")
        made = fabric.ok("Create", ("ObjectType", "SymmetricKey"), aes_256(attribute("Name", name(label))))
        old = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        fabric.ok("Activate", old)
        new = ("UniqueIdentifier", fabric.ok("ReKey", old).one("UniqueIdentifier"))
        assert fabric.ok("Locate", attribute("Name", name(label))).all("UniqueIdentifier") == [new[1]]
        assert fabric.ok("Get", new) != fabric.ok("Get", old)
        fabric.ok("Revoke", old, ("RevocationReason", [("RevocationReasonCode", "Superseded")]))
        fabric.ok("Destroy", old)
        registered = fabric.ok(
            "Register", ("ObjectType", "SymmetricKey"), aes_256(), symmetric_key(os.urandom(32))
        )
        assert registered.names() == ["UniqueIdentifier"]
