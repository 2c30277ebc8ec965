"""The files of a data directory, made of what stands before the tables of a backup.

Rule: restoring and verifying call the same, so that nothing is called good that cannot be restored. Verifying
does it in a folder that is thrown away, under a root key that is nowhere but in its process.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from strongroom.domain.ports import RootKey
from strongroom.server.backup.parts import MAX_CONFIGURATION, RECIPIENT, parsed, seal_again
from strongroom.server.backup.secrets import Secrets
from strongroom.server.config import FILE_NAME, Settings, parse_settings, render_toml
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import OperatorError

_COMMENT: Final = "Strongroom. Written anew when a backup was restored."
_FIRST_SECTION: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Configuration(NamedTuple):
    """A configuration file for a restored directory. `as_written`: comments and all are as they were."""

    text: str
    settings: Settings
    as_written: bool


def configuration_on(store: str, before: str, *, drill: bool = False) -> Configuration:
    """Return a configuration that names another store and is like `before`. Raises OperatorError.

    For a drill it is also without what reaches others than those who ask, since the original lives on.
    """
    if len(before.encode()) > MAX_CONFIGURATION:
        raise OperatorError(f"{FILE_NAME} is too long for a backup; take some of its comments out")
    wanted = {**parsed(before), "store": store}
    parse_settings(wanted)
    if drill:
        wanted = _quiet(wanted)
    settings = parse_settings(wanted)
    for text, as_written in ((_edited(before, {"store": store}), True), (_rendered(wanted), False)):
        if _says(text, wanted):
            return Configuration(text, settings, as_written)
    raise OperatorError(f"{FILE_NAME} cannot be written anew; write it with one line for each setting")


def seal_files(directory: DataDirectory, secrets: Secrets, root_key: RootKey) -> None:
    """Write what the root key protects, but for the recovery recipient. Raises OperatorError."""
    for name, secret in secrets.files.items():
        if name == RECIPIENT:
            continue
        sealed = seal_again(name, secret, root_key)
        (directory.path / name).parent.mkdir(mode=0o700, exist_ok=True)
        write_private(directory.path / name, sealed)


def recovery_recipient(directory: DataDirectory, secrets: Secrets) -> str | None:
    """Return whom the recovery kit belongs to; None without one.

    An older release has put it into the backup as a file, which is believed as the rest of the backup is.
    """
    sealed = secrets.files.get(RECIPIENT)
    if sealed is not None:
        return sealed.reveal().decode().partition(" ")[0]  # its number is nothing to another installation
    return directory.recovery.read_text() if directory.recovery.exists() else None


def _quiet(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a server that rotates nothing, and tells nobody of keys and of what it records."""
    audit = {name: one for name, one in values.get("audit", {}).items() if name not in ("anchors", "sinks")}
    clients = {
        client: {name: one for name, one in said.items() if name not in ("put", "notify", "endpoint")}
        for client, said in values.get("client", {}).items()
    }
    policy = {**values.get("policy", {}), "rotation": "off"}
    return {**values, "policy": policy, "audit": audit, "client": clients}


def _edited(configuration: str, values: Mapping[str, Any]) -> str:
    """Return a configuration with other top-level values, line by line: not every file can be changed so."""
    found = _FIRST_SECTION.search(configuration)
    place = len(configuration) if found is None else found.start()
    top, rest = configuration[:place], configuration[place:]
    for name, value in values.items():
        line = render_toml({name: value}, "").split("\n", 1)[1].strip()
        # As a function, since a replacement string would have its backslashes read.
        top, changed = re.subn(rf"(?m)^[ \t]*{name}[ \t]*=.*$", partial(_instead, line), top)
        if not changed:
            top = f"{top.rstrip()}\n{line}\n" + ("\n" if rest else "")
    return top + rest


def _instead(line: str, _found: re.Match[str]) -> str:
    return line


def _rendered(values: Mapping[str, Any]) -> str:
    """Return a configuration with these values."""
    return render_toml(dict(_flat(values)), _COMMENT)


def _flat(values: Mapping[str, Any], *path: str) -> Iterator[tuple[str, Any]]:
    """Yield the top-level values, then each section under its whole name."""
    for name, value in values.items():
        if not isinstance(value, Mapping):
            if not path:
                yield name, value
            continue
        inner = (*path, name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False))
        yield ".".join(inner), {key: one for key, one in value.items() if not isinstance(one, Mapping)}
        yield from _flat(value, *inner)


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return parsed(text) == wanted
    except OperatorError:
        return False
