"""FortiGate: KMIP 1.0 with user name and password, batches of Locate by long names, then of Get."""

import os
from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, ask, attribute, credential, name, symmetric_key, template

HEADER = [
    ("MaximumResponseSize", 65536),
    credential("fortigate", "password"),
    ("BatchErrorContinuationOption", "Continue"),
    ("BatchOrderOption", True),
]
KEYS = {
    "ENC_AES_256_IN": ("AES", 32),
    "ENC_AES_256_OUT": ("AES", 32),
    "AUTH_SHA256_IN": ("HMAC_SHA256", 32),
    "AUTH_SHA256_OUT": ("HMAC_SHA256", 32),
}


def provision(endpoint: Endpoint, prefix: str) -> dict[str, bytes]:
    """Register and activate the keys of one tunnel, as the administrator does beforehand."""
    materials = {}
    with Product(endpoint, version="1.0") as administrator:
        for suffix, (algorithm, size) in KEYS.items():
            material = os.urandom(size)
            mask = 0x0C if algorithm == "AES" else 0x180
            registered = administrator.ok(
                "Register",
                ("ObjectType", "SymmetricKey"),
                template(
                    attribute("Cryptographic Usage Mask", mask), attribute("Name", name(f"{prefix}_{suffix}"))
                ),
                symmetric_key(material, algorithm=algorithm),
            )
            administrator.ok("Activate", ("UniqueIdentifier", registered.one("UniqueIdentifier")))
            materials[suffix] = material
    return materials


def test_fortigate_finds_each_key_of_a_tunnel_by_the_end_of_its_name(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    prefix = fresh_name("IPSEC_TUNNEL_HEADQUARTERS_TO_BRANCH")
    materials = provision(endpoint, prefix)
    with Product(endpoint, version="1.0", header=HEADER, batch_id_size=6) as fortigate:
        found = fortigate.batch(
            *(
                ask("Locate", ("MaximumItems", 1), attribute("Name", name(f"{prefix}_{suffix}")))
                for suffix in materials
            )
        )
        identifiers = [answer.fields().one("UniqueIdentifier") for answer in found]
        assert len(set(identifiers)) == len(materials)
        got = fortigate.batch(*(ask("Get", ("UniqueIdentifier", identifier)) for identifier in identifiers))
    read = [answer.fields().path("SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial") for answer in got]
    assert read == list(materials.values())


def test_a_name_that_is_not_there_spoils_nothing_else_in_the_batch(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    prefix = fresh_name("TUNNEL")
    provision(endpoint, prefix)
    with Product(endpoint, version="1.0", header=HEADER, batch_id_size=6) as fortigate:
        missing, failed, present = fortigate.batch(
            ask("Locate", ("MaximumItems", 1), attribute("Name", name(f"{prefix}_ENC_AES_256"))),
            ask("Get", ("UniqueIdentifier", "no-such-key")),
            ask("Locate", ("MaximumItems", 1), attribute("Name", name(f"{prefix}_ENC_AES_256_IN"))),
        )
    assert missing.fields().all("UniqueIdentifier") == []
    assert (failed.status, failed.reason) == ("OperationFailed", "ItemNotFound")
    assert len(present.fields().all("UniqueIdentifier")) == 1
