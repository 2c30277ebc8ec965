"""The whole server, whose workers start no further while a file is there.

Run it: `python -m tests.e2e.slow_server`.
"""

import time
from pathlib import Path

from strongroom.cli import main
from strongroom.server.processes import worker

HELD = "held"
"""A file in the data directory. A worker that has read everything adds a line to it, and waits until it is
gone."""


def hold(file: Path) -> None:
    if file.exists():
        with file.open("a") as opened:
            opened.write("here\n")
    while file.exists():
        time.sleep(0.01)


def be_slow() -> None:
    original = worker.Worker._open

    async def open_(self: worker.Worker) -> None:
        await original(self)
        hold(self._plan.directory.path / HELD)

    worker.Worker._open = open_  # type: ignore[method-assign]


if __name__ == "__main__":
    be_slow()
    main.main()
