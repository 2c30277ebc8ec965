"""Our client and commands on PyKMIP's server, which somebody else wrote.

Rule: what fails there and is PyKMIP's own limit is said so in the test.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import Client
from strongroom.cli import main
from strongroom.cli.exit import ExitCode
from strongroom.client.errors import (
    ObjectNotFound,
    OperationNotSupported,
    PermissionDenied,
    VersionNotSupported,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.get_attributes import GetAttributesRequest, GetAttributesResponse
from strongroom.registry import (
    V1_2,
    V2_0,
    V2_1,
    VERSIONS,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    ObjectType,
    PaddingMethod,
    State,
    Tag,
    Version,
)
from tests.interop.endpoint import Endpoint

SPOKEN = [version for version in VERSIONS if version <= V2_0]
CBC = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.CBC,
    padding_method=PaddingMethod.PKCS5,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
)


def client_of(endpoint: Endpoint, version: Version | None) -> Client:
    return Client(
        f"{endpoint.host}:{endpoint.port}",
        cert=endpoint.cert,
        key=endpoint.key,
        ca=endpoint.ca,
        version=version,
    )


@pytest.fixture(params=SPOKEN, ids=str)
def client(request: pytest.FixtureRequest, pykmip_endpoint: Endpoint) -> Iterator[Client]:
    with client_of(pykmip_endpoint, request.param) as client:
        yield client


def test_both_agree_on_2_0(pykmip_endpoint: Endpoint) -> None:
    with client_of(pykmip_endpoint, None) as client:
        assert client.negotiate() == V2_0
        assert set(client.discover_versions()) == set(SPOKEN)


def test_a_version_that_it_does_not_speak_is_named(pykmip_endpoint: Endpoint) -> None:
    refused = pytest.raises(VersionNotSupported, match=r"does not speak KMIP 2\.1")
    with client_of(pykmip_endpoint, V2_1) as client, refused:
        client.query()


def test_a_symmetric_key_lives_its_whole_life(client: Client) -> None:
    name = f"life-{client.negotiate()}"
    key = client.create_symmetric_key(name=name)
    assert client.find(name) == key
    assert key in client.locate(object_type=ObjectType.SYMMETRIC_KEY, state=State.PRE_ACTIVE)
    client.activate(key)
    assert len(client.get_material(key)) == 32
    assert [a.value for a in client.get_attributes(key, Tag.STATE)] == [State.ACTIVE]
    assert Tag.CRYPTOGRAPHIC_LENGTH in client.get_attribute_list(key)
    with pytest.raises(PermissionDenied):
        client.destroy(key)
    with pytest.raises(OperationNotSupported):
        client.re_key(key)
    client.revoke(key)
    client.destroy(key)
    with pytest.raises(ObjectNotFound):
        client.get(key)


def test_data_is_encrypted_and_decrypted(client: Client) -> None:
    if client.negotiate() < V1_2:
        pytest.skip("Encrypt is an operation of KMIP 1.2 and later")
    key = client.create_symmetric_key()
    client.activate(key)
    sealed = client.encrypt(key, b"text", cryptographic_parameters=CBC)
    assert sealed.data is not None
    plain = client.decrypt(
        key, sealed.data, cryptographic_parameters=CBC, iv_counter_nonce=sealed.iv_counter_nonce
    )
    assert plain.reveal() == b"text"


def test_what_was_registered_comes_back(client: Client) -> None:
    secret = bytes(range(16))
    assert client.get_material(client.register_symmetric_key(secret)).reveal() == secret
    assert client.get_material(client.register_secret_data(b"hunter2")).reveal() == b"hunter2"
    assert client.get_material(client.register_opaque_object(secret)).reveal() == secret
    pair = client.create_key_pair(cryptographic_length=2048)
    assert client.get_material(pair.public_key_unique_identifier)


def test_a_batch_is_carried_on_after_a_failure(client: Client) -> None:
    key = client.create_symmetric_key()
    found, failed, again = client.batch(
        [
            GetAttributesRequest(unique_identifier=key, attribute_reference=(Tag.STATE,)),
            GetRequest(unique_identifier=UniqueIdentifier("nowhere")),
            GetRequest(unique_identifier=key),
        ],
        on_error=BatchErrorContinuationOption.CONTINUE,
    )
    assert isinstance(found, GetAttributesResponse)
    assert [a.value for a in found.attributes.attributes] == [State.PRE_ACTIVE]
    assert isinstance(failed, ObjectNotFound)
    assert isinstance(again, GetResponse)


def test_the_commands_work_on_it(
    pykmip_endpoint: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text(
        f'servers = ["{pykmip_endpoint.host}:{pykmip_endpoint.port}"]\n'
        f'cert = "{pykmip_endpoint.cert}"\nkey = "{pykmip_endpoint.key}"\nca = "{pykmip_endpoint.ca}"\n'
    )
    monkeypatch.setenv("STRONGROOM_PROFILE", str(profile))
    monkeypatch.chdir(tmp_path)
    for words in (
        ["key", "create", "--name", "commanded"],
        ["key", "activate", "commanded"],
        ["key", "export", "commanded"],
        ["crypt", "encrypt", "commanded", "commanded.key", "--mode", "CBC", "--out", "sealed"],
        ["crypt", "decrypt", "sealed", "--out", "opened"],
        ["key", "revoke", "commanded"],
        ["server", "query"],
    ):
        assert main.run(words) == ExitCode.OK, words
    assert (tmp_path / "opened").read_bytes() == (tmp_path / "commanded.key").read_bytes()
    capsys.readouterr()
    assert main.run(["key", "list", "-o", "json"]) == ExitCode.OK
    states = {row["name"][0]: row["state"] for row in json.loads(capsys.readouterr().out) if row["name"]}
    assert states["commanded"] == "Deactivated"
    assert main.run(["key", "show", "nobody"]) == ExitCode.NOT_FOUND
