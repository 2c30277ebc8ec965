"""PyKMIP's client, the library inside Barbican, TrueNAS and many scripts, in each version it speaks.

Rule: only PyKMIP's own API is used, as its users use it; what it parses and checks is what is tested.
"""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from kmip.core import enums, objects
from kmip.core.attributes import Name
from kmip.core.factories.attributes import AttributeFactory
from kmip.pie import exceptions
from kmip.pie import objects as pie
from kmip.pie.client import ProxyKmipClient

from tests.interop.endpoint import Endpoint

Namer = Callable[[str], str]
EVERY_VERSION = tuple(enums.KMIPVersion)
READS_EVERY_ATTRIBUTE = (enums.KMIPVersion.KMIP_1_1, enums.KMIPVersion.KMIP_1_2)
"""PyKMIP 0.11 demands a Key Format Type in the Digest of 1.0, where there is none, and gives up on
Random Number Generator (1.3) and Short Unique Identifier (2.0)."""
ENCRYPT_DECRYPT = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
TEXT = enums.NameType.UNINTERPRETED_TEXT_STRING
CBC = {
    "cryptographic_algorithm": enums.CryptographicAlgorithm.AES,
    "block_cipher_mode": enums.BlockCipherMode.CBC,
    "padding_method": enums.PaddingMethod.PKCS5,
}

attribute = AttributeFactory().create_attribute


@pytest.fixture(params=EVERY_VERSION, ids=lambda version: version.value)
def client(request: pytest.FixtureRequest, endpoint: Endpoint) -> Iterator[ProxyKmipClient]:
    """A connection in each version that PyKMIP knows, 1.0 to 2.0."""
    with connect(endpoint, version=request.param) as client:
        yield client


def connect(endpoint: Endpoint, *, version: enums.KMIPVersion) -> ProxyKmipClient:
    return ProxyKmipClient(
        hostname=endpoint.host,
        port=endpoint.port,
        cert=endpoint.cert,
        key=endpoint.key,
        ca=endpoint.ca,
        ssl_version="PROTOCOL_TLSv1_2",
        kmip_version=version,
    )


def create_aes(client: ProxyKmipClient, name: str | None = None) -> str:
    identifier: str = client.create(enums.CryptographicAlgorithm.AES, 256, name=name)
    return identifier


def attributes_of(client: ProxyKmipClient, identifier: str, *names: str) -> dict[str, Any]:
    _, found = client.get_attributes(identifier, list(names) or None)
    return {item.attribute_name.value: item.attribute_value for item in found}


def state_of(client: ProxyKmipClient, identifier: str) -> enums.State:
    state: enums.State = attributes_of(client, identifier, "State")["State"].value
    return state


def test_a_created_key_is_the_same_key_on_another_connection(
    client: ProxyKmipClient, endpoint: Endpoint, fresh_name: Namer
) -> None:
    identifier = create_aes(client, fresh_name("created"))
    first = client.get(identifier)
    with connect(endpoint, version=client.kmip_version) as other:
        second = other.get(identifier)
    assert isinstance(first, pie.SymmetricKey)
    assert len(first.value) == 32
    assert second.value == first.value
    assert first.cryptographic_algorithm is enums.CryptographicAlgorithm.AES
    assert first.cryptographic_length == 256


@pytest.mark.parametrize("kind", ["symmetric", "public", "private", "certificate", "secret", "opaque"])
def test_what_is_registered_comes_back_as_it_was(
    client: ProxyKmipClient, fresh_name: Namer, kind: str
) -> None:
    registered = OBJECTS[kind](name=fresh_name(kind))
    identifier = client.register(registered)
    returned = client.get(identifier)
    assert type(returned) is type(registered)
    assert returned.value == registered.value
    assert getattr(returned, "key_format_type", None) == getattr(registered, "key_format_type", None)


@pytest.mark.parametrize("kind", ["symmetric", "public", "private", "certificate", "secret", "opaque"])
def test_the_default_names_of_the_library_do_not_collide(client: ProxyKmipClient, kind: str) -> None:
    """PyKMIP names whatever its user did not name, so two unnamed objects have one name."""
    first, second = (client.register(OBJECTS[kind]()) for _ in range(2))
    assert first != second


def test_an_answer_with_every_attribute_can_be_parsed(client: ProxyKmipClient, fresh_name: Namer) -> None:
    if client.kmip_version not in READS_EVERY_ATTRIBUTE:
        pytest.skip("PyKMIP cannot read every attribute that this version defines")
    name = fresh_name("attributes")
    identifier = create_aes(client, name)
    found = attributes_of(client, identifier)
    assert found["Unique Identifier"].value == identifier
    assert found["Name"].name_value.value == name
    assert set(client.get_attribute_list(identifier)) == set(found)


def test_attributes_are_read_by_their_names(client: ProxyKmipClient, fresh_name: Namer) -> None:
    identifier = create_aes(client, fresh_name("attributes"))
    names = ("Object Type", "Cryptographic Algorithm", "Cryptographic Length", "State")
    assert set(names) <= set(client.get_attribute_list(identifier))
    found = attributes_of(client, identifier, *names)
    assert {name: value.value for name, value in found.items()} == {
        "Object Type": enums.ObjectType.SYMMETRIC_KEY,
        "Cryptographic Algorithm": enums.CryptographicAlgorithm.AES,
        "Cryptographic Length": 256,
        "State": enums.State.PRE_ACTIVE,
    }


def test_locate_finds_by_name_and_by_nothing_else(client: ProxyKmipClient, fresh_name: Namer) -> None:
    name = fresh_name("locate")
    identifier = create_aes(client, name)
    assert client.locate(attributes=[attribute(enums.AttributeType.NAME, name)]) == [identifier]
    assert client.locate(attributes=[attribute(enums.AttributeType.NAME, name[:-1])]) == []


def test_locate_joins_its_filters_with_and(client: ProxyKmipClient, fresh_name: Namer) -> None:
    name = fresh_name("filters")
    identifier = create_aes(client, name)
    by_name = attribute(enums.AttributeType.NAME, name)

    def found(kind: enums.AttributeType, value: object) -> list[str]:
        identifiers: list[str] = client.locate(attributes=[by_name, attribute(kind, value)])
        return identifiers

    assert found(enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY) == [identifier]
    assert found(enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SECRET_DATA) == []
    assert found(enums.AttributeType.STATE, enums.State.PRE_ACTIVE) == [identifier]
    assert found(enums.AttributeType.STATE, enums.State.ACTIVE) == []
    assert found(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 256) == [identifier]
    assert found(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 128) == []
    assert found(enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, ENCRYPT_DECRYPT) == [identifier]


def test_locate_honours_maximum_items(client: ProxyKmipClient, fresh_name: Namer) -> None:
    group = [create_aes(client, fresh_name("many")) for _ in range(3)]
    filters = [attribute(enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY)]
    assert len(client.locate(maximum_items=2, attributes=filters)) == 2
    assert set(group) <= set(client.locate(attributes=filters))


def test_a_key_lives_from_pre_active_to_destroyed(client: ProxyKmipClient, fresh_name: Namer) -> None:
    identifier = create_aes(client, fresh_name("life"))
    assert state_of(client, identifier) is enums.State.PRE_ACTIVE
    client.activate(identifier)
    assert state_of(client, identifier) is enums.State.ACTIVE
    with pytest.raises(exceptions.KmipOperationFailure):
        client.destroy(identifier)
    client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, identifier, "no longer needed")
    assert state_of(client, identifier) is enums.State.DEACTIVATED
    client.destroy(identifier)
    with pytest.raises(exceptions.KmipOperationFailure):
        client.get(identifier)


def test_a_key_that_was_never_activated_can_be_destroyed(client: ProxyKmipClient, fresh_name: Namer) -> None:
    identifier = create_aes(client, fresh_name("unused"))
    client.destroy(identifier)
    with pytest.raises(exceptions.KmipOperationFailure):
        client.get(identifier)


def test_a_compromised_key_says_so(client: ProxyKmipClient, fresh_name: Namer) -> None:
    identifier = create_aes(client, fresh_name("compromised"))
    client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, identifier, "lost laptop")
    assert state_of(client, identifier) is enums.State.COMPROMISED


def test_what_does_not_exist_is_item_not_found(client: ProxyKmipClient) -> None:
    with pytest.raises(exceptions.KmipOperationFailure) as failure:
        client.get("no-such-object")
    assert failure.value.reason in (enums.ResultReason.ITEM_NOT_FOUND, enums.ResultReason.OBJECT_NOT_FOUND)
    assert failure.value.message


def test_a_key_pair_is_two_linked_keys_that_fit(client: ProxyKmipClient, fresh_name: Namer) -> None:
    public, private = client.create_key_pair(
        enums.CryptographicAlgorithm.RSA,
        2048,
        public_name=fresh_name("public"),
        public_usage_mask=[enums.CryptographicUsageMask.VERIFY],
        private_name=fresh_name("private"),
        private_usage_mask=[enums.CryptographicUsageMask.SIGN],
    )
    public_key, private_key = client.get(public), client.get(private)
    assert isinstance(public_key, pie.PublicKey)
    assert isinstance(private_key, pie.PrivateKey)
    loaded = serialization.load_der_private_key(private_key.value, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    assert loaded.key_size == 2048
    forms = (
        (serialization.PublicFormat.PKCS1, enums.KeyFormatType.PKCS_1),
        (serialization.PublicFormat.SubjectPublicKeyInfo, enums.KeyFormatType.X_509),
    )
    expected = {
        kind: loaded.public_key().public_bytes(serialization.Encoding.DER, form) for form, kind in forms
    }
    assert public_key.value == expected[public_key.key_format_type]


def test_rekey_makes_another_key_and_takes_the_name_along(client: ProxyKmipClient, fresh_name: Namer) -> None:
    name = fresh_name("rekey")
    old = create_aes(client, name)
    client.activate(old)
    new = client.rekey(old)
    assert new != old
    assert client.get(new).value != client.get(old).value
    assert client.locate(attributes=[attribute(enums.AttributeType.NAME, name)]) == [new]


def test_check_answers_for_a_key_that_may_be_used(client: ProxyKmipClient, fresh_name: Namer) -> None:
    identifier = create_aes(client, fresh_name("check"))
    client.activate(identifier)
    assert client.check(identifier, cryptographic_usage_mask=ENCRYPT_DECRYPT) == identifier


def test_query_says_what_there_is(client: ProxyKmipClient) -> None:
    answer = client.proxy.query(
        query_functions=[
            enums.QueryFunction.QUERY_OPERATIONS,
            enums.QueryFunction.QUERY_OBJECTS,
            enums.QueryFunction.QUERY_SERVER_INFORMATION,
        ]
    )
    assert answer.result_status.value is enums.ResultStatus.SUCCESS
    assert enums.Operation.CREATE in answer.operations
    assert enums.ObjectType.SYMMETRIC_KEY in answer.object_types
    assert answer.vendor_identification


def test_discover_versions_lists_newest_first(client: ProxyKmipClient) -> None:
    if client.kmip_version is enums.KMIPVersion.KMIP_1_0:
        pytest.skip("Discover Versions came with KMIP 1.1")
    answer = client.proxy.discover_versions()
    assert answer.result_status.value is enums.ResultStatus.SUCCESS
    versions = [(v.major, v.minor) for v in answer.protocol_versions]
    assert versions == sorted(versions, reverse=True)
    assert {(1, 0), (1, 4), (2, 0), (2, 1)} <= set(versions)


def test_encrypt_and_decrypt_use_the_key_on_the_server(client: ProxyKmipClient, fresh_name: Namer) -> None:
    if client.kmip_version < enums.KMIPVersion.KMIP_1_2:
        pytest.skip("Encrypt and Decrypt came with KMIP 1.2")
    identifier = create_aes(client, fresh_name("encrypt"))
    client.activate(identifier)
    vector = bytes(16)
    sealed, _ = client.encrypt(
        b"a message of any length", uid=identifier, cryptographic_parameters=CBC, iv_counter_nonce=vector
    )
    opened = client.decrypt(sealed, uid=identifier, cryptographic_parameters=CBC, iv_counter_nonce=vector)
    assert opened == b"a message of any length"


def test_a_name_can_be_changed_and_deleted(client: ProxyKmipClient, fresh_name: Namer) -> None:
    if client.kmip_version is enums.KMIPVersion.KMIP_2_0:
        pytest.skip("2.0 says in another way which value is meant; it has a test of its own")
    identifier = create_aes(client, fresh_name("before"))
    after = fresh_name("after")
    client.modify_attribute(identifier, attribute=attribute(enums.AttributeType.NAME, after, 0))
    assert client.locate(attributes=[attribute(enums.AttributeType.NAME, after)]) == [identifier]
    client.delete_attribute(identifier, attribute_name="Name", attribute_index=0)
    assert client.locate(attributes=[attribute(enums.AttributeType.NAME, after)]) == []


def test_a_name_can_be_changed_and_deleted_in_2_0(endpoint: Endpoint, fresh_name: Namer) -> None:
    before, after = fresh_name("before"), fresh_name("after")
    with connect(endpoint, version=enums.KMIPVersion.KMIP_2_0) as client:
        identifier = create_aes(client, before)
        client.modify_attribute(
            identifier,
            current_attribute=objects.CurrentAttribute(attribute=Name.create(before, TEXT)),
            new_attribute=objects.NewAttribute(attribute=Name.create(after, TEXT)),
        )
        assert client.locate(attributes=[attribute(enums.AttributeType.NAME, after)]) == [identifier]
        assert client.locate(attributes=[attribute(enums.AttributeType.NAME, before)]) == []
        client.delete_attribute(
            identifier, current_attribute=objects.CurrentAttribute(attribute=Name.create(after, TEXT))
        )
        assert client.locate(attributes=[attribute(enums.AttributeType.NAME, after)]) == []


def test_an_empty_user_name_and_password_count_as_none(endpoint: Endpoint, fresh_name: Namer) -> None:
    client = ProxyKmipClient(
        hostname=endpoint.host,
        port=endpoint.port,
        cert=endpoint.cert,
        key=endpoint.key,
        ca=endpoint.ca,
        ssl_version="PROTOCOL_TLSv1_2",
        username="",
        password="",
    )
    with client:
        assert create_aes(client, fresh_name("credential"))


def symmetric_key(**named: str) -> pie.SymmetricKey:
    return pie.SymmetricKey(
        enums.CryptographicAlgorithm.AES, 128, bytes(range(16)), masks=ENCRYPT_DECRYPT, **named
    )


def public_key(**named: str) -> pie.PublicKey:
    key = RSA_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return pie.PublicKey(
        enums.CryptographicAlgorithm.RSA,
        2048,
        key,
        enums.KeyFormatType.PKCS_1,
        masks=[enums.CryptographicUsageMask.VERIFY],
        **named,
    )


def private_key(**named: str) -> pie.PrivateKey:
    key = RSA_KEY.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pie.PrivateKey(
        enums.CryptographicAlgorithm.RSA,
        2048,
        key,
        enums.KeyFormatType.PKCS_8,
        masks=[enums.CryptographicUsageMask.SIGN],
        **named,
    )


def certificate(**named: str) -> pie.X509Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(RSA_KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .sign(RSA_KEY, hashes.SHA256())
    )
    return pie.X509Certificate(
        signed.public_bytes(serialization.Encoding.DER),
        masks=[enums.CryptographicUsageMask.VERIFY],
        **named,
    )


def secret(**named: str) -> pie.SecretData:
    return pie.SecretData(
        b"correct horse battery staple",
        enums.SecretDataType.PASSWORD,
        masks=[enums.CryptographicUsageMask.VERIFY],
        **named,
    )


def opaque(**named: str) -> pie.OpaqueObject:
    return pie.OpaqueObject(b"\x00\x01opaque", enums.OpaqueDataType.NONE, **named)


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OBJECTS = {
    "symmetric": symmetric_key,
    "public": public_key,
    "private": private_key,
    "certificate": certificate,
    "secret": secret,
    "opaque": opaque,
}


def test_a_wrapped_key_comes_back_as_it_was_and_is_wrapped_anew(
    client: ProxyKmipClient, fresh_name: Namer
) -> None:
    """RFC 3394 4.1. PyKMIP gives no key Cryptographic Parameters, and names them in the request.

    It wants the wrapped bytes as Key Material in a Key Value structure, where the specification has a byte
    string: so it can read wrapped only what it registered wrapped, which goes out in the form it came in.
    """
    if client.kmip_version is enums.KMIPVersion.KMIP_1_0:
        pytest.skip("KMIP 1.0 has no Encoding Option, and PyKMIP makes no TTLV Encoding of its own")
    first, second = (
        client.register(
            pie.SymmetricKey(
                enums.CryptographicAlgorithm.AES,
                128,
                bytes(range(16)),
                masks=[enums.CryptographicUsageMask.WRAP_KEY, enums.CryptographicUsageMask.UNWRAP_KEY],
                name=fresh_name(name),
            )
        )
        for name in ("first", "second")
    )
    for wrapping_key in (first, second):
        client.activate(wrapping_key)
    given = bytes.fromhex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")
    wrapping: dict[str, Any] = {
        "wrapping_method": enums.WrappingMethod.ENCRYPT,
        "encryption_key_information": {
            "unique_identifier": first,
            "cryptographic_parameters": {"block_cipher_mode": enums.BlockCipherMode.NIST_KEY_WRAP},
        },
        "encoding_option": enums.EncodingOption.NO_ENCODING,
    }
    made = client.register(
        pie.SymmetricKey(
            enums.CryptographicAlgorithm.AES,
            128,
            given,
            name=fresh_name("wrapped"),
            key_wrapping_data=wrapping,
        )
    )
    assert client.get(made).value == given
    anew = {**wrapping, "encryption_key_information": {**wrapping["encryption_key_information"]}}
    anew["encryption_key_information"]["unique_identifier"] = second
    again = client.get(made, anew)
    assert again.value == given  # both wrapping keys have the same bytes
    assert again.key_wrapping_data["encryption_key_information"]["unique_identifier"] == second
