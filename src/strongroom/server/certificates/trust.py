"""What a client has to trust to know this server.

Rule: the internal authorities in force and, where the server shows a certificate from elsewhere, the end of
the chain in its file.
"""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.server.certificates.authorities import bundle, server_issuer
from strongroom.server.config import TlsSettings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError


def trusted_by_clients(directory: DataDirectory, settings: TlsSettings) -> bytes:
    """Return the certificates that go into a client's `ca.pem`; raises OperatorError."""
    outside = _end_of_chain(directory, settings)
    return bundle(directory) + (b"" if outside is None else outside.public_bytes(Encoding.PEM))


def server_anchor(directory: DataDirectory, settings: TlsSettings) -> x509.Certificate:
    """Return the one certificate that the server's own can be checked against; raises OperatorError."""
    return _end_of_chain(directory, settings) or server_issuer(directory)


def _end_of_chain(directory: DataDirectory, settings: TlsSettings) -> x509.Certificate | None:
    if settings.certificate is None:
        return None
    file = directory.path / settings.certificate
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[-1]
    except (OSError, ValueError) as error:
        raise OperatorError(f"cannot read {file}, which tls.certificate names: {error}") from error
