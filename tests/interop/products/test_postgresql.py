"""The PostgreSQL family: pg_tde on libkmip, EDB's key that never leaves the server."""

import os
from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, name, symmetric_key, template

RESPONSE_LIMIT = ("MaximumResponseSize", 8192)


def test_pg_tde_registers_and_reads_back_by_type_and_name(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    """A new connection for each call; exactly one hit is right, and none is not a failure."""
    tde = Product(endpoint, version="1.0", header=[RESPONSE_LIMIT], connection_per_request=True)
    material = os.urandom(16)
    label = fresh_name("principal")
    by_name = attribute("Name", name(label))
    by_type = attribute("Object Type", "SymmetricKey")

    def located() -> list[str]:
        found: list[str] = tde.ok("Locate", ("MaximumItems", 16), by_type, by_name).all("UniqueIdentifier")
        return found

    assert located() == []
    stored = tde.ok(
        "Register",
        ("ObjectType", "SymmetricKey"),
        template(
            attribute("Cryptographic Algorithm", "AES"),
            attribute("Cryptographic Length", 128),
            attribute("Cryptographic Usage Mask", 12),
            by_name,
        ),
        symmetric_key(material),
        version="1.4",
    )
    assert located() == [stored.one("UniqueIdentifier")]
    block = tde.ok("Get", ("UniqueIdentifier", located()[0])).path("SymmetricKey", "KeyBlock")
    assert block.path("KeyValue", "KeyMaterial") == material
    assert block.one("CryptographicLength") == 128


def test_edb_wraps_the_cluster_key_with_a_key_on_the_server(endpoint: Endpoint) -> None:
    """The dialect with the IV in its own field; AES-256 in CBC with PKCS5."""
    mode = [
        ("BlockCipherMode", "CBC"),
        ("PaddingMethod", "PKCS5"),
        ("CryptographicAlgorithm", "AES"),
    ]
    cluster_key, vector = os.urandom(48), os.urandom(16)
    with Product(endpoint, version="1.2") as edb:
        made = edb.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        edb.ok("Activate", key)
        sealed = edb.ok(
            "Encrypt",
            key,
            ("CryptographicParameters", mode),
            ("Data", cluster_key),
            ("IVCounterNonce", vector),
        )
        opened = edb.ok(
            "Decrypt",
            key,
            ("CryptographicParameters", mode),
            ("Data", sealed.one("Data")),
            ("IVCounterNonce", vector),
        )
        assert opened.one("Data") == cluster_key
