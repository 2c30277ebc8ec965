"""A client renews its own credential (KMIP 2.1, Re-Provision), as its profile says who it is.

Rule: the new key is on disk before the server is asked, with room for its certificate, and the old files are
replaced only when the new ones are whole. The server lets the old key in no more once it has answered, so a
key that was sent is kept until its certificate is there, and only one run works on a profile.
"""

import contextlib
import fcntl
import http.client
import os
import ssl
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from strongroom.client.address import Address
from strongroom.client.errors import InvalidSettings, KMIPError, OperationFailed, ProtocolError
from strongroom.client.profile import Profile, load_profile
from strongroom.client.sync import Client
from strongroom.client.tls import make_context
from strongroom.client.transport import Transport, make_binding
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.re_provision import ReProvisionRequest
from strongroom.registry import V2_0, V2_1, CertificateRequestType

TRUST: Final = "/ca"
"""Where a Strongroom tells its clients, over HTTPS, which authorities to trust."""

_NEXT: Final = ".next"
_ROOM: Final = ".room"
_LONGEST_CERTIFICATE: Final = 64 << 10
_LONGEST: Final = 1 << 20
_TIMEOUT: Final = 30.0


def renew_profile(path: str | Path) -> datetime:
    """Renew key and certificate of a profile, in its files, and return when the new certificate ends.

    Where the profile names an HTTPS address, the authorities are renewed too. Raises InvalidSettings for a
    profile whose key and certificate are not in files of their own, and KMIPError; then the old files are
    still there, and the key that may have been accepted is in KEY.next, where the next run finds it.
    """
    profile = load_profile(Path(path))
    if profile.cert.resolve() == profile.key.resolve():
        raise InvalidSettings("certificate and key are in one file; renew with the administrator's command")
    with _alone(profile.key.parent):
        return _renew(profile)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs away from the profiles in a directory; raises KMIPError when one is at work."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise InvalidSettings(f"cannot read {folder}: {exc.strerror}") from exc
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise KMIPError(f"another run renews a profile in {folder}; renew again when it has ended") from None
    except OSError as exc:
        raise InvalidSettings(
            f"cannot lock {folder}: {exc.strerror}; keep the profile on a local disk"
        ) from exc


def _renew(profile: Profile) -> datetime:
    _finish_earlier(profile)
    sent_before = _key_of_earlier(profile)
    key = sent_before or ec.generate_private_key(ec.SECP256R1())
    if sent_before is None:
        _write(_next(profile.key), _pem(key), 0o600, like=profile.key)
    # What cannot be written is to fail before the server lets the old key in no more.
    held = profile.cert.with_name(profile.cert.name + _ROOM)
    _write(held, bytes(_LONGEST_CERTIFICATE), 0o600)
    try:
        certificate = _asked(profile, key)
    except OperationFailed as failed:
        if sent_before is None:
            raise
        raise _with_cure(failed, profile) from failed
    finally:
        held.unlink(missing_ok=True)
    _write(_next(profile.cert), certificate.public_bytes(Encoding.PEM), 0o644, like=profile.cert)
    _take_over(profile)
    _renew_trust(profile)
    return certificate.not_valid_after_utc


def _key_of_earlier(profile: Profile) -> ec.EllipticCurvePrivateKey | None:
    """Return the key that an earlier run has sent and got no certificate for: it may be the client's."""
    try:
        key = load_pem_private_key(_next(profile.key).read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _with_cure(failed: OperationFailed, profile: Profile) -> OperationFailed:
    """Return the refusal of a key that was sent before, with what to do: the server takes no key twice."""
    return type(failed)(
        f"{failed.message}; the key was {_next(profile.key)}, which an earlier run has sent: "
        "if the profile still works in a minute, remove that file and renew again",
        operation=failed.operation,
        status=failed.status,
        reason=failed.reason,
    )


def _asked(profile: Profile, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Return a certificate for a key, which is the client's from then on."""
    version = profile.version if profile.version is not None and profile.version >= V2_0 else V2_1
    arguments = profile.client_arguments() | {"version": version}
    with Client(**arguments) as client:
        certificate = _renewed(client, _request(key))
    if _spki(certificate.public_key()) != _spki(key.public_key()):
        raise ProtocolError("the server answers a certificate for another key")
    return certificate


def _renewed(client: Client, request: CertificateRequest) -> x509.Certificate:
    provisioned, got = client.batch([ReProvisionRequest(certificate_request=request), GetRequest()])
    for outcome in (provisioned, got):
        if isinstance(outcome, KMIPError):
            raise outcome
    if not isinstance(got, GetResponse) or not isinstance(got.managed_object, Certificate):
        raise ProtocolError("the server answers no certificate")
    try:
        return x509.load_der_x509_certificate(got.managed_object.certificate_value)
    except ValueError as exc:
        raise ProtocolError("the certificate that the server answers cannot be read") from exc


def _finish_earlier(profile: Profile) -> None:
    """Take over what an earlier run was given but did not put in place."""
    try:
        certificate = x509.load_pem_x509_certificate(_next(profile.cert).read_bytes())
    except (FileNotFoundError, ValueError):
        return
    for file in (_next(profile.key), profile.key):
        if file.exists():
            key = load_pem_private_key(file.read_bytes(), None)
            if _spki(key.public_key()) == _spki(certificate.public_key()):
                _take_over(profile)
                return


def _take_over(profile: Profile) -> None:
    # The key first: a crash between leaves a certificate that the next run puts in place.
    if _next(profile.key).exists():
        _replace(_next(profile.key), profile.key)
    _replace(_next(profile.cert), profile.cert)


def _renew_trust(profile: Profile) -> None:
    """Fetch the authorities that the server wants to be known by; without HTTPS they stay as they are."""
    if not profile.https:
        return
    context = make_context(cert=profile.cert, key=profile.key, ca=profile.ca)
    for address in make_binding(Transport.HTTPS).servers(profile.https):
        offered = _offered_by(address, context)
        if offered is not None:
            before = x509.load_pem_x509_certificates(profile.ca.read_bytes())
            if x509.load_pem_x509_certificates(offered) != before:
                _write(profile.ca, offered, 0o644, like=profile.ca)
            return
    # The credential is renewed; the authorities are the next time.


def _offered_by(address: Address, context: ssl.SSLContext) -> bytes | None:
    """Return authorities in PEM, None where a server cannot be asked or has no such page."""
    connection = http.client.HTTPSConnection(address.host, address.port, timeout=_TIMEOUT, context=context)
    try:
        connection.request("GET", TRUST)
        response = connection.getresponse()
        content = response.read(_LONGEST)
        x509.load_pem_x509_certificates(content)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return content if response.status == http.client.OK else None


def _request(key: ec.EllipticCurvePrivateKey) -> CertificateRequest:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom client")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10,
        certificate_request_value=made.public_bytes(Encoding.DER),
    )


def _next(path: Path) -> Path:
    return path.with_name(path.name + _NEXT)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes, mode: int, *, like: Path | None = None) -> None:
    """Write a file whole or not at all, and flush it to disk; `like` is the one whose place it is to take."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Whatever bears the name is no file of this run, and may be open to others.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if like is not None:
                _give(descriptor, like, at_most=mode | stat.S_IRGRP)
            os.fsync(descriptor)
        _replace(temporary, path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise InvalidSettings(f"cannot write {path}: {exc.strerror}") from exc


def _give(descriptor: int, like: Path, *, at_most: int) -> None:
    """Give a file to whom another one belongs: who renews may not be who reads it, as when root does it."""
    old = like.stat()
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except PermissionError:
        return  # it stays with us alone: the old mode was meant for another owner and group
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & at_most)


def _replace(source: Path, target: Path) -> None:
    """Rename a file, also for whoever looks after the power was cut."""
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
