"""The methods of the client for what is done with keys and certificates, against the real server."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from strongroom import AsyncClient, Client, testing
from strongroom.client import parts
from strongroom.client.attributes import template
from strongroom.client.errors import (
    AuthenticationFailed,
    KMIPError,
    ObjectNotFound,
    OperationFailed,
    VerificationFailed,
    VersionNotSupported,
)
from strongroom.client.profile import load_profile
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import Ticket
from strongroom.model.objects import Certificate, SymmetricKey
from strongroom.model.rights import Operations, Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, DerivationParameters
from strongroom.operations.create import CreateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    V3_0,
    BlockCipherMode,
    CancellationResult,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    ObjectType,
    Operation,
    PaddingMethod,
    RecommendedCurve,
    State,
    Tag,
    ValidityIndicator,
    Version,
)
from strongroom.wire.encodings import Encoding

MASK = CryptographicUsageMask
ECDSA = CryptographicParameters(digital_signature_algorithm=DigitalSignatureAlgorithm.ECDSA_WITH_SHA256)
HMAC = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
GCM = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.GCM,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    random_iv=True,
    tag_length=16,
)
CBC = GCM.replace(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, tag_length=None)
LONG = bytes(range(256)) * 20
ABC_SHA_256 = bytes.fromhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")  # FIPS 180-2


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 1000)


def speaking(server: testing.Server, version: Version) -> Client:
    return Client.with_profile(replace(load_profile(server.profile), version=version))


@pytest.fixture(params=[V1_4, V2_1, V3_0], ids=str)
def client(request: pytest.FixtureRequest, server: testing.Server) -> Iterator[Client]:
    with speaking(server, request.param) as client:
        yield client


def active_key(client: Client, mask: CryptographicUsageMask) -> str:
    key = client.create_symmetric_key(cryptographic_usage_mask=mask)
    client.activate(key)
    return key


def key_pair(
    client: Client,
    private: CryptographicUsageMask = MASK.SIGN,
    algorithm: CryptographicAlgorithm = CryptographicAlgorithm.ECDSA,
) -> tuple[str, str]:
    made = client.create_key_pair(
        cryptographic_algorithm=algorithm,
        recommended_curve=RecommendedCurve.P_256,
        private_key_usage_mask=private,
    )
    for half in made:
        client.activate(half)
    return made


@pytest.mark.parametrize("data", [b"text", LONG], ids=["short", "long"])
def test_data_are_signed_and_the_signature_verifies(client: Client, data: bytes) -> None:
    private, public = key_pair(client)
    signature = client.sign(private, io.BytesIO(data), cryptographic_parameters=ECDSA)
    client.signature_verify(public, data, signature_data=signature, cryptographic_parameters=ECDSA)
    client.signature_verify(public, iter([data]), signature_data=signature, cryptographic_parameters=ECDSA)
    with pytest.raises(VerificationFailed, match="the signature is not valid") as caught:
        client.signature_verify(public, data + b"!", signature_data=signature, cryptographic_parameters=ECDSA)
    assert caught.value.validity_indicator is ValidityIndicator.INVALID


@pytest.mark.parametrize("data", [b"text", LONG], ids=["short", "long"])
def test_a_mac_is_made_and_verified(client: Client, data: bytes) -> None:
    key = active_key(client, MASK.MAC_GENERATE | MASK.MAC_VERIFY)
    made = client.mac(key, data, cryptographic_parameters=HMAC)
    assert client.mac(key, io.BytesIO(data), cryptographic_parameters=HMAC) == made
    client.mac_verify(key, io.BytesIO(data), mac_data=made, cryptographic_parameters=HMAC)
    with pytest.raises(VerificationFailed, match="the MAC is not valid"):
        client.mac_verify(key, data, mac_data=bytes(32), cryptographic_parameters=HMAC)


def test_data_are_hashed_whole_and_in_parts(client: Client) -> None:
    assert client.hash(b"abc") == ABC_SHA_256
    whole = client.hash(LONG, hashing_algorithm=HashingAlgorithm.SHA3_256)
    assert client.hash(io.BytesIO(LONG), hashing_algorithm=HashingAlgorithm.SHA3_256) == whole
    assert client.hash(io.BytesIO(b"")) == client.hash(b"")


def test_random_bytes_are_as_many_as_asked_for_and_differ(client: Client) -> None:
    first, second = client.random_bytes(32), client.random_bytes(32)
    assert len(first) == 32
    assert first.reveal() != second.reveal()


@pytest.mark.parametrize("parameters", [CBC, GCM], ids=["CBC", "GCM"])
@pytest.mark.parametrize("data", [b"", b"text", LONG], ids=["empty", "short", "long"])
def test_long_data_are_encrypted_and_decrypted_in_parts(
    client: Client, parameters: CryptographicParameters, data: bytes
) -> None:
    key = active_key(client, MASK.ENCRYPT | MASK.DECRYPT)
    sealing = client.encrypt_parts(key, io.BytesIO(data), cryptographic_parameters=parameters)
    sealed = list(sealing)
    whole = client.decrypt(
        key,
        b"".join(sealed),
        cryptographic_parameters=parameters,
        iv_counter_nonce=sealing.iv_counter_nonce,
        authenticated_encryption_tag=sealing.authenticated_encryption_tag,
    )
    assert whole.reveal() == data
    opened = client.decrypt_parts(
        key,
        sealed,
        cryptographic_parameters=parameters,
        iv_counter_nonce=sealing.iv_counter_nonce,
        authenticated_encryption_tag=sealing.authenticated_encryption_tag,
    )
    assert b"".join(part.reveal() for part in opened) == data


@pytest.mark.parametrize("encoding", Encoding)
def test_an_answer_may_be_longer_than_a_request(
    server: testing.Server, encoding: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a mode with a tag all of the plaintext comes at the end; a request holds 4 MiB at most."""
    monkeypatch.setattr(parts, "PART_SIZE", 1 << 20)
    with Client.from_profile(server.profile, encoding=encoding) as client:
        key = active_key(client, MASK.ENCRYPT | MASK.DECRYPT)
        sealing = client.encrypt_parts(key, io.BytesIO(bytes(4_500_000)), cryptographic_parameters=GCM)
        sealed = list(sealing)
        (opened,) = client.decrypt_parts(
            key,
            sealed,
            cryptographic_parameters=GCM,
            iv_counter_nonce=sealing.iv_counter_nonce,
            authenticated_encryption_tag=sealing.authenticated_encryption_tag,
        )
        assert opened.reveal() == bytes(4_500_000)


def test_parts_need_kmip_1_3(server: testing.Server) -> None:
    with speaking(server, V1_2) as client:
        assert client.hash(io.BytesIO(b"abc")) == ABC_SHA_256
        with pytest.raises(VersionNotSupported, match=r"KMIP 1\.2 has no field Init Indicator"):
            client.hash(io.BytesIO(LONG))


def test_a_key_is_derived(client: Client) -> None:
    base = active_key(client, MASK.DERIVE_KEY)
    derived = client.derive_key(
        base,
        derivation_method=DerivationMethod.HMAC,
        derivation_parameters=DerivationParameters(
            cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
            derivation_data=(SecretBytes(b"label"),),
        ),
        cryptographic_length=128,
    )
    assert len(client.get_material(derived)) == 16


def test_a_key_is_split_and_joined(client: Client) -> None:
    key = client.create_symmetric_key()
    made = client.create_split_key(key, split_key_parts=3, split_key_threshold=2)
    assert len(made) == 3
    joined = client.join_split_key(made[2], made[0])
    assert client.get_material(joined).reveal() == client.get_material(key).reveal()
    with pytest.raises(OperationFailed):
        client.join_split_key(made[1])


def test_a_key_is_given_out_wrapped(client: Client) -> None:
    wrapping_key = active_key(client, MASK.WRAP_KEY)
    key = client.create_symmetric_key()
    wrapped = client.get_material(key, wrapping_key=wrapping_key)
    assert len(wrapped) == 32 + 8
    given = client.get(key, wrapping_key=wrapping_key)
    assert isinstance(given, SymmetricKey)
    assert given.key_block.key_wrapping_data is not None


def test_an_object_goes_from_one_client_to_another(client: Client, server: testing.Server) -> None:
    version = client.negotiate()
    key = client.create_symmetric_key(name=f"travels-{version}")
    exported = client.export(key)
    other = replace(load_profile(server.enrol(f"other-{version}")), version=version)
    with Client.with_profile(other) as receiver:
        there = receiver.import_(exported, unique_identifier=f"{key}-{version}")
        assert receiver.find(f"travels-{version}") == there
        assert receiver.get_material(there).reveal() == client.get_material(key).reveal()


def test_certificates_are_issued_judged_and_renewed(client: Client) -> None:
    authority = MASK.CERTIFICATE_SIGN | MASK.CRL_SIGN
    _, public = key_pair(client, authority)
    root = client.certify(public, certificate_subject_cn="Root", cryptographic_usage_mask=authority)
    client.activate(root)
    _, subject = key_pair(client)
    web = client.certify(subject, issuer=root, certificate_subject_cn="web")
    client.validate(web)
    found = client.get(web)
    assert isinstance(found, Certificate)
    with pytest.raises(VerificationFailed, match="the chain"):
        client.validate(
            certificates=[found.certificate_value], validity_date=datetime(2200, 1, 1, tzinfo=UTC)
        )
    assert client.re_certify(web) != web


def test_deactivation_is_what_the_version_has_for_it(client: Client) -> None:
    key = active_key(client, MASK.ENCRYPT)
    client.deactivate(key)
    assert [one.value for one in client.get_attributes(key, Tag.STATE)] == [State.DEACTIVATED]
    client.destroy(key)
    if client.negotiate() < V3_0:
        with pytest.raises(VersionNotSupported):
            client.obliterate(key)
        return
    client.obliterate(key)
    with pytest.raises(ObjectNotFound):
        client.get_attributes(key)


def with_ticket(server: testing.Server, ticket: Ticket, version: Version | None = None) -> Client:
    settings = load_profile(server.profile).client_arguments() | {"ticket": ticket, "version": version}
    return Client(**settings)


def test_a_ticket_takes_the_place_of_a_password(server: testing.Server) -> None:
    profile = server.enrol("ticketed", username="alice", password="open sesame")
    with Client.from_profile(profile) as client:
        key = client.create_symmetric_key()
        ticket = client.login(lease_time=60)
    arguments = load_profile(profile).client_arguments() | {"username": None, "password": None}
    with Client(**arguments, ticket=ticket) as client:
        assert client.negotiate() == V2_1
        assert len(client.get_material(key)) == 32
        client.logout(ticket)
        with pytest.raises(AuthenticationFailed):
            client.get(key)


def test_a_delegated_ticket_is_good_for_its_rights_and_no_more(
    client: Client, server: testing.Server
) -> None:
    if client.negotiate() < V2_1:
        with pytest.raises(VersionNotSupported):
            client.delegated_login(Rights())
        return
    right = Right(operations=Operations(operation=(Operation.GET,)))
    ticket = client.delegated_login(Rights(right=(right,)), request_count=100)
    key = client.create_symmetric_key()
    helper = server.enrol(f"helper-{client.negotiate()}")
    arguments = load_profile(helper).client_arguments() | {"version": client.negotiate()}
    with Client(**arguments, ticket=ticket) as borrower:
        assert len(borrower.get_material(key)) == 32
        with pytest.raises(KMIPError):
            borrower.destroy(key)


def test_who_brings_a_ticket_of_another_still_says_who_they_are(server: testing.Server) -> None:
    with Client.from_profile(server.profile) as client:
        ticket = client.delegated_login(Rights(right=(Right(),)))
        key = client.create_symmetric_key()
    arguments = load_profile(server.enrol("bearer", username="bob", password="secret")).client_arguments()
    with Client(**arguments, ticket=ticket) as bearer:
        assert len(bearer.get_material(key)) == 32
    with (
        Client(**arguments | {"username": None, "password": None}, ticket=ticket) as bearer,
        pytest.raises(AuthenticationFailed),
    ):
        bearer.get(key)


def test_a_ticket_and_an_old_version_exclude_each_other(server: testing.Server) -> None:
    with speaking(server, V2_1) as client:
        ticket = client.login()
    with (
        with_ticket(server, ticket, V1_4) as client,
        pytest.raises(VersionNotSupported, match=r"KMIP 1\.4 has no Credential Type Ticket"),
    ):
        client.query()


def create_request() -> CreateRequest:
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
            cryptographic_usage_mask=MASK.ENCRYPT,
        ),
    )


def test_a_request_is_answered_later(client: Client) -> None:
    later = client.later(create_request())
    assert later.asynchronous_correlation_value is not None
    key = later.wait(timeout=30).unique_identifier
    assert len(client.get_material(key)) == 32
    assert later.wait() == later.poll(), "the answer stays, although the server has forgotten it"


def test_a_failure_comes_with_the_answer(client: Client) -> None:
    later = client.later(DestroyRequest(unique_identifier=client.create_symmetric_key()))
    later.wait(timeout=30)
    failing = client.later(DestroyRequest(unique_identifier=UniqueIdentifier("nowhere")))
    for _ in range(2):
        with pytest.raises(ObjectNotFound):
            failing.wait(timeout=30)


def test_what_is_done_cannot_be_cancelled(client: Client) -> None:
    later = client.later(create_request())
    later.wait(timeout=30)
    assert later.cancel() is CancellationResult.COMPLETED


async def test_the_asynchronous_client_does_the_same(server: testing.Server) -> None:
    async with AsyncClient.from_profile(server.profile) as client:
        key = await client.create_symmetric_key()
        await client.activate(key)
        sealing = client.encrypt_parts(key, io.BytesIO(LONG), cryptographic_parameters=GCM)
        sealed = [part async for part in sealing]
        opened = client.decrypt_parts(
            key,
            sealed,
            cryptographic_parameters=GCM,
            iv_counter_nonce=sealing.iv_counter_nonce,
            authenticated_encryption_tag=sealing.authenticated_encryption_tag,
        )
        assert b"".join([part.reveal() async for part in opened]) == LONG
        laters = [await client.later(create_request()) for _ in range(2)]
        made = await asyncio.gather(*(later.wait(timeout=30) for later in laters))
        assert len({one.unique_identifier for one in made}) == 2
