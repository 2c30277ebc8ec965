"""TLS of the listeners.

Rule: every SSLContext of the server is made here. There is no setting that accepts a client without a
certificate. Contexts are made before the workers fork, so that a session ticket works in each of them.
"""

import ssl
from pathlib import Path
from typing import Final

from cryptography import x509

from strongroom.server.config import AuditSettings, ClientsSettings, TlsSettings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the ssl module has no name for."""

_MINIMUM: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class _Connection(ssl.SSLObject):
    """A TLS connection whose reads and writes go straight into the library: the methods of the standard class
    hand on what they are given, and a request needs several of them."""

    read = property(lambda self: self._sslobj.read)
    write = property(lambda self: self._sslobj.write)
    pending = property(lambda self: self._sslobj.pending)


def server_context(
    settings: TlsSettings, directory: DataDirectory, settings_for_clients: ClientsSettings | None = None
) -> ssl.SSLContext:
    """Return a context that demands a client certificate of a configured authority.

    Raises OperatorError when a file cannot be read or certificate and key do not belong together.
    """
    settings_for_clients = settings_for_clients or ClientsSettings()
    if (settings.certificate is None) != (settings.key is None):
        raise OperatorError("tls.certificate and tls.key belong together; set both or none")
    certificate = _path(settings.certificate, directory, directory.server_certificate)
    key = _path(settings.key, directory, directory.server_key)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Connection
    context.minimum_version = _MINIMUM[settings.minimum_version]
    context.verify_mode = ssl.CERT_REQUIRED
    # Compression leaks lengths, renegotiation costs the server more than the client; neither has a use here.
    # OpenSSL's session id context is set by the ssl module, so sessions resume with client certificates too.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # Each ticket carries the client's certificate and costs as much as the rest of an answer; a client that
    # comes back gets a fresh one then.
    context.num_tickets = 1
    try:
        context.set_ciphers(settings.ciphers)
    except ssl.SSLError as error:
        raise OperatorError(f"tls.ciphers: OpenSSL knows no suite in {settings.ciphers!r}") from error
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        problem = _unusable(error, f"{certificate} and {key}", "are no certificate and its key")
        cure = "" if settings.certificate else f"; remove {certificate} to have both made anew"
        raise OperatorError(problem + cure) from error
    if settings_for_clients.expired == "warn":
        context.verify_flags |= _NO_CHECK_TIME  # `connection.py` looks at the dates, and says what it sees
    for authority in authority_files(settings, directory):
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise OperatorError(_unusable(error, str(authority), "holds no CA certificate")) from error
    return context


def client_authorities(settings: TlsSettings, directory: DataDirectory) -> list[x509.Certificate]:
    """Return the authorities whose client certificates the listeners take."""
    files = authority_files(settings, directory)
    return [one for file in files for one in x509.load_pem_x509_certificates(file.read_bytes())]


def authority_files(settings: TlsSettings, directory: DataDirectory) -> list[Path]:
    """Return the PEM files with those authorities: the internal ones first."""
    files = [directory.ca_certificate, *sorted(directory.older_authorities.glob("*.pem"))]
    if settings.client_ca is not None:
        files.append(_path(settings.client_ca, directory, directory.ca_certificate))
    return files


def endpoint_context(
    settings: TlsSettings, directory: DataDirectory, authority: str | None
) -> ssl.SSLContext:
    """Return a context for the endpoint of a client, to which the server shows its own certificate.

    With `authority` (PEM file) the endpoint's certificate and name are checked against it; without, TLS
    checks nothing and the caller has to compare the key. Raises OperatorError for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _MINIMUM[settings.minimum_version]
    certificate = _path(settings.certificate, directory, directory.server_certificate)
    key = _path(settings.key, directory, directory.server_key)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        problem = _unusable(error, f"{certificate} and {key}", "are no certificate and its key")
        raise OperatorError(problem) from error
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    file = _path(authority, directory, directory.ca_certificate)
    try:
        context.load_verify_locations(file)
    except OSError as error:
        raise OperatorError(_unusable(error, str(file), "holds no CA certificate")) from error
    return context


def outlet_context(settings: AuditSettings, directory: DataDirectory) -> ssl.SSLContext:
    """Return a context for the places to which audit records and checkpoints go.

    Raises OperatorError for files that cannot be used.
    """
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise OperatorError("audit.tls_certificate and audit.tls_key belong together; set both or none")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_ca is None:
        context.load_default_certs()
    else:
        authority = directory.path / settings.tls_ca
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise OperatorError(_unusable(error, str(authority), "holds no CA certificate")) from error
    if settings.tls_certificate is not None and settings.tls_key is not None:
        certificate, key = directory.path / settings.tls_certificate, directory.path / settings.tls_key
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            problem = _unusable(error, f"{certificate} and {key}", "are no certificate and its key")
            raise OperatorError(problem) from error
    return context


def tls_files_state(settings: TlsSettings, directory: DataDirectory) -> object:
    """Return something that differs once a file that `server_context` reads was replaced."""
    state: list[object] = []
    for file in (
        _path(settings.certificate, directory, directory.server_certificate),
        _path(settings.key, directory, directory.server_key),
        _path(settings.client_ca, directory, directory.ca_certificate),
        *authority_files(settings, directory),
    ):
        try:
            status = file.stat()
            state.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except OSError as error:
            state.append(error.errno)
    return state


def _path(configured: str | None, directory: DataDirectory, default: Path) -> Path:
    return default if configured is None else directory.path / configured


def _unusable(error: OSError, what: str, otherwise: str) -> str:
    """Return the line for a file that OpenSSL did not take; SSLError is an OSError without a file."""
    if isinstance(error, ssl.SSLError):
        return f"{what} {otherwise} ({error.reason or 'unreadable PEM'})"
    return f"cannot read {error.filename or what}: {error.strerror}"
