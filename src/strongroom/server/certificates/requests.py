"""Keys that become clients: those of certificate requests (PKCS#10), and those that this program made.

Rule: a request proves that its key is held by whoever made it, and that is all that is taken from it: name,
purpose and lifetime are the administrator's.
"""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.server.certificates.ca import UNREADABLE
from strongroom.server.errors import OperatorError

SHORTEST_RSA: Final = 2048
LONGEST: Final = 64 << 10
"""Bytes of a request."""

_PEM: Final = b"-----BEGIN "


def requested_key(request: bytes) -> CertificatePublicKeyTypes:
    """Return the public key of a request in PEM or DER; raises OperatorError."""
    if len(request) > LONGEST:
        raise OperatorError(f"a certificate request has {LONGEST} bytes at most")
    try:
        load = x509.load_pem_x509_csr if request.lstrip().startswith(_PEM) else x509.load_der_x509_csr
        read = load(request)
        key = read.public_key()
        signed = read.is_signature_valid
    except UNREADABLE as error:
        raise OperatorError(
            "this is no certificate request (PKCS#10, PEM or DER) that can be read"
        ) from error
    if not signed:
        raise OperatorError("the certificate request is not signed by its own key; make it anew")
    problem = unusable(key)
    if problem is not None:
        raise OperatorError(f"the key of the certificate request cannot be used: {problem}")
    return key


def made_key(pem: str) -> PublicKeyTypes:
    """Return a public key of which this program made the private one elsewhere; raises OperatorError."""
    try:
        return load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise OperatorError("the public key cannot be read; use the same release on both ends") from error


def unusable(key: PublicKeyTypes) -> str | None:
    """Return why TLS takes no such key, None when it does."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SHORTEST_RSA:
            return f"an RSA key has {SHORTEST_RSA} bits at least"
    elif not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return "TLS takes RSA, ECDSA and EdDSA keys"
    return None
