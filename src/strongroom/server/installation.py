"""Making a data directory.

Rule: everything is made before the configuration is written, since that is what makes it a data directory.
What fails half-way leaves nothing that `serve` would start on.
"""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from strongroom.server.ca import create_authority, issue_server_certificate
from strongroom.server.config import beside, override, parse_settings, render_toml
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import OperatorError
from strongroom.server.ports import Adapters

_WRITTEN: Final = ("listen", "https", "hosts", "store")
_COMMENT: Final = "Strongroom. What is not set here has its default; a key that does not exist is an error."


def create_installation(
    path: Path, adapters: Adapters, values: Mapping[str, Any], *, recovery: Path | None = None
) -> DataDirectory:
    """Make a data directory whose configuration sets `values`; raises OperatorError.

    `recovery` names a file for a copy of the root key; it must not exist.
    """
    settings = override(parse_settings({}), values)
    if "https" not in values:
        settings = override(settings, {"https": beside(settings.listen)})
    if recovery is not None and recovery.exists():
        raise OperatorError(f"{recovery} exists already; name another file for the recovery copy")
    existed = path.exists()
    directory = DataDirectory.create(path)
    try:
        adapters.check_store_url(settings.store, directory)
        now = datetime.now(UTC).replace(microsecond=0)
        adapters.create_root_key(directory)
        authority = create_authority(directory, adapters.open_root_key(directory), now)
        issue_server_certificate(directory, authority, settings.hosts, now)
        adapters.create_store(settings, directory)
        if recovery is not None:
            write_private(recovery, directory.root_key.read_bytes())
        chosen = {name: getattr(settings, name) for name in _WRITTEN}
        write_private(directory.configuration, render_toml(chosen, _COMMENT).encode())
    except BaseException:
        _undo(directory.path, keep=existed)
        raise
    return directory


def _undo(path: Path, *, keep: bool) -> None:
    """Remove what was made: the directory was empty before."""
    for entry in path.iterdir():
        with contextlib.suppress(OSError):
            entry.unlink()
    if not keep:
        with contextlib.suppress(OSError):
            path.rmdir()
