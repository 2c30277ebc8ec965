"""Process trees, and their sudden end.

Rule: Linux only; `/proc` says whose child is whose, also across sessions and process groups.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def process_tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [root]
    for process in found:
        with contextlib.suppress(FileNotFoundError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def kill(processes: Iterable[int], *, within: float = 10.0) -> None:
    """Send SIGKILL to each in this order; return when none of them runs any more."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # it may have ended with its parent
            os.kill(process, signal.SIGKILL)
    give_up = time.monotonic() + within
    while any(is_running(process) for process in processes):
        assert time.monotonic() < give_up, "a killed process does not end"
        time.sleep(0.002)


def is_running(process: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
