"""What lets a client in that brings a certificate of its own authority, and what waits for a decision.

Rule: these are entries of the system tenant; their keys are fingerprints and digests, never names.
"""

from typing import Annotated, Final

from strongroom.domain.entries import Entry
from strongroom.model.struct import Int64, Own

MAX_DER: Final = 16 << 10
"""Bytes of one certificate that is kept."""


class CertificateRule(Entry, kind=30):
    """A certificate that `issuer` (a certificate, DER) has signed and that has one name is a client.

    The key is the digest of the issuer's key and the typed name. `name_type` and `name` are as they were
    typed: dns, ip, email, uri, or subject (RFC 4514).
    """

    client: Annotated[Int64, Own(1)]
    issuer: Annotated[bytes, Own(2)]
    name_type: Annotated[str, Own(3)]
    name: Annotated[str, Own(4)]


class Invitation(Entry, kind=31):
    """Somebody may join, once, as a client of this name; the key is the fingerprint of the token's key."""

    name: Annotated[str, Own(1)]
    tenant: Annotated[Int64, Own(2)]
    groups: Annotated[tuple[str, ...], Own(3)] = ()


class PendingCertificate(Entry, kind=32, passing=True):
    """A certificate that TLS took and that no client has; the key is its fingerprint. Times in seconds."""

    certificate: Annotated[bytes, Own(1)]
    address: Annotated[str, Own(2)]
    first_seen: Annotated[Int64, Own(3)]
    last_seen: Annotated[Int64, Own(4)]
    count: Annotated[Int64, Own(5)]
