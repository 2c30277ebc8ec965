"""Process trees, and their sudden end.

Rule: Linux only; `/proc` says whose child is whose, also across sessions and process groups.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

END_TIMEOUT: Final = 60.0


def process_tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [root]
    for process in found:
        with contextlib.suppress(FileNotFoundError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def kill_trees(roots: Iterable[int], *, chance: random.Random | None = None) -> None:
    """Send SIGKILL to whole trees, in any order; return when none of their processes runs any more."""
    roots = list(roots)
    for root in roots:
        # Or it would see its children die before it dies itself, and start others.
        os.kill(root, signal.SIGSTOP)
    doomed = [process for root in roots for process in process_tree(root)]
    if chance is not None:
        chance.shuffle(doomed)
    for process in doomed:
        with contextlib.suppress(ProcessLookupError):  # it has ended with its parent
            os.kill(process, signal.SIGKILL)
    give_up = time.monotonic() + END_TIMEOUT
    while any(is_running(process) for process in doomed):
        assert time.monotonic() < give_up, "a killed process does not end"
        time.sleep(0.002)


def computed_by(process: int) -> float:
    """Return for how many seconds a process, and none of its children, has had a processor so far."""
    return time.clock_gettime((~process << 3) | 2)


def is_running(process: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
