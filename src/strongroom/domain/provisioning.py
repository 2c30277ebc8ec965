"""Port: what lets a client in, its link level credential (KMIP 2.1 §6.1.48).

Rule: a client is known by the public key of its certificate. Certificates are those that the listeners would
accept; who may have a new one is decided by the operation.
"""

from datetime import datetime
from typing import Annotated, Protocol

from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import Entry
from strongroom.domain.identity import ClientIdentity
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Tagged
from strongroom.registry import Tag


class LinkCredential(Entry, kind=9):
    """The Certificate object that stands for a client's credential; the key is the client's number.

    It is the object that was made with the credential: nothing is imported under its identifier.
    """

    certificate: Annotated[UniqueIdentifier, Tagged(Tag.CERTIFICATE_LINK)]


class Provisioning(Protocol):
    """The authority of this server and its client records. Certificates, requests and keys are in DER."""

    async def requested_key(self, request: bytes) -> bytes:
        """Return the public key (SPKI) of a PKCS#10 request, in DER or PEM.

        Raises InvalidField for what is no request, CryptographicFailure when its own key has not signed it.
        """

    async def issue(self, client: ClientIdentity, public_key: bytes, now: datetime) -> bytes:
        """Return a certificate for the client with this public key (SPKI).

        Raises InvalidField for a key that TLS does not take.
        """

    def require_own(self, client: ClientIdentity, certificate: bytes) -> None:
        """Return if the administrator has said that this certificate is the client; raises InvalidField.

        A certificate proves nothing of who sends it, so any other that was not issued for a request is
        refused.
        """

    async def renewed(self, client: ClientIdentity, certificate: bytes, now: datetime) -> ClientRecord:
        """Return the record of a client that is known by this certificate from now on.

        Raises InvalidField for a certificate that the listeners would not accept or whose key is known
        already, PermissionDenied when the client was revoked, ServerLimitExceeded when it had too many keys,
        StoreFailure.
        """

    async def spread(self) -> None:
        """Return when the records are in force in every worker of this server, or soon will be."""
