"""vCenter: KMIP 1.1, short sessions for health, overlapping sessions for keys, tags as x- attributes."""

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Fields, Product, attribute, template

TAGS = {
    "x-Product_Version": "8.0.2 build-22385739",
    "x-Vendor": "VMware, Inc.",
    "x-Product": "VMware vSphere",
    "x-Identifier": "52f1a9c8-4e1d-4d0e-9b3c-1f0f7a3b2c11",
    "x-Component": "ESX Server",
    "x-Name": "host-17",
}


def vcenter(endpoint: Endpoint) -> Product:
    return Product(endpoint, version="1.1", batch_id_size=8)


def create_key(session: Product) -> str:
    """Create as vCenter does: no Name, no Activation Date."""
    made = session.ok(
        "Create",
        ("ObjectType", "SymmetricKey"),
        template(
            attribute("Cryptographic Algorithm", "AES"),
            attribute("Cryptographic Usage Mask", 0x0C),
            attribute("Cryptographic Length", 256),
        ),
    )
    assert made.names() == ["ObjectType", "UniqueIdentifier"]
    identifier: str = made.one("UniqueIdentifier")
    return identifier


def get_attributes(session: Product, identifier: str, name: str) -> Fields:
    return session.ok("GetAttributes", ("UniqueIdentifier", identifier), ("AttributeName", name))


def test_vcenter_health_check(endpoint: Endpoint) -> None:
    with vcenter(endpoint) as session:
        versions = session.ok("DiscoverVersions").all("ProtocolVersion")
    numbers = [tuple(number for _, number in version) for version in versions]
    assert numbers == sorted(numbers, reverse=True)
    assert (1, 1) in numbers
    with vcenter(endpoint) as session:
        answer = session.ok("Query", ("QueryFunction", "QueryServerInformation"))
    assert answer.one("VendorIdentification")


def test_vcenter_creates_tags_activates_and_fetches_a_key(endpoint: Endpoint) -> None:
    with vcenter(endpoint) as session:
        identifier = create_key(session)
        for name, text in TAGS.items():
            assert get_attributes(session, identifier, name) == [("UniqueIdentifier", identifier)]
            added = session.ok("AddAttribute", ("UniqueIdentifier", identifier), attribute(name, text))
            assert added.one("UniqueIdentifier") == identifier
            assert added.attributes() == {name: text}
            assert get_attributes(session, identifier, name).attributes() == {name: text}
        assert get_attributes(session, identifier, "State").attributes() == {"State": "PreActive"}
        assert session.ok("Activate", ("UniqueIdentifier", identifier)) == [("UniqueIdentifier", identifier)]
        assert get_attributes(session, identifier, "State").attributes() == {"State": "Active"}
        got = session.ok("Get", ("UniqueIdentifier", identifier))
        block = got.path("SymmetricKey", "KeyBlock")
        assert block.one("KeyFormatType") == "Raw"
        assert len(block.path("KeyValue", "KeyMaterial")) == 32
        assert block.one("CryptographicAlgorithm") == "AES"
        assert block.one("CryptographicLength") == 256


def test_two_sessions_of_one_vcenter_work_on_two_keys_at_once(endpoint: Endpoint) -> None:
    with vcenter(endpoint) as one, vcenter(endpoint) as two:
        first, second = create_key(one), create_key(two)
        for session, identifier in ((one, first), (two, second), (one, second), (two, first)):
            assert session.ok("Get", ("UniqueIdentifier", identifier)).one("UniqueIdentifier") == identifier


def test_the_key_of_a_machine_that_vanished_is_not_found(endpoint: Endpoint) -> None:
    with vcenter(endpoint) as session:
        answer = session.try_("Get", ("UniqueIdentifier", "52e0c0de-0000-4000-8000-000000000000"))
    assert (answer.status, answer.reason) == ("OperationFailed", "ItemNotFound")
