"""Judging a chain of certificates (RFC 5280 §6, as far as it goes without policies).

Rule: signatures, dates, authority, key usage, path length, name constraints and revocation are looked at for
each certificate of a path; the library does every one of these checks. How far is searched is bounded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from strongroom.crypto.certificates.extensions import find
from strongroom.domain.certification import Candidate
from strongroom.domain.errors import InvalidField, InvalidMessage
from strongroom.registry import CertificateType
from strongroom.registry import ValidityIndicator as Validity

MAXIMUM_PATH: Final = 10
"""Certificates of one path."""
MAXIMUM_CHECKS: Final = 100
"""Signatures that are checked for one chain, those of revocation lists too, so that certificates which share
names cost no more."""

_UNREADABLE: Final = (
    ValueError,
    TypeError,
    InternalError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_UNDERSTOOD: Final = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.IssuerAlternativeName,
    x509.NameConstraints,
    x509.CertificatePolicies,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
    x509.CRLDistributionPoints,
)
"""Extensions that may be critical."""

_AUTHORITIES: Final = ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, Criticality.AGNOSTIC, None
)
_ENDS: Final = ExtensionPolicy.permit_all()


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    candidate: Candidate
    certificate: x509.Certificate
    extensions: x509.Extensions

    @property
    def self_issued(self) -> bool:
        return self.certificate.issuer == self.certificate.subject


class _OutOfChecks(Exception):
    """Everything that may be spent on one chain is spent."""


def validate(candidates: Sequence[Candidate], at: datetime) -> Validity:
    """Return whether a path leads from the end of the chain to trust; see the port. Slow."""
    nodes = [_node(candidate) for candidate in candidates]
    asked = [node for node in nodes if node.candidate.asked]
    end = _end_of_chain(asked)
    if any(not _current(node, at) for node in asked):
        return Validity.INVALID
    try:
        return _Search(nodes, at).judge((end,))
    except _OutOfChecks:
        return Validity.UNKNOWN


def _node(candidate: Candidate) -> _Node:
    value = candidate.certificate
    if value.certificate_type is not CertificateType.X_509:
        raise InvalidField("only X.509 certificates are validated")
    try:
        certificate = x509.load_der_x509_certificate(value.certificate_value)
        extensions = certificate.extensions
        # The library parses names only when they are asked for.
        _ = certificate.subject, certificate.issuer
    except _UNREADABLE as error:
        raise InvalidField("a Certificate Value is not a DER-encoded X.509 certificate") from error
    return _Node(candidate, certificate, extensions)


def _end_of_chain(asked: Sequence[_Node]) -> _Node:
    """Return the certificate that none of the others was issued with."""
    issuers = {node.certificate.issuer for node in asked if not node.self_issued}
    ends = [node for node in asked if node.certificate.subject not in issuers]
    if len(ends) != 1:
        raise InvalidMessage("the certificates are not one chain: exactly one must not have issued another")
    return ends[0]


def _current(node: _Node, at: datetime) -> bool:
    """Tell whether the certificate itself, its issuer aside, is good at that time."""
    certificate = node.certificate
    if (
        node.candidate.revoked
        or not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    ):
        return False
    return all(isinstance(e.value, _UNDERSTOOD) for e in node.extensions if e.critical)


class _Search:
    """Looks for a path, depth first, within the limits."""

    def __init__(self, nodes: Sequence[_Node], at: datetime) -> None:
        self._nodes = nodes
        self._at = at
        self._checks = 0
        self._lists: dict[_Node, list[x509.CertificateRevocationList]] = {}

    def judge(self, path: tuple[_Node, ...]) -> Validity:
        """Return what becomes of a path that has come so far."""
        last = path[-1]
        if last.candidate.trusted:
            return Validity.VALID if _names_allowed(path, self._at) else Validity.INVALID
        if len(path) == MAXIMUM_PATH:
            return Validity.UNKNOWN
        worst = Validity.UNKNOWN
        for issuer in self._issuers(path):
            outcome = self._over(path, issuer)
            if outcome is Validity.VALID:
                return outcome
            if outcome is Validity.INVALID:
                worst = outcome
        return worst

    def _issuers(self, path: tuple[_Node, ...]) -> Iterator[_Node]:
        wanted = path[-1].certificate.issuer
        return (node for node in self._nodes if node.certificate.subject == wanted and node not in path)

    def _over(self, path: tuple[_Node, ...], issuer: _Node) -> Validity:
        """Return what becomes of the path when it goes on over an issuer of the right name."""
        child = path[-1]
        signed = self._signed(child, issuer)
        if signed is not Validity.VALID:
            # Somebody else's certificate of the same name says nothing about this one.
            return signed if issuer.candidate.asked else Validity.UNKNOWN
        between = sum(1 for node in path[1:] if not node.self_issued)
        if not (
            _current(issuer, self._at) and _may_issue(issuer, between) and not self._listed(child, issuer)
        ):
            return Validity.INVALID
        return self.judge((*path, issuer))

    def _signed(self, child: _Node, issuer: _Node) -> Validity:
        """Return whether the issuer's key signed the child; Unknown for MD5, SHA-1 and foreign algorithms."""
        self._count_check()
        try:
            child.certificate.verify_directly_issued_by(issuer.certificate)
        except InvalidSignature:
            return Validity.INVALID
        except (UnsupportedAlgorithm, ValueError, TypeError, InternalError):
            return Validity.UNKNOWN
        return Validity.VALID

    def _listed(self, child: _Node, issuer: _Node) -> bool:
        """Tell whether a revocation list of the issuer has the certificate at that time."""
        if issuer not in self._lists:
            self._lists[issuer] = list(self._lists_of(issuer))
        for revocations in self._lists[issuer]:
            try:
                entry = revocations.get_revoked_certificate_by_serial_number(child.certificate.serial_number)
            except _UNREADABLE:
                continue
            if entry is not None and entry.revocation_date_utc <= self._at:
                return True
        return False

    def _lists_of(self, issuer: _Node) -> Iterator[x509.CertificateRevocationList]:
        """Yield the revocation lists that the issuer has signed."""
        usage = find(issuer.extensions, x509.KeyUsage)
        if usage is not None and not usage.crl_sign:
            return
        for data in issuer.candidate.revocation_lists:
            self._count_check()
            try:
                revocations = _revocation_list(data)
                if revocations.issuer == issuer.certificate.subject and revocations.is_signature_valid(
                    issuer.certificate.public_key()  # type: ignore[arg-type]
                ):
                    yield revocations
            except _UNREADABLE:
                continue

    def _count_check(self) -> None:
        if self._checks == MAXIMUM_CHECKS:
            raise _OutOfChecks
        self._checks += 1


def _may_issue(issuer: _Node, between: int) -> bool:
    """Tell whether the issuer is an authority that may have so many others between it and the end."""
    constraints = find(issuer.extensions, x509.BasicConstraints)
    usage = find(issuer.extensions, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return False
    return constraints.path_length is None or between <= constraints.path_length


def _revocation_list(data: bytes) -> x509.CertificateRevocationList:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _names_allowed(path: tuple[_Node, ...], at: datetime) -> bool:
    """Tell whether the names are within the name constraints on the way, which the library's verifier knows.

    It follows the rules of the web, which are stricter than ours, so it is asked only where there are any.
    """
    if not any(find(node.extensions, x509.NameConstraints) is not None for node in path[1:]):
        return True
    anchor, *others = (node.certificate for node in reversed(path))
    *intermediates, leaf = others
    verifier = (
        PolicyBuilder()
        .store(Store([anchor]))
        .time(at.replace(tzinfo=None))
        .max_chain_depth(MAXIMUM_PATH)
        .extension_policies(ca_policy=_AUTHORITIES, ee_policy=_ENDS)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, intermediates)
    except VerificationError:
        return False
    return True
