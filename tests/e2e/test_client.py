"""The client library against the real server, in every version and every encoding."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom import AsyncClient, Client, testing
from strongroom.client.attributes import attribute, template
from strongroom.client.errors import (
    AmbiguousName,
    AuthenticationFailed,
    BatchStopped,
    ObjectNotFound,
    OperationFailed,
    ServerUnreachable,
    VersionNotSupported,
)
from strongroom.client.profile import Profile, load_profile
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import OpaqueObject, PrivateKey, PublicKey, SymmetricKey
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.create import CreateRequest, CreateResponse
from strongroom.operations.destroy import DestroyRequest
from strongroom.registry import (
    V1_1,
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    VERSIONS,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    RecommendedCurve,
    State,
    Tag,
    Version,
)
from strongroom.wire.encodings import Encoding

CBC = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.CBC,
    padding_method=PaddingMethod.PKCS5,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    random_iv=True,
)


def client_of(server: testing.Server, version: Version | None = None) -> Client:
    return Client.with_profile(replace(load_profile(server.profile), version=version))


@pytest.fixture(params=VERSIONS, ids=str)
def version(request: pytest.FixtureRequest) -> Version:
    chosen: Version = request.param
    return chosen


@pytest.fixture(scope="module")
def profiles(server: testing.Server) -> dict[str, Profile]:
    """Return a client of its own for each way to speak, so that none finds what another has made."""
    plain = load_profile(server.profile)
    texts: dict[str, Profile] = {
        encoding: load_profile(server.enrol(f"client-{encoding}")).speaking(encoding=encoding)
        for encoding in (Encoding.JSON, Encoding.XML)
    }
    return {"tls": plain, **texts}


@pytest.fixture(params=["tls", Encoding.JSON, Encoding.XML])
def client(
    request: pytest.FixtureRequest, profiles: dict[str, Profile], version: Version
) -> Iterator[Client]:
    with Client.with_profile(replace(profiles[request.param], version=version)) as client:
        yield client


def state_of(client: Client, identifier: str) -> State:
    (state,) = client.get_attributes(identifier, Tag.STATE)
    found: State = state.value
    return found


def test_client_and_server_agree_on_the_newest_version_that_is_no_draft(server: testing.Server) -> None:
    with Client.from_profile(server.profile) as client:
        assert client.negotiate() == V2_1
        assert set(client.discover_versions()) == set(VERSIONS)


def test_a_symmetric_key_lives_its_whole_life(client: Client, version: Version) -> None:
    name = f"life-{version}"
    key = client.create_symmetric_key(name=name, attributes=[attribute("x-purpose", "test")])
    assert client.find(name) == key
    assert client.locate(name=name, cryptographic_length=256) == [key]
    assert client.locate(attributes=[attribute("x-purpose", "other")]) == []
    assert state_of(client, key) is State.PRE_ACTIVE
    client.activate(key)
    assert state_of(client, key) is State.ACTIVE
    assert len(client.get_material(key)) == 32
    assert isinstance(client.get(key), SymmetricKey)
    replacement = client.re_key(key)
    assert client.find(name) == replacement
    client.revoke(key)
    assert state_of(client, key) is State.DEACTIVATED
    client.destroy(key)
    with pytest.raises(ObjectNotFound):
        client.get(key)


def test_what_was_registered_comes_back(client: Client) -> None:
    secret = bytes(range(32))
    assert client.get_material(client.register_symmetric_key(secret)).reveal() == secret
    assert client.get_material(client.register_secret_data(b"hunter2")).reveal() == b"hunter2"
    opaque = client.get(client.register_opaque_object(secret))
    assert isinstance(opaque, OpaqueObject)
    assert opaque.opaque_data_value.reveal() == secret


def test_a_key_pair_is_made_and_given_out(client: Client, version: Version) -> None:
    made = client.create_key_pair(
        cryptographic_algorithm=CryptographicAlgorithm.EC, recommended_curve=RecommendedCurve.P_256
    )
    private = client.get(made.private_key_unique_identifier, key_format_type=KeyFormatType.PKCS_8)
    assert isinstance(private, PrivateKey)
    assert isinstance(client.get(made.public_key_unique_identifier), PublicKey)
    if version >= V1_1:
        replacement = client.re_key_key_pair(made.private_key_unique_identifier)
        assert replacement.private_key_unique_identifier != made.private_key_unique_identifier


def test_attributes_are_added_changed_and_deleted(client: Client, version: Version) -> None:
    key = client.create_symmetric_key()
    client.add_attribute(key, attribute("x-step", 1))
    client.modify_attribute(key, attribute("x-step", 2))
    (step,) = client.get_attributes(key, "x-step")
    assert step.value.value == 2
    assert attribute("x-step", 2).key in client.get_attribute_list(key)
    client.delete_attribute(key, "x-step")
    assert client.get_attributes(key, "x-step") == ()
    if version >= V2_0:
        client.set_attribute(key, attribute(Tag.CONTACT_INFORMATION, "me"))


def test_data_is_encrypted_and_decrypted(client: Client, version: Version) -> None:
    if version < V1_2:
        with pytest.raises(VersionNotSupported, match=r"KMIP 1\.2 to"):
            client.encrypt("7d0b", b"text", cryptographic_parameters=CBC)
        return
    key = client.create_symmetric_key()
    client.activate(key)
    sealed = client.encrypt(key, b"text", cryptographic_parameters=CBC)
    assert sealed.data is not None
    plain = client.decrypt(
        key, sealed.data, cryptographic_parameters=CBC, iv_counter_nonce=sealed.iv_counter_nonce
    )
    assert plain.reveal() == b"text"


def test_the_server_tells_what_it_does(client: Client) -> None:
    told = client.query()
    assert Operation.GET in told.operation
    assert told.vendor_identification is not None


def test_a_batch_hands_the_new_key_on(client: Client) -> None:
    """The ID Placeholder: Activate without an identifier takes the key that Create made."""
    create = create_request()
    made, activated = client.batch([create, ActivateRequest()])
    assert isinstance(made, CreateResponse)
    assert isinstance(activated, ActivateResponse)
    assert activated.unique_identifier == made.unique_identifier


def test_a_batch_stops_at_the_first_failure(client: Client) -> None:
    nowhere = DestroyRequest(unique_identifier=UniqueIdentifier("nowhere"))
    failed, skipped = client.batch([nowhere, create_request()])
    assert isinstance(failed, OperationFailed)
    assert isinstance(skipped, BatchStopped)


def create_request() -> CreateRequest:
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=128,
            cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT,
        ),
    )


def test_locate_finds_more_than_the_server_gives_at_once(tmp_path: Path) -> None:
    settings = {"policy": {"maximum_locate_items": 2}}
    with testing.server(tmp_path, settings=settings) as server, client_of(server) as client:
        keys = {client.create_symmetric_key() for _ in range(5)}
        assert set(client.locate()) == keys
        assert len(client.locate(maximum_items=1)) == 1


def test_a_name_that_several_objects_have_is_refused(server: testing.Server) -> None:
    """The names that other libraries give to unnamed objects are not unique."""
    with client_of(server, V1_4) as client:
        made = {client.create_symmetric_key(name="Symmetric Key") for _ in range(2)}
        with pytest.raises(AmbiguousName) as caught:
            client.find("Symmetric Key")
        assert set(caught.value.unique_identifiers) == made
        with pytest.raises(ObjectNotFound, match="no object is named 'nobody'"):
            client.find("nobody")


def test_user_name_and_password_of_the_profile_are_sent(server: testing.Server) -> None:
    profile = server.enrol("named", username="alice", password="open sesame")
    with Client.from_profile(profile) as client:
        assert client.create_symmetric_key()
    wrong = replace(load_profile(profile), username="bob")
    with Client.with_profile(wrong) as client, pytest.raises(AuthenticationFailed):
        client.locate()


def test_a_client_outlives_a_restart_of_its_server(tmp_path: Path) -> None:
    with testing.server(tmp_path) as server, client_of(server) as client:
        key = client.create_symmetric_key()
        server.stop()
        server.start()
        assert client.create_symmetric_key() != key
        assert len(client.get_material(key)) == 32


async def test_whoever_is_not_let_in_is_told_what_may_be_the_cause(server: testing.Server) -> None:
    profile = server.enrol("gone")
    server.run("client", "revoke", "gone", "--data", str(server.directory))
    told = pytest.raises(ServerUnreachable, match="may not know the client's certificate")
    with Client.from_profile(profile) as client, told:
        client.locate()
    async with AsyncClient.from_profile(profile) as other:
        with told:
            await other.locate()


async def test_the_asynchronous_client_does_the_same(server: testing.Server) -> None:
    async with AsyncClient.from_profile(server.profile) as client:
        keys = await asyncio.gather(*(client.create_symmetric_key() for _ in range(4)))
        assert len(set(keys)) == 4
        material = [await client.get_material(key) for key in keys]
        assert {len(m) for m in material} == {32}
        with pytest.raises(ObjectNotFound):
            await client.find("nobody")
