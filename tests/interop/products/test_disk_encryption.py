"""Linux disk encryption and tools for self-encrypting drives."""

from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, credential, name, template


def test_cryptctl_sends_one_request_per_connection_with_an_empty_credential(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    """Its Name has Name Type 2 (URI), and Destroy comes without Revoke."""
    cryptctl = Product(
        endpoint,
        version="1.2",
        header=[credential("", "")],
        batch_id_size=12,
        connection_per_request=True,
    )
    made = cryptctl.ok(
        "Create",
        ("ObjectType", "SymmetricKey"),
        template(
            attribute("Cryptographic Algorithm", "AES"),
            attribute("Cryptographic Length", 256),
            attribute("Cryptographic Usage Mask", 12),
            attribute("Name", name(fresh_name("disk"), kind="URI")),
        ),
    )
    key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
    assert len(cryptctl.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32
    assert cryptctl.ok("Destroy", key) == [key]


def test_sedcli_creates_with_three_attributes_and_gets_by_identifier(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.0", header=[("MaximumResponseSize", 8192)]) as sedcli:
        made = sedcli.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
            ),
        )
        got = sedcli.ok("Get", ("UniqueIdentifier", made.one("UniqueIdentifier")))
        assert len(got.path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32
