"""Proving that a backup can be restored, without a server and without touching one.

Rule: it is restored, into a store that is thrown away; the keys it needs are in the memory of this process
only. What is wrong with it is said precisely.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key
from pyrage import x25519

from strongroom.audit.keys import VerifyingKey
from strongroom.domain.ports import RootKey, RootKeyError
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.secret import SecretBytes
from strongroom.server.backup.create import Report
from strongroom.server.backup.making import configuration_on, recovery_recipient, seal_files
from strongroom.server.backup.parts import RECIPIENT, seal_again
from strongroom.server.backup.unpack import Contents, Unpacking, backup_events
from strongroom.server.certificates.authorities import identity, open_server_authority
from strongroom.server.certificates.ca import new_key
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.ports import Adapters

SAMPLE: Final = 1000
"""Records of each kind that are opened, about, unless all are."""

_THROW_AWAY: Final = "sqlite:///throw-away.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a backup holds, and what is wrong with it although it is whole."""

    contents: Contents
    problems: tuple[str, ...]


def verify_backup(
    file: Path,
    adapters: Adapters,
    identities: Sequence[x25519.Identity],
    *,
    everything: bool,
    report: Report,
    signer: VerifyingKey | None = None,
) -> Verified:
    """Restore a backup into nothing, and open a sample of its records, or all. Raises OperatorError.

    It has to be made by the server whose audit key `signer` is; None: by whomever.
    """

    problems: list[str] = []

    async def work(folder: Path) -> Contents:
        with backup_events(file, identities) as events:
            unpacking = Unpacking(events, identities, folder=folder, report=report, signer=signer)
            contents = unpacking.front()
            root_key = adapters.throw_away_root_key()
            problems.extend(
                _authority_problems(folder, contents) or _making_problems(folder, contents, root_key)
            )
            largest = max(contents.header.counts.values(), default=0)
            every = 1 if everything else max(1, largest // SAMPLE)
            async with adapters.fill_store(_THROW_AWAY, DataDirectory(folder)) as filling:
                await unpacking.tables(contents, filling, root_key, every=every)
            return contents

    with tempfile.TemporaryDirectory(prefix="strongroom-verify-") as folder:
        try:
            contents = asyncio.run(work(Path(folder)))
        except StoreFailure as error:
            raise OperatorError(str(error)) from error
    return Verified(contents=contents, problems=(*contents.problems(), *problems))


def _authority_problems(folder: Path, contents: Contents) -> list[str]:
    """Tell what is wrong with the certificate authorities, without which no client is let in."""
    secret = contents.secrets.files.get("ca.key")
    if secret is None or "ca.pem" not in contents.files:
        return ["the certificate authority is missing"]
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = load_der_private_key(secret.reveal(), None)
    except ValueError:
        return ["the certificate authority cannot be read"]
    if key.public_key() != certificate.public_key():
        return ["ca.key is not the key of ca.pem"]
    return [
        f"{name} has no certificate: clients of that authority would not be let in"
        for name in contents.secrets.files
        if fnmatchcase(name, "authorities/*.key") and not _has_certificate(name, certificate, contents)
    ]


def _making_problems(folder: Path, contents: Contents, root_key: RootKey) -> list[str]:
    """Make the files of a data directory, as restoring does; tell what keeps it from that."""
    directory, now = DataDirectory(folder), datetime.now(UTC)
    try:
        settings = configuration_on(_THROW_AWAY, contents.configuration).settings
        recipient = recovery_recipient(directory, contents.secrets)
        if recipient is not None:
            seal_again(RECIPIENT, SecretBytes(recipient.encode()), root_key)
        seal_files(directory, contents.secrets, root_key)
        # For a key that nobody has: a certificate of the authority is good wherever it lies.
        authority = open_server_authority(directory, root_key)
        authority.server_certificate(new_key().public_key(), settings.hosts, now)
    except (OperatorError, RootKeyError, ValueError) as error:
        return [str(error).replace(f"{folder}/", "")]
    return []


def _has_certificate(name: str, current: x509.Certificate, contents: Contents) -> bool:
    """Tell whether an authority of which there is a key can be trusted; the current one has its own file."""
    file = PurePosixPath(name)
    if identity(current).startswith(file.stem):
        return True
    return any(str(file.with_suffix(suffix)) in contents.files for suffix in (".pem", ".retired"))
