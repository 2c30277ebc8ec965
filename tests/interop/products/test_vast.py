"""VAST Data: KMIP 1.4, attributes added one by one, two questions per key every minute, for ever."""

from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, name, template


def test_vast_makes_polls_rotates_and_retires_a_key(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    label, group = fresh_name("vast"), fresh_name("group")
    by_name = attribute("Name", name(label))
    with Product(endpoint, version="1.4") as vast:
        assert vast.ok("DiscoverVersions").all("ProtocolVersion")
        made = vast.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
                attribute("Operation Policy Name", "default"),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        for added in (
            by_name,
            attribute("Object Group", group),
            attribute("Operation Policy Name", "default"),
        ):
            assert vast.ok("AddAttribute", key, added).one("UniqueIdentifier") == key[1]
        vast.ok("Activate", key)

        for _ in range(3):
            assert vast.ok("Locate", ("MaximumItems", 1), by_name).all("UniqueIdentifier") == [key[1]]
            polled = vast.ok(
                "GetAttributes", key, ("AttributeName", "State"), ("AttributeName", "Activation Date")
            ).attributes()
            assert polled["State"] == "Active"
            assert polled["Activation Date"] > 0
        assert len(vast.ok("Get", key).path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")) == 32

        new = ("UniqueIdentifier", vast.ok("ReKey", key).one("UniqueIdentifier"))
        assert vast.ok("Locate", ("MaximumItems", 1), by_name).all("UniqueIdentifier") == [new[1]]
        vast.ok("Revoke", key, ("RevocationReason", [("RevocationReasonCode", "CessationOfOperation")]))
        vast.ok("Destroy", key)
        assert vast.ok("Locate", ("MaximumItems", 1), by_name).all("UniqueIdentifier") == [new[1]]
