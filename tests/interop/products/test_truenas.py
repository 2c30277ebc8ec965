"""TrueNAS: ZFS keys and SED passwords as Secret Data, through PyKMIP at its default version 1.2."""

from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, name, secret_data, template

PASSPHRASE = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def test_truenas_tests_the_connection_with_a_handshake_alone(endpoint: Endpoint) -> None:
    with endpoint.connect() as connection:
        assert connection.stream.version() in ("TLSv1.2", "TLSv1.3")


def test_truenas_keeps_a_dataset_key(endpoint: Endpoint, fresh_name: Callable[[str], str]) -> None:
    with Product(endpoint, version="1.2") as truenas:
        registered = truenas.ok(
            "Register",
            ("ObjectType", "SecretData"),
            template(
                attribute("Cryptographic Usage Mask", 0x40),
                attribute("Name", name(f"{fresh_name('tank/dataset')}-zfs_key")),
            ),
            secret_data("Password", PASSPHRASE),
        )
        assert registered.names() == ["UniqueIdentifier"]
        key = ("UniqueIdentifier", registered.one("UniqueIdentifier"))
        truenas.ok("Activate", key)
        got = truenas.ok("Get", key)
        assert got.one("ObjectType") == "SecretData"
        assert got.path("SecretData", "KeyBlock", "KeyValue", "KeyMaterial") == PASSPHRASE
        truenas.ok("Revoke", key, ("RevocationReason", [("RevocationReasonCode", "CessationOfOperation")]))
        truenas.ok("Destroy", key)


def test_truenas_destroys_what_it_could_not_activate(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.2") as truenas:
        registered = truenas.ok(
            "Register",
            ("ObjectType", "SecretData"),
            template(attribute("Cryptographic Usage Mask", 0x40)),
            secret_data("Password", PASSPHRASE),
        )
        key = ("UniqueIdentifier", registered.one("UniqueIdentifier"))
        assert truenas.ok("Destroy", key) == [key]
