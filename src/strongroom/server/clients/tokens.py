"""Join tokens: what somebody on another host needs to become a client, in one line of text.

Rule: no I/O and no clock. A token is a secret until it was used: it holds the private key of the invitation.
The server keeps the fingerprint of that key and nothing else of it. With the token comes the authority that
the server has to prove itself with, so that nothing is sent to anybody else.

    strongroom-join-1.BASE64URL of
        32 bytes  private key (the number of a P-256 key)
        3 counted fields: certificate of the invitation (DER), authority (DER), address of the server
        4 bytes   the beginning of the SHA-256 of what is before, against a token that was cut
"""

import base64
import hashlib
import hmac
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.server.certificates.ca import fingerprint
from strongroom.server.errors import InvalidOption

PREFIX: Final = "strongroom-join-1."
LONGEST: Final = 16 << 10
"""Characters of a token."""

_KEY: Final = 32
_CHECK: Final = 4
_COUNT: Final = 2
_LONGEST_ADDRESS: Final = 300


class Token(NamedTuple):
    """A token, taken apart. `server` is where to join, HOST:PORT."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    authority: x509.Certificate
    server: str

    def __repr__(self) -> str:
        return f"Token(for {self.server})"


def make_token(token: Token) -> str:
    """Return the text of a token: a secret."""
    number = token.key.private_numbers().private_value.to_bytes(_KEY)
    fields = (
        token.certificate.public_bytes(Encoding.DER),
        token.authority.public_bytes(Encoding.DER),
        token.server.encode("ascii"),
    )
    content = number + b"".join(len(field).to_bytes(_COUNT) + field for field in fields)
    return PREFIX + base64.urlsafe_b64encode(content + _check(content)).decode("ascii").rstrip("=")


def read_token(text: str) -> Token:
    """Return what is in a token; raises InvalidOption, which never holds any of it."""
    text = "".join(text.split())
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        raise InvalidOption("this is no join token of this release; it begins with " + PREFIX)
    try:
        encoded = text.removeprefix(PREFIX)
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        content, check = content[:-_CHECK], content[-_CHECK:]
        if not hmac.compare_digest(_check(content), check):
            raise ValueError("check")
        key = ec.derive_private_key(int.from_bytes(content[:_KEY]), ec.SECP256R1())
        certificate, authority, server = _fields(content[_KEY:])
        token = Token(
            key,
            x509.load_der_x509_certificate(certificate),
            x509.load_der_x509_certificate(authority),
            server.decode("ascii"),
        )
        if fingerprint(token.certificate.public_key()) != fingerprint(key.public_key()):
            raise ValueError("key")
        if len(server) > _LONGEST_ADDRESS or not token.server.isprintable():
            raise ValueError("address")
    except (ValueError, TypeError):
        # The error may quote what it could not read, which is a secret.
        raise InvalidOption("the join token is damaged or was cut; copy it again, whole") from None
    return token


def _fields(content: bytes) -> tuple[bytes, bytes, bytes]:
    found = []
    for _ in range(3):
        size = int.from_bytes(content[:_COUNT])
        found.append(content[_COUNT : _COUNT + size])
        if len(content) < _COUNT + size:
            raise ValueError("cut")
        content = content[_COUNT + size :]
    if content:
        raise ValueError("more")
    return found[0], found[1], found[2]


def _check(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECK]
