"""Which files of a data directory belong into a backup, and how.

Rule: a file is listed here or it is not backed up, and nothing is written on restoring that is not listed.
What is secret is opened by the server, encrypted to those who may open the backup, and sealed again under the
root key of the new directory; it is never in a backup as a file.

Not in a backup: the root key, server key and certificate (made again), sockets, and keys of other people that
the configuration names. A test has a list of them: it finds what is neither here nor there.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final

from strongroom.domain.ports import RootKey, RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.recovery import Recipient, prove_claim, read_claim, write_claim
from strongroom.server.certificates.ca import open_key, seal_key, wrapped_key
from strongroom.server.config import FILE_NAME, Settings, parse_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """A file whose content the root key protects. `pattern` is a name in the directory, perhaps with a *.

    `wrapped` returns what the root key has wrapped of it, None for nothing yet.
    """

    pattern: str
    wrapped: Callable[[bytes, str], bytes | None]
    open: Callable[[bytes, RootKey, str], SecretBytes]
    seal: Callable[[SecretBytes, RootKey], bytes]


def _recipient_seal(content: bytes, name: str) -> bytes | None:
    try:
        return read_claim(content, name).wrapped
    except RootKeyError:
        return None  # nothing is wrapped or backed up until a new kit takes its place


def _open_recipient(content: bytes, root_key: RootKey, name: str) -> SecretBytes:
    claim = read_claim(content, name)
    prove_claim(claim, root_key.unwrap, name)
    said = f"{claim.recipient.text} {claim.number}" if claim.number else claim.recipient.text
    return SecretBytes(said.encode())


def _seal_recipient(said: SecretBytes, root_key: RootKey) -> bytes:
    text, _, number = said.reveal().decode().partition(" ")
    return write_claim(Recipient(text), int(number or 0), root_key.wrap)


MAX_CONFIGURATION: Final = 4 << 20

RECIPIENT: Final = "recovery.pub"
"""Whom the recovery kit belongs to: no secret, but sealed like one, since backups are made for it."""

ONCE_PLAIN: Final = (RECIPIENT,)
"""Files that older releases have copied as they were."""

REPLACED: Final = (
    FILE_NAME,
    "ca.pem",
    "audit.pub",
    "authorities/*.pem",
    "authorities/*.retired",
    "crl.pem",
    "policy.cedar",
    "clients.sealed",
)
"""Files that are copied as they are, by name or pattern; whoever changes one puts another in its place."""

AUDIT: Final = ("audit/anchored", "audit/checkpoints", "audit/end-*", "audit/node", "audit/reads-*")
"""Files that are copied as they are and that grow meanwhile; `files.py` knows how far each is to be read."""

PLAIN: Final = REPLACED + AUDIT

SEALED: Final = (
    SealedFile(pattern="ca.key", wrapped=wrapped_key, open=open_key, seal=seal_key),
    SealedFile(pattern="authorities/*.key", wrapped=wrapped_key, open=open_key, seal=seal_key),
    SealedFile(pattern="audit.key", wrapped=wrapped_key, open=open_key, seal=seal_key),
    SealedFile(pattern=RECIPIENT, wrapped=_recipient_seal, open=_open_recipient, seal=_seal_recipient),
)


def plain_files(directory: DataDirectory) -> Iterator[str]:
    """Yield the names of the files that are copied as they are, those that the configuration names too, but
    for the audit log; the configuration comes first."""
    for pattern in REPLACED:
        yield from _found(directory.path, pattern)
    configuration = _configuration(directory)
    settings = parse_settings(parsed(configuration))
    # Some keep a certificate and its key in one file.
    keys = {os.path.normpath(name) for name in (settings.tls.key, settings.audit.tls_key) if name}
    for name in _named(configuration):
        if name not in keys and (directory.path / name).is_file():
            yield name


def sealed_files(directory: DataDirectory) -> Iterator[tuple[str, SealedFile]]:
    """Yield the names of the files that the root key protects."""
    for kind in SEALED:
        for name in _found(directory.path, kind.pattern):
            yield name, kind


def open_sealed(directory: DataDirectory, root_key: RootKey) -> Iterator[tuple[str, SecretBytes]]:
    """Yield what is in the files that the root key protects. Raises OperatorError and RootKeyError."""
    for name, kind in sealed_files(directory):
        path = directory.path / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OperatorError(f"cannot read {path}: {error.strerror}") from error
        yield name, kind.open(content, root_key, str(path))


def seal_again(name: str, secret: SecretBytes, root_key: RootKey) -> bytes:
    """Return the content of a file that the root key protects. Raises OperatorError for any other."""
    for kind in SEALED:
        if fnmatchcase(name, kind.pattern) and _stays_inside(name):
            return kind.seal(secret, root_key)
    raise OperatorError(f"the backup holds {name!r}, which this Strongroom does not know; use a newer one")


def checked_name(name: str, configuration: str) -> str:
    """Return the name of a plain file of a backup if it may be written into a data directory.

    Those that are listed may, and those that the configuration names. Raises OperatorError.
    """
    known = any(fnmatchcase(name, pattern) for pattern in PLAIN + ONCE_PLAIN) or name in _named(configuration)
    if not known or not _stays_inside(name):
        raise OperatorError(f"the backup holds the file {name!r}, which belongs into no data directory")
    return name


def named_certificates(settings: Settings) -> list[str]:
    """Return the files that settings name, but those with keys: they are other people's to keep."""
    tls, audit = settings.tls, settings.audit
    named = [tls.certificate, tls.client_ca, tls.client_crl, audit.tls_ca, audit.tls_certificate]
    named += [client.endpoint_ca for client in settings.client.values()]
    return [name for name in named if name is not None]


def parsed(configuration: str) -> dict[str, Any]:
    """Return what a configuration says, whoever has written it. Raises OperatorError."""
    try:
        return tomllib.loads(configuration)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OperatorError(f"{FILE_NAME} is not valid TOML: {error}") from error


def _stays_inside(name: str) -> bool:
    """Tell whether a name means a file below the directory: the * of a pattern takes any character."""
    path = PurePosixPath(name)
    return "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _found(directory: Path, pattern: str) -> Iterator[str]:
    for path in sorted(directory.glob(pattern)):
        if path.is_file():
            yield str(path.relative_to(directory))


def _configuration(directory: DataDirectory) -> str:
    path = directory.configuration
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}") from error


def _named(configuration: str) -> list[str]:
    """Return the certificates that a configuration names, as far as they lie in the data directory."""
    named = named_certificates(parse_settings(parsed(configuration)))
    paths = {PurePosixPath(os.path.normpath(name)) for name in named if name and "\0" not in name}
    inside = (path for path in paths if path.parts and not path.is_absolute() and ".." not in path.parts)
    return sorted(str(path) for path in inside if not any(fnmatchcase(str(path), p) for p in PLAIN))
