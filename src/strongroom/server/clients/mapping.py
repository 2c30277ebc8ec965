"""Which client a certificate of another authority belongs to.

Rule: a name counts only together with the key that has signed it, and only as the type that it has: the same
name from two authorities is two principals. Names are compared whole, as they are written, without wildcards
and without regard to what they resemble. A certificate that is two clients is none.
"""

import hashlib
import ipaddress
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509

from strongroom.domain.entries import Kept
from strongroom.domain.identity import ClientId
from strongroom.domain.mapping import CertificateRule
from strongroom.server.certificates.ca import UNREADABLE, fingerprint
from strongroom.server.certificates.revocation import issuer_of
from strongroom.server.errors import InvalidOption

SUBJECT: Final = "subject"
LONGEST_NAME: Final = 1024
"""Characters of a name in a rule."""

_READ: Final = 4096
_SAN_TYPES: Final = {"dns": x509.DNSName, "email": x509.RFC822Name, "uri": x509.UniformResourceIdentifier}


class TypedName(NamedTuple):
    """A name with its type; `value` is in the one form that is compared."""

    kind: str
    value: str


class Ambiguous(Exception):
    """A certificate fits the rules of several clients."""


def parse_san(text: str) -> TypedName:
    """Return the name in `dns:HOST`, `ip:ADDRESS`, `email:ADDRESS` or `uri:URI`; raises InvalidOption."""
    kind, colon, value = text.partition(":")
    if not colon or not value or len(value) > LONGEST_NAME:
        raise InvalidOption(f"{text!r} is no name; write dns:HOST, ip:ADDRESS, email:ADDRESS or uri:URI")
    if not value.isascii() or not value.isprintable() or "*" in value or " " in value:
        raise InvalidOption(
            f"{text!r}: a name is compared as it is, without wildcards, and certificates have it in ASCII"
        )
    if kind == "ip":
        try:
            return TypedName(kind, str(ipaddress.ip_address(value)))
        except ValueError as error:
            raise InvalidOption(f"{text!r}: {error}") from error
    if kind not in _SAN_TYPES:
        raise InvalidOption(f"{text!r}: a name is one of dns, ip, email and uri")
    return TypedName(kind, value)


def parse_subject(text: str) -> TypedName:
    """Return a whole subject in the form of RFC 4514 (`CN=db1,O=Example`); raises InvalidOption."""
    if not text or len(text) > LONGEST_NAME:
        raise InvalidOption(f"a subject has 1 to {LONGEST_NAME} characters")
    try:
        name = x509.Name.from_rfc4514_string(text)
    except UNREADABLE as error:
        raise InvalidOption(
            f"{text!r} is no subject: {str(error) or 'it cannot be read'}; write it as"
            " `openssl x509 -noout -subject -nameopt RFC2253` prints it"
        ) from error
    if not len(list(name)):
        raise InvalidOption("an empty subject is nobody")
    return TypedName(SUBJECT, _canonical(name))


def rule_key(issuer: x509.Certificate, name: TypedName) -> str:
    """Return the key of the rule for a name that this authority vouches for."""
    said = json.dumps([fingerprint(issuer.public_key()), *name])
    return hashlib.sha256(said.encode()).hexdigest()


@lru_cache(_READ)
def names_of(der: bytes) -> tuple[TypedName, ...]:
    """Return every name in a certificate that a rule can be about; raises ValueError."""
    certificate = x509.load_der_x509_certificate(der)
    return (*_sans(certificate), TypedName(SUBJECT, _canonical(certificate.subject)))


class MappingRules:
    """The rules in force."""

    def __init__(self, rules: Sequence[Kept[CertificateRule]] = ()) -> None:
        self.rules = tuple(rules)
        self._clients = {kept.key: ClientId(kept.value.client) for kept in rules}
        issuers = {kept.value.issuer for kept in rules}
        self._issuers = [x509.load_der_x509_certificate(issuer) for issuer in issuers]

    def client(self, der: bytes) -> ClientId | None:
        """Return whose certificate this is, None when no rule fits; raises Ambiguous."""
        if not self._issuers:
            return None
        try:
            certificate = x509.load_der_x509_certificate(der)
            issuer = issuer_of(certificate, self._issuers)
            names = names_of(der) if issuer is not None else ()
        except UNREADABLE:
            return None
        if issuer is None:
            return None
        found = {self._clients.get(rule_key(issuer, name)) for name in names} - {None}
        if len(found) > 1:
            raise Ambiguous
        return found.pop() if found else None


def _sans(certificate: x509.Certificate) -> Iterator[TypedName]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind, cls in _SAN_TYPES.items():
        for name in names:
            if isinstance(name, cls):
                yield TypedName(kind, name.value)
    for name in names:
        # A network is no address.
        if isinstance(name, x509.IPAddress) and isinstance(
            name.value, ipaddress.IPv4Address | ipaddress.IPv6Address
        ):
            yield TypedName("ip", str(name.value))


def _canonical(name: x509.Name) -> str:
    """Return a subject unambiguously: its parts in order, each with the types and values that it has."""
    parts = [
        sorted([attribute.oid.dotted_string, _text(attribute.value)] for attribute in part)
        for part in name.rdns
    ]
    return json.dumps(parts)


def _text(value: str | bytes) -> str:
    # Bytes stand for themselves and for no text that looks like them.
    return f"#{value.hex()}" if isinstance(value, bytes) else f"={value}"
