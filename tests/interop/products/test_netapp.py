"""NetApp: about sixteen custom text attributes on every key, and the set must come back by them.

The version that ONTAP speaks is not documented; 1.2 stands for it here.
"""

from collections.abc import Callable

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Product, attribute, credential, name, template


def test_ontap_finds_the_keys_of_its_cluster_and_no_others(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    clusters = [fresh_name("cluster") for _ in range(2)]
    made: dict[str, set[str]] = {}
    with Product(endpoint, version="1.2", header=[credential("ontap", "password")]) as ontap:
        for cluster in clusters:
            custom = [attribute(f"x-NETAPP-Attribute{number:02}", f"value {number}") for number in range(15)]
            made[cluster] = {
                ontap.ok(
                    "Create",
                    ("ObjectType", "SymmetricKey"),
                    template(
                        attribute("Cryptographic Algorithm", "AES"),
                        attribute("Cryptographic Length", 256),
                        attribute("Cryptographic Usage Mask", 12),
                        attribute("Name", name(fresh_name("volume"))),
                        attribute("x-NETAPP-ClusterName", cluster),
                        *custom,
                    ),
                ).one("UniqueIdentifier")
                for _ in range(3)
            }
        for cluster in clusters:
            by_cluster = attribute("x-NETAPP-ClusterName", cluster)
            assert set(ontap.ok("Locate", by_cluster).all("UniqueIdentifier")) == made[cluster]
            both = ontap.ok("Locate", by_cluster, attribute("x-NETAPP-Attribute03", "value 3"))
            assert set(both.all("UniqueIdentifier")) == made[cluster]
            neither = ontap.ok("Locate", by_cluster, attribute("x-NETAPP-Attribute03", "value 4"))
            assert neither.all("UniqueIdentifier") == []
        one = made[clusters[0]].pop()
        read = ontap.ok("GetAttributes", ("UniqueIdentifier", one)).attributes()
        assert read["x-NETAPP-ClusterName"] == clusters[0]
        assert read["x-NETAPP-Attribute14"] == "value 14"


def test_element_makes_a_key_and_gets_it_back(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as element:
        made = element.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        element.ok("Activate", key)
        assert element.ok("Get", key).one("ObjectType") == "SymmetricKey"
