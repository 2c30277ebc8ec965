"""New credentials for clients, made by the internal authority.

Rule: the authority is opened for one certificate and let go of. What counts in a certificate is its key, and
a certificate is no secret: a key becomes a client's own only when it has signed a request, or when a rule of
the administrator says that its certificate is this very client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom.domain.clients import MOST_KEYS, ClientCertificate, ClientRecord, ClientStore
from strongroom.domain.errors import (
    CryptographicFailure,
    InvalidField,
    PermissionDenied,
    ServerFailure,
    ServerLimitExceeded,
)
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.ports import RootKeyError
from strongroom.server.certificates.ca import UNREADABLE, Authority
from strongroom.server.certificates.requests import unusable
from strongroom.server.certificates.revocation import issuer_of
from strongroom.server.clients.directory import Refusal
from strongroom.server.clients.records import is_known, known_certificate
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

_PEM: Final = b"-----BEGIN "


class ClientProvisioning:
    """See `domain.provisioning.Provisioning`.

    `open_authority` opens the internal authority; `authorities` are those whose certificates the listeners
    take.
    """

    def __init__(
        self,
        clients: ClientStore,
        open_authority: Callable[[], Authority],
        authorities: Callable[[], Sequence[x509.Certificate]],
    ) -> None:
        self._clients = clients
        self._open_authority = open_authority
        self._authorities = authorities
        self.on_change: Callable[[], Awaitable[None]] | None = None
        """Makes the records be in force in every worker."""
        self.by_rule: Callable[[bytes], ClientIdentity | Refusal] = lambda _: Refusal.UNKNOWN
        """Tells whose certificate (DER) one is by the rules for other authorities (`mapping.py`)."""

    async def requested_key(self, request: bytes) -> bytes:
        try:
            load = x509.load_pem_x509_csr if request.startswith(_PEM) else x509.load_der_x509_csr
            read = load(request)
            key = read.public_key()
            signed = read.is_signature_valid
        except UNREADABLE as error:
            raise InvalidField("the Certificate Request is no PKCS#10 request that can be read") from error
        if not signed:
            raise CryptographicFailure("the Certificate Request is not signed by its own key")
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    async def issue(self, client: ClientIdentity, public_key: bytes, now: datetime) -> bytes:
        key = load_der_public_key(public_key)
        _require_usable(key)
        loop = asyncio.get_running_loop()
        try:
            authority = await loop.run_in_executor(None, self._open_authority)
        except (OperatorError, RootKeyError) as error:
            log.error("authority_not_opened", error=str(error))
            raise ServerFailure("the server cannot issue certificates now; tell its administrator") from error
        return authority.client_certificate(key, client.name, now).public_bytes(Encoding.DER)

    def require_own(self, client: ClientIdentity, certificate: bytes) -> None:
        whose = self.by_rule(certificate)
        if not isinstance(whose, ClientIdentity) or whose.client != client.client:
            # Whoever has seen somebody's certificate could have them taken for this client; and they would
            # show, in their own handshakes, that they have the key. One answer, whatever the rules say.
            raise InvalidField(
                "nothing shows that the key of this Certificate is the client's own: send a Certificate"
                " Request, or ask the administrator for a rule (strongroom client map)"
            )

    async def renewed(self, client: ClientIdentity, certificate: bytes, now: datetime) -> ClientRecord:
        accepted = self._accepted(certificate, now)
        records = await self._clients.clients()
        record = next((one for one in records if one.client == client.client), None)
        if record is None or record.revoked_at is not None:
            raise PermissionDenied("the client was revoked")
        if is_known(records, accepted.fingerprint):
            raise InvalidField("a client is enrolled with this key already; use a new one")
        if len(record.keys) >= MOST_KEYS:
            raise ServerLimitExceeded(
                f"the client has had {MOST_KEYS} keys, the most that it gets by itself; the administrator can"
                " give it one more: strongroom client renew NAME --out OUT"
            )
        return record.with_key(accepted, old_until=None)

    def _accepted(self, value: bytes, now: datetime) -> ClientCertificate:
        """Return what counts in a certificate that the listeners take; raises InvalidField."""
        try:
            certificate = x509.load_der_x509_certificate(value)
            key = certificate.public_key()
            purposes = _purposes(certificate)
        except UNREADABLE as error:
            raise InvalidField("the Certificate cannot be read") from error
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            raise InvalidField("the Certificate is not valid now")
        if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
            raise InvalidField("the Certificate is not one for TLS clients (Extended Key Usage)")
        authority = issuer_of(certificate, self._authorities())
        if authority is None:
            raise InvalidField("the Certificate is of no authority that the server trusts (tls.client_ca)")
        _require_usable(key)
        return known_certificate(certificate, authority)

    async def spread(self) -> None:
        if self.on_change is not None:
            await self.on_change()


def _purposes(certificate: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _require_usable(key: PublicKeyTypes) -> None:
    """Return for a key that TLS takes; raises InvalidField."""
    problem = unusable(key)
    if problem is not None:
        raise InvalidField(problem)
