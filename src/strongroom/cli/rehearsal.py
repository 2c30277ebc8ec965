"""What `strongroom policy test` reads: changed rules and restrictions, and the requests to try them on.

Rule: files of others are read with care; an error names the file and the place. Nothing is asked of a server.
"""

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.grant import listed, typed

AT_ONCE: Final = 500

_NOT_EVENTS: Final = {"export", "segment", "checkpoint", "end"}
"""What else an export has in its lines."""

_RULE: Final = {"to", "on", "permission", "tenant"}


def changes(file: Path | None, cedar: Path | None) -> dict[str, object]:
    """Return what is to be tried: the rules in a TOML file, Cedar policies, or both; raises Stop."""
    if file is None and cedar is None:
        raise Stop("name a file with rules, or one with restrictions (--cedar FILE)", ExitCode.USAGE)
    said: dict[str, object] = {"add": [], "remove": []} if file is None else _rules(file)
    if cedar is not None:
        try:
            said["cedar"] = cedar.read_text(encoding="utf-8")
        except OSError as error:
            raise Stop(f"cannot read {cedar}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Stop(f"{cedar}: {error}", ExitCode.USAGE) from error
    return said


def _rules(file: Path) -> dict[str, object]:
    """Return the rules to add and remove that a TOML file says; raises Stop.

    [[add]]: `to`, `on` and `permission` as `grant add` takes them, and `tenant`. [[remove]]: `id`.
    """
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Stop(f"{file}: {error}", ExitCode.USAGE) from error
    added, removed = _tables(file, said, "add"), _tables(file, said, "remove")
    if unknown := sorted(said.keys() - {"add", "remove"}):
        raise Stop(f"{file}: there is no {unknown[0]}; write [[add]] and [[remove]]", ExitCode.USAGE)
    return {
        "add": [_rule(file, number, one) for number, one in enumerate(added, 1)],
        "remove": [_text(file, f"remove {number}", one, "id") for number, one in enumerate(removed, 1)],
    }


def requests(lines: Iterable[str | bytes]) -> list[dict[str, object]]:
    """Return what was asked for which object, and how often, from a line of JSON for each audit event.

    A line may also be one of `audit export`, which has more around the event, and lines without any. Events
    that no client caused, and those about no object, are left out. Raises Stop.
    """
    seen: Counter[tuple[int, int, str, str, str]] = Counter()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said: Any = json.loads(line)
            if _NOT_EVENTS & said.keys():
                continue
            event = said.get("change", said.get("read", {})).get("event", said)
            client, tenant, operation = int(event["client"]), int(event["tenant"]), str(event["operation"])
            objects, outcome = event.get("objects", ()), str(event["outcome"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Stop(
                f"line {number} of the records is no audit event; give what audit export wrote"
            ) from error
        if client:
            seen.update((client, tenant, operation, str(one), outcome) for one in objects)
    fields = ("client", "tenant", "operation", "object", "outcome")
    return [dict(zip(fields, one, strict=True)) | {"times": times} for one, times in seen.items()]


def pages(all_of_them: list[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    """Yield as many requests at a time as are tried at once; none as one page."""
    for start in range(0, max(len(all_of_them), 1), AT_ONCE):
        yield all_of_them[start : start + AT_ONCE]


def recorded(data: Path | None) -> Iterator[bytes]:
    """Yield the events of the audit log in a data directory of this machine. Raises OperatorError."""
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.audit_reading import events
    from strongroom.server.data_directory import DataDirectory

    if data is None or not data.is_dir():
        raise Stop("name the data directory (--data DIR), or the records (--records FILE)", ExitCode.USAGE)
    yield from events(DataDirectory.open(data), StrongroomAdapters())[1]


def lines_of(records: str) -> Iterator[str]:
    """Yield the lines of a file, `-` for standard input; raises Stop."""
    if records == "-":
        yield from sys.stdin
        return
    try:
        with Path(records).open(encoding="utf-8") as file:
            yield from file
    except OSError as error:
        raise Stop(f"cannot read {records}: {error.strerror}") from error


def _tables(file: Path, said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = said.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Stop(f"{file}: write [[{name}]], with double brackets", ExitCode.USAGE)
    return found


def _rule(file: Path, number: int, one: dict[str, Any]) -> dict[str, object]:
    if unknown := sorted(one.keys() - _RULE):
        raise Stop(
            f"{file}: add {number} has no {unknown[0]}; there are {', '.join(sorted(_RULE))}", ExitCode.USAGE
        )
    given = one.get("permission")
    permissions = [given] if isinstance(given, str) else given
    if not isinstance(permissions, list) or not all(isinstance(p, str) for p in permissions):
        raise Stop(f"{file}: add {number}: permission is a text or a list of texts", ExitCode.USAGE)
    return {
        "to": typed(_text(file, f"add {number}", one, "to")),
        "on": typed(_text(file, f"add {number}", one, "on")),
        "permissions": listed(permissions),
        "tenant": one.get("tenant"),
    }


def _text(file: Path, where: str, one: dict[str, Any], field: str) -> str:
    value = one.get(field)
    if not isinstance(value, str):
        raise Stop(f"{file}: {where}: {field} is missing or no text", ExitCode.USAGE)
    return value
