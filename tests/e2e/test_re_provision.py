"""Re-Provision over TLS: the new credential works at once, the old one nowhere any more."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from strongroom import testing
from strongroom.client.sync import Client
from strongroom.conformance.trees import children, find
from strongroom.domain.operation import Request
from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.get import GetRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.re_provision import ReProvisionRequest
from strongroom.registry import (
    V2_1,
    BatchErrorContinuationOption,
    CertificateRequestType,
    CertificateType,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    ResultReason,
    ResultStatus,
    Tag,
)
from strongroom.server.certificates.ca import ClientKey, new_key, private_pem
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.e2e.conftest import endpoint, last_answered
from tests.e2e.test_enrolment import PING, admin, profile_of, works, works_anew
from tests.interop.endpoint import RawConnection
from tests.kms import attribute, request_message
from tests.unit.server.authorities_made import OutsideAuthority

OUTSIDE = OutsideAuthority(now=datetime.now(UTC).replace(microsecond=0))
"""An authority whose certificates pass TLS (`tls.client_ca`), which makes nobody a client."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "corporate.pem").write_bytes(OUTSIDE.pem)
    settings: dict[str, dict[str, object]] = {"tls": {"client_ca": str(folder / "corporate.pem")}}
    with testing.server(folder, workers=2, settings=settings) as server:
        yield server


def map_(server: testing.Server, name: str) -> None:
    """Have the outside authority's certificates of this subject be the client of this name."""
    issuer = str(server.directory.parent / "corporate.pem")
    admin(server, "client", "map", name, "--issuer", issuer, "--subject", f"CN={name}")


def with_credential(profile: Path, key: bytes, certificate: bytes) -> Path:
    """Return a profile beside another, with these PEM files instead."""
    folder = profile.parent.with_name(f"{profile.parent.name}-new")
    shutil.copytree(profile.parent, folder)
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(certificate)
    return folder / "profile.toml"


def renewed(connection: RawConnection, *batch: Request[Any]) -> list[Item]:
    """Send a batch that begins with Re-Provision and return its answers: nothing can be fetched later."""
    answer = binary.decode(connection.exchange(binary.encode(request_message(*batch, version=V2_1))))
    statuses = [found[2] for found in find(answer, Tag.RESULT_STATUS)]
    assert statuses == [ResultStatus.SUCCESS] * len(batch)
    return children(answer, Tag.BATCH_ITEM)


def value_of(item: Item, tag: Tag) -> bytes:
    (found,) = find(item, tag)
    assert isinstance(found[2], bytes)
    return found[2]


def csr(key: ClientKey) -> ReProvisionRequest:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "renewed")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return ReProvisionRequest(
        certificate_request=CertificateRequest(
            certificate_request_type=CertificateRequestType.PKCS_10,
            certificate_request_value=made.public_bytes(Encoding.DER),
        )
    )


def reason(connection: RawConnection, request: ReProvisionRequest) -> Any:
    """Return why a request is refused."""
    answer = binary.decode(connection.exchange(binary.encode(request_message(request, version=V2_1))))
    (found,) = find(answer, Tag.RESULT_REASON)
    return found[2]


def by_request(server: testing.Server, connection: RawConnection) -> tuple[bytes, bytes]:
    key = new_key()
    _, got = renewed(connection, csr(key), GetRequest())
    return private_pem(key), value_of(got, Tag.CERTIFICATE_VALUE)


def with_certificate(certificate: x509.Certificate) -> ReProvisionRequest:
    value = certificate.public_bytes(Encoding.DER)
    return ReProvisionRequest(
        certificate=Certificate(certificate_type=CertificateType.X_509, certificate_value=value)
    )


def by_certificate(server: testing.Server, connection: RawConnection) -> tuple[bytes, bytes]:
    map_(server, "certificate")
    certificate, key = OUTSIDE.issue("certificate")
    renewed(connection, with_certificate(certificate))
    return private_pem(key), certificate.public_bytes(Encoding.DER)


def by_the_server(server: testing.Server, connection: RawConnection) -> tuple[bytes, bytes]:
    newest = LocateRequest(
        maximum_items=1,
        attributes=TemplateAttributes(
            attributes=Attributes([attribute(Tag.OBJECT_TYPE, ObjectType.CERTIFICATE)])
        ),
    )
    _, key, _, got = renewed(
        connection,
        ReProvisionRequest(),
        GetRequest(key_format_type=KeyFormatType.PKCS_8),
        newest,
        GetRequest(),
    )
    pkcs8 = load_der_private_key(value_of(key, Tag.KEY_MATERIAL), None)
    pem = pkcs8.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, value_of(got, Tag.CERTIFICATE_VALUE)


def test_a_request_that_cannot_be_read_is_refused_and_changes_nothing(server: testing.Server) -> None:
    profile = server.enrol("unlucky")
    garbage = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=b"garbage"
    )
    with endpoint(server, profile).connect() as connection:
        refused = reason(connection, ReProvisionRequest(certificate_request=garbage))
        assert refused == ResultReason.INVALID_FIELD
        assert works(connection)
    assert works_anew(server, profile)


def test_nobody_makes_the_certificate_of_another_its_own(server: testing.Server, tmp_path: Path) -> None:
    """Its owner would be taken for them, and prove with each handshake that it has the key.

    What the owner would have made would be the attacker's, and nobody could enrol the owner any more.
    """
    attacker = server.enrol("attacker")
    certificate, key = OUTSIDE.issue("newcomer")
    newcomer = profile_of(server, tmp_path / "newcomer", certificate, key)
    with endpoint(server, attacker).connect() as connection:
        assert reason(connection, with_certificate(certificate)) == ResultReason.INVALID_FIELD
        assert not works_anew(server, newcomer)
        map_(server, "newcomer")
        assert works_anew(server, newcomer)
        assert reason(connection, with_certificate(certificate)) == ResultReason.INVALID_FIELD
        assert works(connection)
    assert works_anew(server, attacker)
    with Client.from_profile(newcomer) as client:
        client.create_symmetric_key(name="of the newcomer")
    with Client.from_profile(attacker) as client:
        assert client.locate() == []


def test_whoever_a_rule_lets_in_gets_no_credential_that_outlasts_the_rule(
    server: testing.Server, tmp_path: Path
) -> None:
    """A stolen certificate of another authority is worth nothing once that is withdrawn."""
    map_(server, "mapped")
    profile = profile_of(server, tmp_path / "mapped", *OUTSIDE.issue("mapped"))
    stolen = new_key()
    with endpoint(server, profile).connect() as connection:
        for request in (csr(stolen), with_certificate(OUTSIDE.issue("mapped")[0]), ReProvisionRequest()):
            assert reason(connection, request) == ResultReason.PERMISSION_DENIED
        assert works(connection)
    admin(server, "client", "unmap", "mapped")
    assert not works_anew(server, profile)


def test_nor_does_it_where_the_request_is_passed_on_to_another_worker(
    server: testing.Server, tmp_path: Path
) -> None:
    """A batch that names a stream is answered by the worker that has the stream, or would have it."""
    map_(server, "passed")
    profile = profile_of(server, tmp_path / "passed", *OUTSIDE.issue("passed"))
    hashed = HashRequest(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=SecretBytes(b"x"),
        init_indicator=True,
    )
    started = []
    for _ in range(8):  # whichever worker
        with endpoint(server, profile).connect() as connection:
            begun = binary.decode(connection.exchange(binary.encode(request_message(hashed, version=V2_1))))
            started.append(value_of(begun, Tag.CORRELATION_VALUE))
    invented = [row.to_bytes(2) + bytes(20) for row in range(3)]
    for value in (*started, *invented):
        part = HashRequest(
            cryptographic_parameters=hashed.cryptographic_parameters,
            correlation_value=value,
            data=SecretBytes(b"y"),
        )
        batch = request_message(
            csr(new_key()),
            part,
            version=V2_1,
            batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
        )
        with endpoint(server, profile).connect() as connection:
            answer = binary.decode(connection.exchange(binary.encode(batch)))
        first, second = children(answer, Tag.BATCH_ITEM)
        assert [found[2] for found in find(first, Tag.RESULT_REASON)] == [ResultReason.PERMISSION_DENIED]
        done = [found[2] for found in find(second, Tag.RESULT_STATUS)] == [ResultStatus.SUCCESS]
        assert done == (value in started)
    assert works_anew(server, profile)


Form = Callable[[testing.Server, RawConnection], tuple[bytes, bytes]]


@pytest.mark.parametrize(
    "form", [by_request, by_certificate, by_the_server], ids=["request", "certificate", "server"]
)
def test_the_new_credential_works_and_the_old_one_ends_on_every_worker(
    server: testing.Server, form: Form, request: pytest.FixtureRequest
) -> None:
    profile = server.enrol(request.node.callspec.id)
    connections = [endpoint(server, profile).connect() for _ in range(6)]
    assert all(map(works, connections))
    key, certificate = form(server, connections[0])
    renewed = time.monotonic()
    assert all(last_answered(connection, PING) < renewed + 2 for connection in connections)
    for connection in connections:
        connection.stream.close()
    assert not works_anew(server, profile)
    pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    new = with_credential(profile, key, pem)
    for _ in range(4):  # whichever worker
        assert works_anew(server, new)
