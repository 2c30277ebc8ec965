"""Making a data directory of a backup.

Rule: on an empty host only. The configuration is written last, as in `installation.py`: whatever ends it half
way leaves nothing that `serve` would start on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyrage import x25519

from strongroom.audit.keys import VerifyingKey
from strongroom.domain.audit import AuditEvent
from strongroom.domain.backups import Restored
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.backup.create import Report
from strongroom.server.backup.making import (
    Configuration,
    configuration_on,
    recovery_recipient,
    seal_files,
)
from strongroom.server.backup.parts import named_certificates
from strongroom.server.backup.unpack import Contents, Unpacking, backup_events
from strongroom.server.certificates.authorities import open_server_authority
from strongroom.server.certificates.ca import issue_server_certificate
from strongroom.server.config import DEFAULT_STORE, FILE_NAME, Settings
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.ports import Adapters
from strongroom.server.recording import act
from strongroom.server.reservation import reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredDirectory:
    """What was restored, and what the operator has to look after."""

    directory: DataDirectory
    contents: Contents
    settings: Settings
    warnings: tuple[str, ...]


def restore_backup(
    file: Path,
    path: Path,
    adapters: Adapters,
    identities: Sequence[x25519.Identity],
    *,
    store: str | None = None,
    report: Report,
    signer: VerifyingKey | None = None,
    drill: bool = False,
) -> RestoredDirectory:
    """Make the data directory `path` of a backup, on the store at `store`. Raises OperatorError.

    `store` None means an SQLite file in the directory, for a backup of one. The backup has to be made by the
    server whose audit key `signer` is; None: by whomever. For a drill it reaches nobody.
    """
    try:
        with reserve(path) as directory:
            return asyncio.run(_restore(file, directory, adapters, identities, store, report, signer, drill))
    except StoreFailure as error:
        raise OperatorError(str(error)) from error


async def _restore(
    file: Path,
    directory: DataDirectory,
    adapters: Adapters,
    identities: Sequence[x25519.Identity],
    store: str | None,
    report: Report,
    signer: VerifyingKey | None,
    drill: bool,
) -> RestoredDirectory:
    now = datetime.now(UTC).replace(microsecond=0)
    with backup_events(file, identities) as events:
        unpacking = Unpacking(events, identities, folder=directory.path, report=report, signer=signer)
        contents = unpacking.front()
        url = _store_url(contents, store)
        configuration = configuration_on(url, contents.configuration, drill=drill)
        settings = configuration.settings
        adapters.check_store_url(url, directory)
        root_key = adapters.create_root_key(directory, adapters.make_root_key("file", 1, {}))
        recipient = recovery_recipient(directory, contents.secrets)
        if recipient is not None:  # before anything is wrapped, so that it is wrapped for the kit, too
            root_key.set_recovery(recipient)
        seal_files(directory, contents.secrets, root_key)
        if settings.tls.certificate is None:
            authority = open_server_authority(directory, root_key)
            issue_server_certificate(directory, authority, settings.hosts, now)
        async with adapters.fill_store(url, directory) as filling:
            await unpacking.tables(contents, filling, root_key)
            await filling.mark(root_key, _marker(contents, now), _event(contents, now))
            await filling.commit()
            # Inside, since a store without its directory is of no use, and in the way of the next attempt.
            write_private(directory.configuration, configuration.text.encode())
    return RestoredDirectory(
        directory=directory,
        contents=contents,
        settings=settings,
        warnings=tuple(_warnings(directory, configuration, contents, drill=drill)),
    )


def _marker(contents: Contents, now: datetime) -> EntryChange:
    header = contents.header
    value = Restored(
        backup=header.backup, taken_at=datetime.fromisoformat(header.created_at), restored_at=now
    )
    key = f"{now:%Y%m%dT%H%M%SZ} {header.backup}"
    kept = Kept(tenant=SYSTEM_TENANT, key=key, owner=0, value=value)
    return EntryChange(Restored, SYSTEM_TENANT, key, 0, kept)


def _event(contents: Contents, now: datetime) -> AuditEvent:
    return act({"command": "backup.restore", "name": contents.header.backup}, now)


def _store_url(contents: Contents, store: str | None) -> str:
    if store is not None:
        return store
    if contents.header.database != "sqlite":
        raise InvalidOption(
            "the backup is of a PostgreSQL store; name an empty database with --store postgresql://..., "
            f"or --store {DEFAULT_STORE} for a file in the new directory"
        )
    return DEFAULT_STORE


def _warnings(
    directory: DataDirectory, configuration: Configuration, contents: Contents, *, drill: bool
) -> list[str]:
    settings = configuration.settings
    found = [f"{problem}; it was restored as it was" for problem in contents.problems()]
    if drill:
        found.append(
            "this is for a drill: keys are not rotated, and neither clients nor anchors and sinks are told"
        )
    elif not configuration.as_written:
        found.append(f"{FILE_NAME} could not be changed line by line; it says the same, without its comments")
    named = [*named_certificates(settings), settings.tls.key, settings.audit.tls_key]
    found += [
        f"the configuration names {name}, which is not in the backup; put it in place before you start"
        for name in named
        if name is not None and not (directory.path / name).exists()
    ]
    return found
