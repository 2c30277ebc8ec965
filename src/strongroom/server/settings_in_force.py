"""The settings that a running server has: those of its file, and of the command line, which beats it.

Rule: what only a restart changes stays as it was at the start, whatever the file says since then.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from strongroom.server.config import Settings, load_settings, override, throw_away
from strongroom.server.logs import get_logger

log = get_logger()

_FIXED: Final = ("listen", "https", "workers", "store")
"""Settings that only a restart changes."""


def read_settings(file: Path, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a server that starts; raises OperatorError."""
    settings = load_settings(file)
    return override(settings, throw_away(options, settings))


def read_again(file: Path, options: Mapping[str, Any], before: Settings) -> Settings:
    """Return the settings of a server that runs with those of `before`; raises OperatorError."""
    settings = read_settings(file, options)
    for name in _FIXED:
        if getattr(settings, name) != getattr(before, name):
            log.warning("setting_needs_restart", setting=name)
    return settings.model_copy(update={name: getattr(before, name) for name in _FIXED})
