"""Who of those whose certificate TLS took may come in.

Rule: whose certificate it is, its dates and the limits on connections are judged in this order, when a
connection begins. Why somebody is turned away the log says; the peer sees the connection close.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from strongroom.domain.identity import ClientIdentity
from strongroom.server.address import parse_address
from strongroom.server.clients.directory import PeerCertificate, Refusal
from strongroom.server.listening.binding import Service
from strongroom.server.listening.shares import Place

CLOCK_SKEW: Final = 300.0
"""Seconds by which a certificate may be from the future."""


class TurnedAway(NamedTuple):
    """Why somebody may not come in, what cures that, and what else the log says."""

    reason: str
    cure: str
    facts: Mapping[str, str]


def admit(
    service: Service[Any], certificate: PeerCertificate, found: ClientIdentity | Refusal, peer: str
) -> tuple[ClientIdentity, Place] | TurnedAway:
    """Return the client with its place among the connections; `found` is whose certificate it is."""
    date = service.deadlines.date
    if isinstance(found, Refusal):
        if found is Refusal.UNKNOWN:
            service.strangers(certificate, peer)
        return TurnedAway(found.name.lower(), found.value, {"fingerprint": certificate.fingerprint})
    client = {"client": found.name}
    if certificate.valid_from > date + CLOCK_SKEW:
        cure = "set the clocks of server and client right"
        return TurnedAway("certificate_not_yet_valid", cure, client)
    if certificate.valid_until <= date and not service.lenient:
        # A resumed session was verified when it began, which may be a while ago.
        return TurnedAway("certificate_expired", "renew it: strongroom client renew NAME --out OUT", client)
    place = service.shares.enter(found, parse_address(peer).host)
    if isinstance(place, str):
        return TurnedAway("too_many_connections", f"close unused connections, or raise {place}", client)
    return found, place
