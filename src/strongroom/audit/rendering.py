"""Events for people and for other programs.

Rule: whatever stands in an event, what comes out is one line of ASCII that no terminal and no parser takes
for more than one.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from strongroom.version import VERSION

_CEF_HEAD: Final = f"CEF:0|Strongroom|strongroom|{VERSION}"
_REFUSED, _DONE = 6, 3
"""Severities (0 to 10) of what was refused and what was done."""

_CEF_KEYS: Final = {
    "at": "rt",
    "peer": "src",
    "by": "suser",
    "client": "suid",
    "outcome": "outcome",
    "operation": "act",
    "objects": "fname",
    "target": "request",
    "tenant": "cs1",
}
_LABELS: Final = {"cs1": "cs1Label=tenant"}


def parsed(event: bytes) -> Mapping[str, Any]:
    """Return an event as a mapping; one that is none is shown as such."""
    try:
        said = json.loads(event)
        if isinstance(said, dict):
            return said
    except (ValueError, RecursionError):
        pass
    return {"operation": "UNREADABLE", "outcome": "unreadable"}


def to_cef(event: bytes, **place: object) -> bytes:
    """Return an event in the Common Event Format, without a syslog header; `place` is where it stands."""
    said = {**parsed(event), **place}
    operation = _plain(said.get("operation", ""))
    name = operation.replace("\\", "\\\\").replace("|", "\\|")
    severity = _DONE if said.get("outcome") == "success" else _REFUSED
    fields = []
    for key, value in sorted(said.items()):
        known = _CEF_KEYS.get(key, f"strongroom{key.title().replace('_', '')}")
        if key == "at" and isinstance(value, int):
            value = value * 1000
        if known in _LABELS:
            fields.append(_LABELS[known])
        fields.append(f"{known}={_plain(value).replace(chr(92), chr(92) * 2).replace('=', chr(92) + '=')}")
    return f"{_CEF_HEAD}|{name}|{name}|{severity}|{' '.join(fields)}".encode()


def _plain(value: object) -> str:
    """Return a value as printable ASCII."""
    if isinstance(value, str):
        return json.dumps(value)[1:-1].replace('\\"', '"').replace("\x7f", "\\u007f")
    return json.dumps(value, separators=(",", ":"))


def row(said: Mapping[str, Any], clients: Mapping[int, str]) -> dict[str, object]:
    """Return the row of a table; `clients` are the names of clients by their numbers."""
    return {
        "at": _time(said.get("at")),
        "who": _who(said, clients),
        "peer": said.get("peer"),
        "operation": said.get("operation"),
        "outcome": said.get("outcome"),
        "objects": _objects(said),
    }


def _time(at: object) -> str | None:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(at, int) else None
    except (ValueError, OverflowError, OSError):
        return None


def _who(said: Mapping[str, Any], clients: Mapping[int, str]) -> object:
    if "by" in said:
        return said["by"]
    number = said.get("client")
    return clients.get(number, f"client {number}") if isinstance(number, int) and number else None


def _objects(said: Mapping[str, Any]) -> Sequence[object]:
    objects = said.get("objects")
    found: list[object] = list(objects) if isinstance(objects, list) else []
    if said.get("target"):
        found.append(said["target"])
    if "found" in said:
        found.append(f"{said['found']} found")
    return found
