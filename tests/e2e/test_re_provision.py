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
from strongroom.conformance.trees import children, find
from strongroom.domain.operation import Request
from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.ping import PingRequest
from strongroom.operations.re_provision import ReProvisionRequest
from strongroom.registry import (
    V2_1,
    CertificateRequestType,
    CertificateType,
    KeyFormatType,
    ObjectType,
    ResultReason,
    ResultStatus,
    Tag,
)
from strongroom.rootkey.file import FileRootKey
from strongroom.server.ca import new_key, open_authority, private_pem
from strongroom.server.data_directory import DataDirectory
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.e2e.conftest import endpoint
from tests.interop.endpoint import RawConnection
from tests.kms import attribute, request_message

PING = binary.encode(request_message(PingRequest(), version=V2_1))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("server"), workers=2) as server:
        yield server


def works(connection: RawConnection) -> bool:
    try:
        return bool(connection.exchange(PING))
    except OSError:
        return False


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


def by_request(server: testing.Server, connection: RawConnection) -> tuple[bytes, bytes]:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "renewed")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    request = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10,
        certificate_request_value=csr.public_bytes(Encoding.DER),
    )
    _, got = renewed(connection, ReProvisionRequest(certificate_request=request), GetRequest())
    return private_pem(key), value_of(got, Tag.CERTIFICATE_VALUE)


def by_certificate(server: testing.Server, connection: RawConnection) -> tuple[bytes, bytes]:
    directory = DataDirectory.open(server.directory)
    authority = open_authority(directory, FileRootKey(directory.root_key))
    key = new_key()
    now = datetime.now(UTC).replace(microsecond=0)
    own = authority.client_certificate(key.public_key(), "renewed", now).public_bytes(Encoding.DER)
    certificate = Certificate(certificate_type=CertificateType.X_509, certificate_value=own)
    renewed(connection, ReProvisionRequest(certificate=certificate))
    return private_pem(key), own


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
    refused = request_message(ReProvisionRequest(certificate_request=garbage), version=V2_1)
    with endpoint(server, profile).connect() as connection:
        answer = binary.decode(connection.exchange(binary.encode(refused)))
        assert [found[2] for found in find(answer, Tag.RESULT_REASON)] == [ResultReason.INVALID_FIELD]
        assert works(connection)
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
    started = time.monotonic()
    while any(map(works, connections)):
        assert time.monotonic() - started < 2.0, "an old connection still works"
    for connection in connections:
        connection.stream.close()
    assert not works_anew(server, profile)
    pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    new = with_credential(profile, key, pem)
    for _ in range(4):  # whichever worker
        assert works_anew(server, new)


def works_anew(server: testing.Server, profile: Path) -> bool:
    try:
        with endpoint(server, profile).connect() as connection:
            return works(connection)
    except OSError:
        return False
