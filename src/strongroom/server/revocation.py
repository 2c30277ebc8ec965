"""Revocation lists of the authorities whose certificates the listeners take.

Rule: a list counts when the authority itself has signed it, it is whole, and it has not ended. A certificate
that a list names is refused; one whose list is missing or out of date is refused too, unless the policy says
that a warning is enough. Lists are read again when their file changes, and live connections are looked at
again then.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from strongroom.server.ca import fingerprint
from strongroom.server.logs import get_logger

log = get_logger()

REMEMBERED: Final = 4096
"""Certificates whose authority is remembered."""

LONGEST: Final = 64 << 20
"""Bytes of one file of lists."""

_PEM: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_BAD: Final = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm)


class Verdict(Enum):
    """What the lists say of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """It needs a list, and there is none that counts."""


class RevocationLists:
    """What is revoked. `internal` is the list of the internal authorities, `external` that of others.

    `authorities` are those whose certificates are looked at, `internal_authorities` those that need no list,
    since the client records say the same.
    """

    def __init__(
        self,
        internal: Path,
        external: Path | None,
        *,
        authorities: Callable[[], Sequence[x509.Certificate]],
        internal_authorities: Callable[[], Sequence[x509.Certificate]],
        policy: Literal["refuse", "warn"] = "refuse",
    ) -> None:
        self._files = [internal, *([external] if external is not None else [])]
        self._needed = external is not None
        self._read_authorities = authorities
        self._read_internal = internal_authorities
        self._policy = policy
        self._state: object = None
        self._lists: dict[Path, list[x509.CertificateRevocationList]] = {}
        self._by_authority: dict[str, list[x509.CertificateRevocationList]] = {}
        self._authorities: list[x509.Certificate] = []
        self._internal: frozenset[str] = frozenset()
        self._warned: set[str] = set()
        self._issuers: dict[bytes, tuple[str | None, int]] = {}
        """Who has signed a certificate (DER), and its serial number: a signature is checked once."""

    def reload(self) -> bool:
        """Read the files again if they have changed, and tell whether."""
        state = [_state(file) for file in self._files]
        if state == self._state:
            return False
        self._state = state
        self._authorities = list(self._read_authorities())
        self._internal = frozenset(fingerprint(one.public_key()) for one in self._read_internal())
        self._warned.clear()
        self._issuers.clear()
        for file in self._files:
            try:
                self._lists[file] = read_lists(file.read_bytes()) if file.exists() else []
            except (OSError, ValueError) as error:
                # What was read before counts until it ends.
                log.error("revocation_list_unreadable", file=str(file), error=str(error), alarm=_KEPT)
        found: dict[str, list[x509.CertificateRevocationList]] = {}
        for authority in self._authorities:
            known = fingerprint(authority.public_key())
            found[known] = [one for lists in self._lists.values() for one in lists if _is_of(one, authority)]
        self._by_authority = found
        return True

    def verdict(self, der: bytes, now: dt.datetime) -> Verdict:
        """Return what the lists say; a warning that the policy allows is logged and counts as good."""
        known, serial = self._issuers.get(der) or self._read(der)
        if known is None:
            return self._unknown(der) if self._needed else Verdict.GOOD
        lists = self._by_authority.get(known, [])
        if any(one.get_revoked_certificate_by_serial_number(serial) for one in lists):
            # Also by a list that has ended: nothing is ever unrevoked.
            return Verdict.REVOKED
        if known in self._internal or not self._needed:
            return Verdict.GOOD
        if any(one.next_update_utc is not None and now < one.next_update_utc for one in lists):
            return Verdict.GOOD
        return self._unknown(der)

    def _read(self, der: bytes) -> tuple[str | None, int]:
        certificate = x509.load_der_x509_certificate(der)
        issuer = issuer_of(certificate, self._authorities)
        known = None if issuer is None else fingerprint(issuer.public_key())
        if len(self._issuers) >= REMEMBERED:
            self._issuers.clear()
        found = self._issuers[der] = known, certificate.serial_number
        return found

    def _unknown(self, der: bytes) -> Verdict:
        if self._policy == "refuse":
            return Verdict.UNKNOWN
        shown = fingerprint(x509.load_der_x509_certificate(der).public_key())
        if shown not in self._warned:
            self._warned.add(shown)
            log.warning("revocation_not_checked", fingerprint=shown, cure=_CURE)
        return Verdict.GOOD


_CURE: Final = "put a current list of its authority into tls.client_crl, and the authority into tls.client_ca"
_KEPT: Final = "the lists that were read before count until they end; put a whole file there"


def read_lists(content: bytes) -> list[x509.CertificateRevocationList]:
    """Return the lists in a PEM file; raises ValueError for what cannot be read or means something else."""
    if len(content) > LONGEST:
        raise ValueError(f"more than {LONGEST} bytes")
    blocks = _PEM.findall(content)
    if not blocks and content.strip():
        raise ValueError("there is no list in PEM (BEGIN X509 CRL) in it")
    lists = [x509.load_pem_x509_crl(block) for block in blocks]
    for one in lists:
        _require_whole(one)
    return lists


def issuer_of(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Return the authority whose key has signed a certificate, None when it is none of these."""
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except _BAD:
            continue
        return authority
    return None


def _require_whole(one: x509.CertificateRevocationList) -> None:
    """Return for a list of all that its authority has revoked; raises ValueError."""
    for extension in one.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise ValueError("a delta list names only what has changed; use the whole one")
        if isinstance(value, x509.IssuingDistributionPoint):
            if (
                value.indirect_crl
                or value.only_contains_ca_certs
                or value.only_contains_attribute_certs
                or value.only_some_reasons is not None
            ):
                raise ValueError("the list names only a part of what its authority has revoked")
        elif extension.critical:
            raise ValueError(f"the list has a critical extension {extension.oid.dotted_string}")


def _is_of(one: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return one.issuer == authority.subject and one.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except _BAD:
        return False


def _state(file: Path) -> object:
    try:
        status = file.stat()
    except OSError as error:
        return error.errno
    return status.st_ino, status.st_mtime_ns, status.st_size
