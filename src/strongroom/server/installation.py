"""Making a data directory.

Rule: everything is made before the configuration is written, since that is what makes it a data directory.
The lock is held meanwhile. What fails half-way leaves nothing that `serve` would start on.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from strongroom.server.audit_key import create_audit_key
from strongroom.server.certificates.ca import create_authority, issue_server_certificate
from strongroom.server.config import Settings, beside, override, parse_settings, render_toml
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.ports import Adapters
from strongroom.server.reservation import reserve
from strongroom.server.root.files import Kit, RootChoice, prepare_files, remove, write_files

_WRITTEN: Final = ("listen", "https", "hosts", "store")
_COMMENT: Final = "Strongroom. What is not set here has its default; a key that does not exist is an error."


def create_installation(
    path: Path,
    adapters: Adapters,
    values: Mapping[str, Any],
    *,
    root_key: RootChoice = RootChoice(),  # noqa: B008 -- frozen
    recovery: Kit | None = None,
) -> DataDirectory:
    """Make a data directory whose configuration sets `values`; raises OperatorError.

    `root_key` says where the root key comes from, `recovery` where the recovery kit goes, None for none. What
    people are to keep is written before anything depends on it, and must not exist yet.
    """
    settings = override(parse_settings({}), values)
    if "https" not in values:
        settings = override(settings, {"https": beside(settings.listen)})
    kept: list[Path] = []
    try:
        with reserve(path) as directory:
            _fill(directory, adapters, settings, root_key, recovery, kept)
    except BaseException:
        # What is whole in spite of it could be served, and would need them.
        if not DataDirectory(path.absolute()).configuration.exists():
            remove(kept)
        raise
    return directory


def _fill(
    directory: DataDirectory,
    adapters: Adapters,
    settings: Settings,
    root_key: RootChoice,
    recovery: Kit | None,
    kept: list[Path],
) -> None:
    """Make everything; what people are to keep is added to `kept` as soon as it is there."""
    adapters.check_store_url(settings.store, directory)
    adapters.check_store_is_free(settings, directory)
    now = datetime.now(UTC).replace(microsecond=0)
    if recovery is not None:
        kit = adapters.make_recovery_kit(recovery.split, name=str(directory.path))
        kept += write_files(prepare_files(recovery.out, len(kit.files)), kit.files)
    new = root_key.make(adapters, generation=1)
    kept += new.paths
    opened = adapters.create_root_key(directory, new.root)
    if recovery is not None:
        opened.set_recovery(kit.recipient)
    authority = create_authority(directory, opened, now)
    create_audit_key(directory, opened)
    issue_server_certificate(directory, authority, settings.hosts, now)
    adapters.create_store(settings, directory)
    adapters.claim_store(settings, directory, opened)
    chosen = {name: getattr(settings, name) for name in _WRITTEN}
    write_private(directory.configuration, render_toml(chosen, _COMMENT).encode())
