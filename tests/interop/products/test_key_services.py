"""Vault-like services and key libraries: negotiation first, then strict parsing by type.

What these products sign or wrap with RSA is not here: Sign and RSA encryption are not offered yet.
"""

import os
from collections.abc import Callable

import pytest

from tests.interop.endpoint import Endpoint
from tests.interop.products.dsl import Field, Product, attribute, credential, name, template

Namer = Callable[[str], str]
GCM = (
    "CryptographicParameters",
    [("BlockCipherMode", "GCM"), ("CryptographicAlgorithm", "AES"), ("TagLength", 16)],
)


def version_field(text: str) -> Field:
    major, minor = text.split(".")
    return (
        "ProtocolVersion",
        [("ProtocolVersionMajor", int(major)), ("ProtocolVersionMinor", int(minor))],
    )


def negotiate(session: Product, *offered: str) -> None:
    """Offer versions under header version 1.1, as ovh/kmip-go does; all of them must come back, in order."""
    versions = [version_field(text) for text in offered]
    assert session.ok("DiscoverVersions", *versions, version="1.1") == versions


def test_kmip_go_negotiates_under_1_1_and_goes_on_in_the_version_it_chose(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as library:
        negotiate(library, "1.4", "1.3", "1.2", "1.1", "1.0")
        made = library.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        every = library.ok("GetAttributes", key).attributes()
        assert every["State"] == "PreActive"
        assert every["Unique Identifier"] == key[1]


def test_openbao_unseals_with_a_key_that_stays_on_the_server(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as openbao:
        negotiate(openbao, "1.4", "1.3", "1.2")
        made = openbao.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        openbao.ok("Activate", key)
        wanted = ("Object Type", "Cryptographic Algorithm", "Cryptographic Usage Mask", "Link")
        read = openbao.ok("GetAttributes", key, *(("AttributeName", each) for each in wanted)).attributes()
        assert read == {
            "Object Type": "SymmetricKey",
            "Cryptographic Algorithm": "AES",
            "Cryptographic Usage Mask": 12,
        }
        root_key, nonce = os.urandom(32), ("IVCounterNonce", os.urandom(12))
        sealed = openbao.ok("Encrypt", key, GCM, ("Data", root_key), nonce)
        tag = sealed.one("AuthenticatedEncryptionTag")
        assert len(tag) == 16
        opened = openbao.ok(
            "Decrypt", key, GCM, ("Data", sealed.one("Data")), nonce, ("AuthenticatedEncryptionTag", tag)
        )
        assert opened.one("Data") == root_key


def test_openbao_follows_the_link_from_a_private_key_to_its_public_key(endpoint: Endpoint) -> None:
    with Product(endpoint, version="1.4") as openbao:
        made = openbao.ok(
            "CreateKeyPair",
            (
                "CommonTemplateAttribute",
                [attribute("Cryptographic Algorithm", "RSA"), attribute("Cryptographic Length", 2048)],
            ),
            ("PrivateKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x08)]),
            ("PublicKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x04)]),
        )
        private, public = made.one("PrivateKeyUniqueIdentifier"), made.one("PublicKeyUniqueIdentifier")
        read = openbao.ok("GetAttributes", ("UniqueIdentifier", private), ("AttributeName", "Link"))
        assert read.attributes() == {
            "Link": [("LinkType", "PublicKeyLink"), ("LinkedObjectIdentifier", public)]
        }


def test_spire_makes_a_tagged_pair_and_reads_the_public_key_in_transparent_form(
    endpoint: Endpoint, fresh_name: Namer
) -> None:
    tag = attribute("x-spire-key-id", fresh_name("x509-ca"))
    with Product(endpoint, version="1.4") as spire:
        made = spire.ok(
            "CreateKeyPair",
            (
                "CommonTemplateAttribute",
                [
                    attribute("Cryptographic Algorithm", "EC"),
                    attribute("Cryptographic Domain Parameters", [("RecommendedCurve", "P_256")]),
                    tag,
                ],
            ),
            ("PrivateKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x01)]),
            ("PublicKeyTemplateAttribute", [attribute("Cryptographic Usage Mask", 0x02)]),
        )
        private, public = made.one("PrivateKeyUniqueIdentifier"), made.one("PublicKeyUniqueIdentifier")
        spire.ok("Activate", ("UniqueIdentifier", private))
        assert set(spire.ok("Locate", tag).all("UniqueIdentifier")) == {private, public}
        got = spire.ok("Get", ("UniqueIdentifier", public), ("KeyFormatType", "TransparentECPublicKey")).path(
            "PublicKey", "KeyBlock"
        )
        assert got.one("KeyFormatType") == "TransparentECPublicKey"
        material = got.path("KeyValue", "KeyMaterial")
        assert material.one("RecommendedCurve") == "P_256"
        assert len(material.one("QString")) == 65


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_krill_makes_renames_and_retires_a_signing_pair(
    endpoint: Endpoint, fresh_name: Namer, version: str
) -> None:
    with Product(endpoint, version=version, header=[credential("krill", "password")]) as krill:
        krill.ok("Query", ("QueryFunction", "QueryOperations"), ("QueryFunction", "QueryServerInformation"))
        before, after = fresh_name("krill"), fresh_name("krill")
        made = krill.ok(
            "CreateKeyPair",
            (
                "CommonTemplateAttribute",
                [attribute("Cryptographic Algorithm", "RSA"), attribute("Cryptographic Length", 2048)],
            ),
            (
                "PrivateKeyTemplateAttribute",
                [attribute("Name", name(f"{before}-private")), attribute("Cryptographic Usage Mask", 0x01)],
            ),
            (
                "PublicKeyTemplateAttribute",
                [attribute("Name", name(f"{before}-public")), attribute("Cryptographic Usage Mask", 0x02)],
            ),
        )
        private = ("UniqueIdentifier", made.one("PrivateKeyUniqueIdentifier"))
        public = ("UniqueIdentifier", made.one("PublicKeyUniqueIdentifier"))
        krill.ok("ModifyAttribute", private, attribute("Name", name(f"{after}-private")))
        krill.ok("ModifyAttribute", public, attribute("Name", name(f"{after}-public")))
        krill.ok("Activate", private)
        got = krill.ok("Get", public, ("KeyFormatType", "PKCS_1"))
        assert got.path("PublicKey", "KeyBlock", "KeyFormatType") == "PKCS_1"
        krill.ok("Revoke", private, ("RevocationReason", [("RevocationReasonCode", "CessationOfOperation")]))
        krill.ok("Destroy", private)
        krill.ok("Destroy", public)


def test_the_vault_pkcs11_provider_reads_attributes_again_and_again(
    endpoint: Endpoint, fresh_name: Namer
) -> None:
    label = attribute("Name", name(fresh_name("pkcs11")))
    with Product(endpoint, version="1.4") as provider:
        made = provider.ok(
            "Create",
            ("ObjectType", "SymmetricKey"),
            template(
                attribute("Cryptographic Algorithm", "AES"),
                attribute("Cryptographic Length", 256),
                attribute("Cryptographic Usage Mask", 12),
                label,
            ),
        )
        key = ("UniqueIdentifier", made.one("UniqueIdentifier"))
        assert provider.ok("Locate", label).all("UniqueIdentifier") == [key[1]]
        first = provider.ok("GetAttributes", key).attributes()
        second = provider.ok("GetAttributes", key).attributes()
        assert first == second
