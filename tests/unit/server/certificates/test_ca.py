"""The internal CA and the TLS context, checked by real handshakes."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom.domain.ports import RootKey, RootKeyError
from strongroom.server.certificates.ca import (
    Authority,
    create_authority,
    issue_server_certificate,
    new_key,
    open_authority,
    private_pem,
    server_certificate_is_due,
)
from strongroom.server.config import TlsSettings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.listening.tls import server_context
from tests.unit.server.conftest import NOW


def client_context(directory: DataDirectory, authority: Authority | None, folder: Path) -> ssl.SSLContext:
    """Return what a careful client uses, with a certificate of `authority` if one is given."""
    context = ssl.create_default_context(cafile=str(directory.ca_certificate))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if authority is not None:
        key = new_key()
        certificate = authority.client_certificate(key.public_key(), "web", NOW)
        pem = folder / "client.pem"
        pem.write_bytes(private_pem(key) + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(pem)
    return context


class Pipe:
    """A TLS client and server wired back to back in memory."""

    def __init__(
        self,
        client: ssl.SSLContext,
        server: ssl.SSLContext,
        *,
        host: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(to_client, to_server, server_hostname=host, session=session)
        self.server = server.wrap_bio(to_server, to_client, server_side=True)

    def shake(self) -> None:
        for _ in range(6):
            for side in (self.client, self.server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        self.server.write(b"hello")
        assert self.client.read(5) == b"hello"


def uses(certificate: x509.Certificate) -> tuple[bool, int | None, set[str], list[x509.ObjectIdentifier]]:
    """Return whether and how far it is an authority, the bits of its key usage, and its purposes."""
    found = certificate.extensions
    basic, usage = (
        found.get_extension_for_class(x509.BasicConstraints),
        found.get_extension_for_class(x509.KeyUsage),
    )
    assert basic.critical
    assert usage.critical
    bits = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
    )
    purposes = [one for each in found if isinstance(each.value, x509.ExtendedKeyUsage) for one in each.value]
    given = {bit for bit in (*bits, "key_cert_sign", "crl_sign") if getattr(usage.value, bit)}
    return basic.value.ca, basic.value.path_length, given, purposes


def test_certificates_are_for_what_they_were_made_for_and_none_of_a_client_is_an_authority(
    authority: Authority,
) -> None:
    key, (server, client) = (
        new_key().public_key(),
        (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    )
    assert uses(authority.certificate) == (True, 0, {"key_cert_sign", "crl_sign"}, [])
    signing = {"digital_signature"}
    assert uses(authority.client_certificate(key, "web", NOW)) == (False, None, signing, [client])
    assert uses(authority.server_certificate(key, ["localhost"], NOW)) == (
        False,
        None,
        signing,
        [server, client],
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificates_pass_strict_verification_on_both_sides(
    directory: DataDirectory, authority: Authority, tmp_path: Path, host: str, version: ssl.TLSVersion
) -> None:
    server = server_context(TlsSettings(), directory)
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    client = client_context(directory, authority, tmp_path)
    client.minimum_version = client.maximum_version = version
    pipe = Pipe(client, server, host=host)
    pipe.shake()
    assert pipe.server.getpeercert(True)


def test_a_host_that_is_not_in_the_certificate_is_refused_by_the_client(
    directory: DataDirectory, authority: Authority, tmp_path: Path
) -> None:
    server = server_context(TlsSettings(), directory)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        Pipe(client_context(directory, authority, tmp_path), server, host="kms.example").shake()


def test_a_client_without_a_certificate_is_refused(
    directory: DataDirectory, authority: Authority, tmp_path: Path
) -> None:
    server = server_context(TlsSettings(), directory)
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        Pipe(client_context(directory, None, tmp_path), server).shake()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_resumes_with_the_client_certificate(
    directory: DataDirectory, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    server = server_context(TlsSettings(), directory)
    client = client_context(directory, authority, tmp_path)
    client.minimum_version = client.maximum_version = version
    first = Pipe(client, server)
    first.shake()
    second = Pipe(client, server, session=first.client.session)
    second.shake()
    assert second.client.session_reused
    assert second.server.getpeercert(True) == first.server.getpeercert(True)


@pytest.mark.parametrize("suite", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA"])
def test_suites_without_forward_secrecy_or_aead_are_refused(
    directory: DataDirectory, authority: Authority, tmp_path: Path, suite: str
) -> None:
    server = server_context(TlsSettings(), directory)
    client = client_context(directory, authority, tmp_path)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        Pipe(client, server).shake()


def test_tls_1_2_can_be_turned_off(directory: DataDirectory, authority: Authority, tmp_path: Path) -> None:
    server = server_context(TlsSettings(minimum_version="1.3"), directory)
    client = client_context(directory, authority, tmp_path)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        Pipe(client, server).shake()


def test_a_certificate_and_a_foreign_key_are_refused(directory: DataDirectory, authority: Authority) -> None:
    directory.server_key.write_bytes(private_pem(new_key()))
    with pytest.raises(OperatorError, match="KEY_VALUES_MISMATCH"):
        server_context(TlsSettings(), directory)


def test_a_missing_certificate_is_named(directory: DataDirectory, authority: Authority) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        server_context(TlsSettings(certificate="my.pem", key="my.key"), directory)


def test_a_certificate_without_its_key_setting_is_refused(
    directory: DataDirectory, authority: Authority
) -> None:
    with pytest.raises(OperatorError, match="belong together"):
        server_context(TlsSettings(certificate="my.pem"), directory)


def test_the_authority_is_opened_again_and_its_key_is_not_on_disk_in_clear(
    directory: DataDirectory, authority: Authority, root_key: RootKey
) -> None:
    again = open_authority(directory, root_key)
    certificate = again.client_certificate(new_key().public_key(), "web", NOW)
    certificate.verify_directly_issued_by(authority.certificate)
    assert b"PRIVATE KEY" not in directory.ca_key.read_bytes()
    assert directory.ca_key.stat().st_mode & 0o777 == 0o600
    assert directory.server_key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("position", [0, 21, 40, -1])
def test_a_damaged_authority_key_is_refused(
    directory: DataDirectory, authority: Authority, root_key: RootKey, position: int
) -> None:
    content = bytearray(directory.ca_key.read_bytes())
    content[position] ^= 1
    directory.ca_key.write_bytes(content)
    with pytest.raises((OperatorError, RootKeyError), match="damaged"):
        open_authority(directory, root_key)


def test_an_authority_with_a_foreign_key_file_is_refused(
    directory: DataDirectory, authority: Authority, root_key: RootKey
) -> None:
    other = directory.ca_key.read_bytes()
    create_authority(directory, root_key, NOW)
    directory.ca_key.write_bytes(other)
    with pytest.raises(OperatorError, match="is not the key of"):
        open_authority(directory, root_key)


def test_the_server_certificate_is_renewed_before_it_ends_and_when_hosts_change(
    directory: DataDirectory, authority: Authority
) -> None:
    hosts = ["localhost", "127.0.0.1", "::1"]
    assert not server_certificate_is_due(directory, hosts, NOW)
    assert server_certificate_is_due(directory, hosts, NOW + dt.timedelta(days=300))
    assert server_certificate_is_due(directory, ["kms.example"], NOW)
    directory.server_certificate.unlink()
    assert server_certificate_is_due(directory, hosts, NOW)
    issue_server_certificate(directory, authority, hosts, NOW)
    assert not server_certificate_is_due(directory, hosts, NOW)


def test_a_server_certificate_of_a_clock_that_was_ahead_is_due(
    directory: DataDirectory, authority: Authority
) -> None:
    """As on a host to which a backup was restored before its clock was set."""
    hosts, ahead = ["localhost", "127.0.0.1", "::1"], NOW + dt.timedelta(days=1)
    issue_server_certificate(directory, authority, hosts, ahead)
    assert not server_certificate_is_due(directory, hosts, ahead)
    assert server_certificate_is_due(directory, hosts, NOW)
    issue_server_certificate(directory, authority, hosts, NOW)
    assert not server_certificate_is_due(directory, hosts, NOW)


def test_a_certificate_of_another_authority_is_never_replaced(
    directory: DataDirectory, authority: Authority, tmp_path: Path, root_key: RootKey
) -> None:
    own = directory.server_certificate.read_bytes()
    create_authority(directory, root_key, NOW)
    assert not server_certificate_is_due(directory, ["kms.example"], NOW + dt.timedelta(days=300))
    assert directory.server_certificate.read_bytes() == own


def test_no_certificate_outlives_its_authority(directory: DataDirectory, authority: Authority) -> None:
    late = authority.certificate.not_valid_after_utc - dt.timedelta(days=1)
    certificate = authority.client_certificate(new_key().public_key(), "web", late)
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc
