"""cyphera-kmip, a small client for KMIP 1.4 that writes and reads TTLV with code of its own.

Rule: only its own API is used. Where 0.0.1a1 sends what no version of KMIP defines (another tag for
Data and for Revocation Reason, Attribute around a bare Attribute Name), it must be refused and the
connection must live on.
"""

from collections.abc import Callable, Iterator

import pytest
from cyphera_kmip import Algorithm, KmipClient, KmipError, ObjectType

from tests.interop.endpoint import Endpoint

Namer = Callable[[str], str]
MATERIAL = bytes(range(32))


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[KmipClient]:
    client = KmipClient(
        endpoint.host,
        port=endpoint.port,
        client_cert=endpoint.cert,
        client_key=endpoint.key,
        ca_cert=endpoint.ca,
    )
    yield client
    client.close()


def create(client: KmipClient, name: str) -> str:
    identifier: str = client.create(name, "AES", 256)["unique_identifier"]
    return identifier


def test_a_key_is_fetched_by_its_name(client: KmipClient, fresh_name: Namer) -> None:
    name = fresh_name("cyphera")
    identifier = create(client, name)
    assert client.locate(name) == [identifier]
    assert len(client.fetch_key(name)) == 32
    assert client.fetch_key(name) == client.get(identifier)["key_material"]


def test_a_registered_key_comes_back(client: KmipClient, fresh_name: Namer) -> None:
    registered = client.register(
        ObjectType.SymmetricKey, MATERIAL, fresh_name("registered"), Algorithm.AES, 256
    )
    assert client.get(registered["unique_identifier"])["key_material"] == MATERIAL


def test_a_key_can_be_activated_checked_leased_and_rekeyed(client: KmipClient, fresh_name: Namer) -> None:
    identifier = create(client, fresh_name("life"))
    client.activate(identifier)
    assert client.check(identifier)["unique_identifier"] == identifier
    assert client.obtain_lease(identifier) > 0
    replaced = client.re_key(identifier)["unique_identifier"]
    assert client.get(replaced)["key_material"] != client.get(identifier)["key_material"]


def test_a_key_can_be_archived_recovered_and_destroyed(client: KmipClient, fresh_name: Namer) -> None:
    identifier = create(client, fresh_name("archive"))
    client.archive(identifier)
    with pytest.raises(KmipError):
        client.get(identifier)
    client.recover(identifier)
    assert client.get(identifier)["key_material"]
    client.destroy(identifier)
    with pytest.raises(KmipError):
        client.get(identifier)


def test_a_custom_attribute_is_added_modified_and_listed(client: KmipClient, fresh_name: Namer) -> None:
    identifier = create(client, fresh_name("attributes"))
    client.add_attribute(identifier, "x-Department", "payroll")
    client.modify_attribute(identifier, "x-Department", "treasury")
    assert {"x-Department", "Name", "State"} <= set(client.get_attribute_list(identifier))
    assert client.get_attributes(identifier)["unique_identifier"] == identifier


def test_versions_are_discovered_newest_first(client: KmipClient) -> None:
    found = [(v["major"], v["minor"]) for v in client.discover_versions()["versions"]]
    assert found == sorted(found, reverse=True)
    assert (1, 4) in found


@pytest.mark.parametrize(
    "malformed",
    [
        lambda client, key: client.encrypt(key, b"plaintext"),
        lambda client, key: client.decrypt(key, bytes(16), bytes(16)),
        lambda client, key: client.revoke(key, 1),
        lambda client, key: client.delete_attribute(key, "x-Department"),
    ],
    ids=["encrypt", "decrypt", "revoke", "delete_attribute"],
)
def test_what_kmip_does_not_define_is_refused_and_the_connection_lives_on(
    client: KmipClient, fresh_name: Namer, malformed: Callable[[KmipClient, str], object]
) -> None:
    identifier = create(client, fresh_name("malformed"))
    client.activate(identifier)
    before = client.get(identifier)["key_material"]
    with pytest.raises(KmipError):
        malformed(client, identifier)
    assert client.get(identifier)["key_material"] == before
