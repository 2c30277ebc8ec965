"""The other end of an invitation: what runs on the host that wants to be a client.

Rule: the server proves itself with the authority that came with the token before it is told anything, and by
its name. The token's key is on disk only encrypted, for as long as TLS needs a file; the client's own key is
made here and stays here.
"""

import contextlib
import http.client
import json
import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from strongroom.server.address import parse_address
from strongroom.server.certificates.ca import ClientKey
from strongroom.server.clients.tokens import Token
from strongroom.server.data_directory import write_private
from strongroom.server.errors import InvalidOption, NotFound, OperatorError, Unreachable
from strongroom.server.listening.joining import JSON, PATH
from strongroom.server.messages import Message

TIMEOUT: Final = 30.0
LONGEST_ANSWER: Final = 1 << 20

_PARTIAL_CHAIN: Final = 0x80000
"""X509_V_FLAG_PARTIAL_CHAIN: the authority of the token is trusted even if another one has issued it."""


def joining(token: Token, server: str | None, out: Path) -> Callable[[ClientKey], Message]:
    """Return what asks the server of a token for a certificate for a key.

    `server` is where to go instead of the token's address, `out` a private directory. What is returned raises
    OperatorError: NotFound when the invitation is no longer good, Unreachable when no such server answers.
    """
    try:
        address = parse_address(server or token.server)
    except ValueError as error:
        raise InvalidOption(f"--server: {error}") from error

    def ask(key: ClientKey) -> Message:
        connection = http.client.HTTPSConnection(
            address.host, address.port, timeout=TIMEOUT, context=_context(token, out)
        )
        with contextlib.closing(connection):
            _connect(connection, str(address))
            try:
                body = json.dumps({"csr": certificate_request(key)}).encode()
                connection.request("POST", PATH, body, {"Content-Type": JSON})
                response = connection.getresponse()
                content = response.read(LONGEST_ANSWER)
            except (OSError, http.client.HTTPException) as error:
                # It has proved who it is, and hangs up on us.
                raise NotFound(_NOT_GOOD) from error
        if response.status == http.client.NOT_FOUND:
            raise NotFound(_NOT_GOOD)
        if response.status != http.client.OK:
            raise OperatorError(f"the server refuses: {content[:500].decode('utf-8', 'replace').strip()}")
        return _message(content)

    return ask


_NOT_GOOD: Final = (
    "the invitation was used, has ended or was withdrawn; ask for another one"
    " (if the server lists the client and you did not get its certificate, have it revoked first)"
)


def _connect(connection: http.client.HTTPSConnection, address: str) -> None:
    """Return once the server has proved who it is; raises OperatorError."""
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise OperatorError(
            f"{address} is not the server that the token is from ({error.verify_message});"
            " nothing was told to it"
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{address} does not answer ({error or type(error).__name__}); give the server's HTTPS"
            " address with --server"
        ) from error


def certificate_request(key: ClientKey) -> str:
    """Return a request in PEM; the name in it means nothing to the server."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom client")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode("ascii")


def _context(token: Token, out: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= _PARTIAL_CHAIN
    context.load_verify_locations(cadata=token.authority.public_bytes(Encoding.DER))
    password = secrets.token_bytes(32)
    file = out / ".join.pem"
    pkcs8 = token.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.hex().encode())
    )
    write_private(file, pkcs8 + token.certificate.public_bytes(Encoding.PEM))
    try:
        context.load_cert_chain(file, password=password.hex())
    finally:
        file.unlink(missing_ok=True)
    return context


def _message(content: bytes) -> Message:
    try:
        message = json.loads(content)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise OperatorError("the server answers something else than a certificate; is it a Strongroom?")
    return message
