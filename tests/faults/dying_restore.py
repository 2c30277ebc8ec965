"""The command line, which dies at a point of a restore: `python -m tests.faults.dying_restore POINT ...`.

Everything is real but that: at the point, the process gets SIGKILL.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from strongroom.cli import main
from strongroom.server import app, data_directory
from strongroom.server.backup import restore
from strongroom.store import filling

POINTS: Final = (
    "before root key",
    "before tables",
    "rows",
    "before upgrade",
    "before opening",
    "before mark",
    "before commit",
    "before configuration",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str) -> None:
    """Let this process die at a point."""
    match point:
        case "before root key":
            _dies(app.StrongroomAdapters, "create_root_key")
        case "before configuration":
            _dies_before_configuration()
        case _:
            name, times = {
                "before tables": ("begin", 1),
                "rows": ("put", 3),
                "before upgrade": ("upgrade", 1),
                "before opening": ("open_records", 1),
                "before mark": ("mark", 1),
                "before commit": ("commit", 1),
            }[point]
            for kind in (filling._SqliteFilling, filling._PostgresFilling):
                _dies(kind, name, times)


def _dies(owner: type, name: str, times: int = 1) -> None:
    """Die when a function is called, the first time or a later one."""
    inner = getattr(owner, name)
    calls = iter(range(1, times))

    def dying(*arguments: Any, **keywords: Any) -> Any:
        if next(calls, None) is None:
            die()
        return inner(*arguments, **keywords)

    setattr(owner, name, dying)


def _dies_before_configuration() -> None:
    inner = data_directory.write_private

    def write_private(path: Path, content: bytes) -> None:
        if path.name == "strongroom.toml":
            die()
        inner(path, content)

    vars(restore)["write_private"] = write_private


if __name__ == "__main__":
    die_at(sys.argv[1])
    sys.exit(main.run(sys.argv[2:]))
