"""Veeam Backup & Replication: KMIP 1.4, RSA key pairs, strict about what Key Value may contain."""

import socket
import ssl
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.interop.endpoint import TIMEOUT_SECONDS, Endpoint, RawConnection
from tests.interop.products.dsl import Field, Fields, Product, ask, attribute, name


def create_pair(veeam: Product, *common: Field) -> tuple[str, str]:
    made = veeam.ok(
        "CreateKeyPair",
        (
            "CommonTemplateAttribute",
            [
                attribute("Cryptographic Algorithm", "RSA"),
                attribute("Cryptographic Length", 2048),
                *common,
            ],
        ),
        ("PrivateKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x01)]),
        ("PublicKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x02)]),
    )
    assert made.names() == ["PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier"]
    return made.one("PrivateKeyUniqueIdentifier"), made.one("PublicKeyUniqueIdentifier")


def key_material(got: Fields, kind: str) -> bytes:
    """Return Key Material; Veeam's decoder takes nothing else inside Key Value."""
    value = got.path(kind, "KeyBlock", "KeyValue")
    assert value.names() == ["KeyMaterial"]
    material: bytes = value.one("KeyMaterial")
    return material


def test_veeam_tests_the_connection_with_a_locate(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as veeam:
        answer = veeam.try_("Locate", ("MaximumItems", 1))
    assert answer.status == "Success"
    assert len(answer.payload.all("UniqueIdentifier")) <= 1


def test_veeam_creates_reads_and_destroys_a_pair_that_was_never_activated(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as veeam:
        private, public = create_pair(veeam)
        public_key = key_material(veeam.ok("Get", ("UniqueIdentifier", public)), "PublicKey")
        private_key = key_material(veeam.ok("Get", ("UniqueIdentifier", private)), "PrivateKey")
        assert public_key
        assert private_key
        for identifier in (private, public):
            assert veeam.ok("Destroy", ("UniqueIdentifier", identifier)) == [("UniqueIdentifier", identifier)]


def test_veeam_activates_a_named_pair_and_finds_it_again(
    endpoint: Endpoint, fresh_name: Callable[[str], str]
) -> None:
    with Product(endpoint, version="1.4") as veeam:
        private, public = create_pair(veeam)
        label = fresh_name("veeam")
        veeam.ok("AddAttribute", ("UniqueIdentifier", public), attribute("Name", name(label)))
        for identifier in (private, public):
            veeam.ok("Activate", ("UniqueIdentifier", identifier))
        found = veeam.ok("Locate", attribute("Name", name(label)), attribute("Object Type", "PublicKey"))
        assert found.all("UniqueIdentifier") == [public]
        refused = veeam.try_("Destroy", ("UniqueIdentifier", public))
        assert refused.status == "OperationFailed"


def test_veeam_13_asks_for_another_format_than_the_stored_one(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as veeam:
        private, public = create_pair(veeam)
        formats = (
            (private, "PrivateKey", ("PKCS_1", "PKCS_8")),
            (public, "PublicKey", ("PKCS_1", "X_509")),
        )
        numbers = set()
        for identifier, kind, wanted in formats:
            for format_type in wanted:
                got = veeam.ok("Get", ("UniqueIdentifier", identifier), ("KeyFormatType", format_type))
                assert got.path(kind, "KeyBlock", "KeyFormatType") == format_type
                numbers.add(modulus(kind, key_material(got, kind)))
    assert len(numbers) == 1


def modulus(kind: str, der: bytes) -> int:
    """Return the RSA modulus of a key in any of its DER forms."""
    if kind == "PrivateKey":
        private = serialization.load_der_private_key(der, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        return private.private_numbers().public_numbers.n
    public = serialization.load_der_public_key(der)
    assert isinstance(public, rsa.RSAPublicKey)
    return public.public_numbers().n


def test_veeam_asks_every_day_for_keys_that_were_rotated(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as veeam:
        private, _ = create_pair(veeam)
        born = veeam.ok("GetAttributes", ("UniqueIdentifier", private), ("AttributeName", "Initial Date"))
        day = born.attributes()["Initial Date"]
        found = veeam.ok("Locate", attribute("Initial Date", day), attribute("Initial Date", day + 86400))
        assert private in found.all("UniqueIdentifier")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_veeam_reconnects_with_its_tls_session(endpoint: Endpoint, version: ssl.TLSVersion) -> None:
    """Resumption must work together with the verification of the client's certificate."""
    context = endpoint.context()
    context.minimum_version = context.maximum_version = version
    session = None
    for attempt in range(2):
        with connect(endpoint, context, session) as connection:
            probe = Product(endpoint, version="1.4", connection=connection)
            probe.batch(ask("Query", ("QueryFunction", "QueryServerInformation")))
            assert connection.stream.session_reused is (attempt == 1)
            session = connection.stream.session


def connect(endpoint: Endpoint, context: ssl.SSLContext, session: ssl.SSLSession | None) -> RawConnection:
    plain = socket.create_connection((endpoint.host, endpoint.port), timeout=TIMEOUT_SECONDS)
    return RawConnection(context.wrap_socket(plain, server_hostname=endpoint.host, session=session))
