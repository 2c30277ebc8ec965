"""The life cycle of the internal authority: a new one beside the old, until the old one has no clients left.

Rule: the current authority issues clients; every authority that is not retired is trusted. The server's own
certificate is of the oldest one, since a client that was not renewed yet knows no other. What is replaced is
kept first, so that a crash at any moment leaves an authority that works.

    ca.pem, ca.key             the current authority
    authorities/ID.pem, .key   an older one; ID is the beginning of its key's fingerprint
    authorities/ID.retired     one that is not trusted any more
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.ports import RootKey
from strongroom.server.certificates.ca import (
    AUTHORITY_LIFETIME,
    Authority,
    create_authority,
    fingerprint,
    open_authority,
    open_pair,
    read_certificate_file,
)
from strongroom.server.data_directory import DataDirectory, sync_directory, write_private, write_public
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

_RETIRED: Final = ".retired"

SHORTEST_ID: Final = 8
"""Characters that name an authority at least."""


def certificates(directory: DataDirectory) -> list[x509.Certificate]:
    """Return the authorities that are trusted, the current one first, then from new to old.

    Raises OperatorError.
    """
    current = read_certificate_file(directory.ca_certificate)
    found = [read_certificate_file(file) for file in _files(directory)]
    older = [one for one in found if one.public_key() != current.public_key()]
    # By the end, which the clock that made them cannot put in doubt later; then by name, to be sure.
    return [
        current,
        *sorted(older, key=lambda one: (one.not_valid_after_utc, one.subject.rfc4514_string()), reverse=True),
    ]


def identity(certificate: x509.Certificate) -> str:
    """Return what stands for an authority: the fingerprint of its key."""
    return fingerprint(certificate.public_key())


def bundle(directory: DataDirectory) -> bytes:
    """Return what a client trusts, in PEM: the authorities in force; raises OperatorError."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates(directory))


def open_all(directory: DataDirectory, root_key: RootKey) -> list[Authority]:
    """Return the authorities that are trusted, opened, in the order of `certificates`.

    Raises OperatorError and RootKeyError.
    """
    opened = [open_authority(directory, root_key)]
    for one in certificates(directory)[1:]:
        opened.append(
            open_pair(
                directory.older_authority(identity(one)),
                directory.older_authority_key(identity(one)),
                root_key,
            )
        )
    return opened


def server_issuer(directory: DataDirectory) -> x509.Certificate:
    """Return the authority that the server's own certificate is of; raises OperatorError."""
    return certificates(directory)[-1]


def open_server_authority(directory: DataDirectory, root_key: RootKey) -> Authority:
    """Return the authority that issues the server's own certificate; raises OperatorError, RootKeyError."""
    return open_all(directory, root_key)[-1]


def rotate(directory: DataDirectory, root_key: RootKey, now: dt.datetime) -> Authority:
    """Make a new authority the current one and keep the one before; raises OperatorError, RootKeyError."""
    with directory.alone():
        return _rotate(directory, root_key, now)


def _rotate(directory: DataDirectory, root_key: RootKey, now: dt.datetime) -> Authority:
    before = open_authority(directory, root_key)
    try:
        directory.older_authorities.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot make {directory.older_authorities}: {error.strerror}") from error
    key = directory.older_authority_key(before.identity)
    if not key.exists():
        write_private(key, directory.ca_key.read_bytes())
    write_public(directory.older_authority(before.identity), before.certificate.public_bytes(Encoding.PEM))
    # Which one is the oldest is told by their ends, in whole seconds: no two have the same.
    following = before.certificate.not_valid_after_utc - AUTHORITY_LIFETIME + dt.timedelta(seconds=1)
    new = create_authority(directory, root_key, max(now, following))
    # Whatever becomes of `ca.key`, the key of the current authority is not lost.
    write_private(directory.older_authority_key(new.identity), directory.ca_key.read_bytes())
    return new


def find_older(directory: DataDirectory, wanted: str) -> x509.Certificate:
    """Return the older authority whose identity begins with `wanted`; raises NotFound and OperatorError."""
    if len(wanted) < SHORTEST_ID:
        raise InvalidOption(f"name an authority by {SHORTEST_ID} characters of its identity at least")
    current, *older = certificates(directory)
    if identity(current).startswith(wanted):
        raise OperatorError(
            "this is the current authority; make another one first: strongroom server ca rotate"
        )
    for one in older:
        if identity(one).startswith(wanted):
            return one
    raise NotFound(f"there is no authority {wanted}; list them: strongroom server ca list")


def retire(directory: DataDirectory, authority: x509.Certificate) -> None:
    """Trust an older authority no more. Its key is destroyed; its certificate is kept as `.retired`.

    Raises OperatorError; what is left then is done by the next time, or by `finish_retiring`.
    """
    file = directory.older_authority(identity(authority))
    with directory.alone():
        write_public(file.with_suffix(_RETIRED), authority.public_bytes(Encoding.PEM))
        # First what is trusted: a crash leaves a key that nothing uses.
        _remove(file)
        _remove(directory.older_authority_key(identity(authority)))


def finish_retiring(directory: DataDirectory, wanted: str) -> bool:
    """Destroy the key of an authority that was retired before, if it is still there.

    False when none was whose identity begins with `wanted`. Raises OperatorError.
    """
    for file in directory.older_authorities.glob(f"*{_RETIRED}"):
        if len(wanted) >= SHORTEST_ID and file.stem.startswith(wanted[: len(file.stem)]):
            with directory.alone():
                _remove(file.with_suffix(".key"))
            return True
    return False


def former_names(directory: DataDirectory) -> Sequence[x509.Name]:
    """Return the names of all authorities that this directory has ever had.

    Of those that are retired, one that cannot be read is left out, with an alarm. Raises OperatorError.
    """
    names = [read_certificate_file(file).subject for file in (directory.ca_certificate, *_files(directory))]
    for file in directory.older_authorities.glob(f"*{_RETIRED}"):
        try:
            names.append(read_certificate_file(file).subject)
        except OperatorError as error:
            log.error("retired_authority_unreadable", file=str(file), error=str(error))
    return names


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
        sync_directory(file.parent)
    except OSError as error:
        raise OperatorError(f"cannot remove {file}: {error.strerror}; run the command again") from error


def _files(directory: DataDirectory) -> list[Path]:
    return sorted(directory.older_authorities.glob("*.pem"))
