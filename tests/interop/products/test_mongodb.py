"""Percona Server for MongoDB: KMIP 1.0, a TLS session per task, a key that must be Active to start.

The drivers' library is tested as itself in `test_pymongocrypt.py`; MongoDB Enterprise documents the same
steps (register or create, activate, poll the state) under a version up to 1.2.
"""

import os

import pytest

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, symmetric_key, template


def session(endpoint: Endpoint, version: str = "1.0") -> Product:
    return Product(endpoint, version=version)


def register(task: Product, material: bytes) -> str:
    made = task.ok(
        "Register",
        ("ObjectType", "SymmetricKey"),
        template(
            attribute("Cryptographic Algorithm", "AES"),
            attribute("Cryptographic Length", 256),
            attribute("Cryptographic Usage Mask", 12),
        ),
        symmetric_key(material),
    )
    assert made.names() == ["UniqueIdentifier"]
    identifier: str = made.one("UniqueIdentifier")
    return identifier


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_psmdb_registers_activates_and_starts_again_with_the_key(endpoint: Endpoint, version: str) -> None:
    material = os.urandom(32)
    with session(endpoint, version) as task:
        identifier = register(task, material)
        assert task.ok("Activate", ("UniqueIdentifier", identifier)).one("UniqueIdentifier") == identifier
    with session(endpoint, version) as start:
        found = start.ok("GetAttributes", ("UniqueIdentifier", identifier), ("AttributeName", "State"))
        assert found.attributes() == {"State": "Active"}
        block = start.ok("Get", ("UniqueIdentifier", identifier)).path("SymmetricKey", "KeyBlock")
        assert block.one("KeyFormatType") == "Raw"
        assert block.path("KeyValue", "KeyMaterial") == material
        assert "KeyWrappingData" not in block.names()


def test_psmdb_sees_that_its_key_was_deactivated(endpoint: Endpoint) -> None:
    with session(endpoint) as task:
        identifier = register(task, os.urandom(32))
        task.ok("Activate", ("UniqueIdentifier", identifier))
        task.ok(
            "Revoke",
            ("UniqueIdentifier", identifier),
            ("RevocationReason", [("RevocationReasonCode", "Superseded")]),
        )
        found = task.ok("GetAttributes", ("UniqueIdentifier", identifier), ("AttributeName", "State"))
        assert found.attributes() == {"State": "Deactivated"}


@pytest.mark.parametrize("operation", ["Get", "GetAttributes"])
def test_psmdb_has_a_message_of_its_own_for_item_not_found(endpoint: Endpoint, operation: str) -> None:
    with session(endpoint) as task:
        answer = task.try_(operation, ("UniqueIdentifier", "no-such-key"))
    assert (answer.status, answer.reason) == ("OperationFailed", "ItemNotFound")
