"""Revocation lists of the authorities whose certificates the listeners take.

Rule: a list counts when the authority itself has signed it, it is whole, and it has not ended. A certificate
that a list names is refused; one whose list is missing or out of date is refused too, unless the policy says
that a warning is enough. Lists are read again when their file changes, and live connections are looked at
again then. What an authority has revoked stays revoked until another list of that authority says otherwise: a
file that is gone or cut off unrevokes nothing.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from strongroom.server.certificates.ca import UNREADABLE, fingerprint
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

REMEMBERED: Final = 4096
"""Certificates whose authority is remembered."""

LONGEST: Final = 64 << 20
"""Bytes of one file of lists."""

TRY_AGAIN: Final = 30.0
"""Seconds after which what could not be read is read again, though it has not changed: it may have been the
machine that had no descriptors, or a disk that did not answer."""

_BEGIN: Final = b"-----BEGIN X509 CRL-----"
_PEM: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_BAD: Final = (*UNREADABLE, InvalidSignature)


class Verdict(Enum):
    """What the lists say of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """It needs a list, and there is none that counts."""


class _Revoked(NamedTuple):
    """What an authority has revoked: serial numbers, and when its newest list ends; None without one."""

    serials: frozenset[int]
    ends_at: dt.datetime | None


@dataclass(slots=True)
class _Known:
    """All that was read at one time. `issuers` says who has signed a certificate (DER), and its serial
    number: a signature is checked once."""

    authorities: Sequence[x509.Certificate] = ()
    internal: frozenset[str] = frozenset()
    revoked: Mapping[str, _Revoked] = field(default_factory=dict)
    issuers: dict[bytes, tuple[str | None, int]] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)


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
        self._external = external
        self._needed = external is not None
        self._read_authorities = authorities
        self._read_internal = internal_authorities
        self._policy = policy
        self._state: object = None
        self._lists: dict[Path, list[x509.CertificateRevocationList]] = {}
        self._known = _Known()
        self._next_end: dt.datetime | None = None
        self._try_at: float | None = None  # when what could not be read is read again

    def is_stale(self, now: dt.datetime) -> bool:
        """Tell whether a file has changed since it was read, or a list has ended."""
        ended = self._next_end is not None and self._next_end <= now
        again = self._try_at is not None and time.monotonic() >= self._try_at
        return ended or again or self._state != [_state(file) for file in self._files]

    def begin_with(self, content: bytes, now: dt.datetime) -> None:
        """Begin with what was in the external file when it could last be read; raises ValueError."""
        if self._external is not None:
            self._lists[self._external] = read_lists(content)
            self._judge(now)

    def reload(self, now: dt.datetime) -> None:
        """Read the files again; another thread may ask for verdicts meanwhile. What cannot be read is logged,
        and what was read before counts until it ends."""
        self._state, self._try_at = [_state(file) for file in self._files], None
        for file in self._files:
            try:
                self._lists[file] = read_lists(_content(file))
            except FileNotFoundError:
                self._lists[file] = []
                if file == self._external:
                    log.error("revocation_list_missing", file=str(file), alarm=_GONE)
            except (OSError, ValueError) as error:
                log.error("revocation_list_unreadable", file=str(file), error=str(error), alarm=_KEPT)
                self._try_again()
        self._judge(now)

    def _judge(self, now: dt.datetime) -> None:
        """Work out what the lists say of the authorities as they are now."""
        try:
            authorities = list(self._read_authorities())
            internal = frozenset(fingerprint(one.public_key()) for one in self._read_internal())
        except (OSError, ValueError, OperatorError) as error:
            log.error("authorities_unreadable", error=str(error), alarm=_KEPT)
            self._try_again()
            authorities, internal = list(self._known.authorities), self._known.internal
        # An authority that was renewed under another name has one key and several names.
        by_key: dict[str, list[x509.Certificate]] = {}
        for one in authorities:
            by_key.setdefault(fingerprint(one.public_key()), []).append(one)
        revoked = {key: self._revoked_by(key, same) for key, same in by_key.items()}
        self._known = _Known(authorities, internal, revoked)
        ends = [one.ends_at for one in revoked.values() if one.ends_at is not None and one.ends_at > now]
        self._next_end = min(ends, default=None)

    def _try_again(self) -> None:
        self._try_at = time.monotonic() + TRY_AGAIN

    def verdict(self, der: bytes, now: dt.datetime) -> Verdict:
        """Return what the lists say; a warning that the policy allows is logged and counts as good."""
        known = self._known
        issuer, serial = known.issuers.get(der) or _read(known, der)
        if issuer is None:
            return self._unknown(known, der) if self._needed else Verdict.GOOD
        revoked = known.revoked[issuer]
        if serial in revoked.serials:
            # Also by a list that has ended: nothing is ever unrevoked.
            return Verdict.REVOKED
        if issuer in known.internal or not self._needed:
            return Verdict.GOOD
        if revoked.ends_at is not None and now < revoked.ends_at:
            return Verdict.GOOD
        return self._unknown(known, der)

    def _revoked_by(self, key: str, same: Sequence[x509.Certificate]) -> _Revoked:
        """Return what the lists of one authority say, under each of its names; without any, what those said
        that were there before."""
        lists = [
            one for lists in self._lists.values() for one in lists if any(_is_of(one, name) for name in same)
        ]
        if not lists:
            before = self._known.revoked.get(key)
            return _Revoked(frozenset() if before is None else before.serials, None)
        ends = [one.next_update_utc for one in lists if one.next_update_utc is not None]
        serials = frozenset(entry.serial_number for one in lists for entry in one)
        return _Revoked(serials, max(ends, default=None))

    def _unknown(self, known: _Known, der: bytes) -> Verdict:
        if self._policy == "refuse":
            return Verdict.UNKNOWN
        shown = fingerprint(x509.load_der_x509_certificate(der).public_key())
        if shown not in known.warned:
            known.warned.add(shown)
            log.warning("revocation_not_checked", fingerprint=shown, cure=_CURE)
        return Verdict.GOOD


class LastList:
    """What was in a file of lists when it could last be read, for whoever starts later."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._state: object = None
        self.content = b""

    def follow(self, file: Path | None) -> None:
        """Look at the file, which may be another one than before; None for none."""
        if file != self._file:
            self._file, self._state, self.content = file, None, b""
        state = None if file is None else _state(file)
        if file is None or state == self._state:
            return
        try:
            content = _content(file)
            read_lists(content)
        except OSError:
            return  # the workers say so; it is tried again
        except ValueError:
            content = self.content
        self._state, self.content = state, content


def _read(known: _Known, der: bytes) -> tuple[str | None, int]:
    certificate = x509.load_der_x509_certificate(der)
    issuer = issuer_of(certificate, known.authorities)
    if len(known.issuers) >= REMEMBERED:
        known.issuers.clear()
    found = None if issuer is None else fingerprint(issuer.public_key())
    known.issuers[der] = found, certificate.serial_number
    return found, certificate.serial_number


_CURE: Final = "put a current list of its authority into tls.client_crl, and the authority into tls.client_ca"
_GONE: Final = "certificates that it named stay refused, and tls.crl_policy decides on all others"
_KEPT: Final = "the lists that were read before count until they end; put a whole file there"


def read_lists(content: bytes) -> list[x509.CertificateRevocationList]:
    """Return the lists in a PEM file; raises ValueError for what cannot be read or means something else."""
    if len(content) > LONGEST:
        raise ValueError(f"more than {LONGEST} bytes")
    blocks = _PEM.findall(content)
    if len(blocks) != content.count(_BEGIN):
        raise ValueError("a list in it is cut off")
    if not blocks and content.strip():
        raise ValueError("there is no list in PEM (BEGIN X509 CRL) in it")
    lists = [x509.load_pem_x509_crl(block) for block in blocks]
    for one in lists:
        _require_whole(one)
    return lists


def _content(file: Path) -> bytes:
    """Return what is in a file; raises OSError, and ValueError when that is nothing."""
    content = file.read_bytes()
    if not content.strip():
        raise ValueError("there is nothing in it, as if it had been cut off")
    return content


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
