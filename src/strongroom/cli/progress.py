"""Progress bars: on a terminal only, on stderr, gone when the work is done.

Rule: what is piped or logged never sees one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int], None]


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """Give what is told how far things are: what is done, how many of it, of how many (0: unknown)."""
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)

        def report(stage: str, done: int, total: int) -> None:
            bars.update(task, description=f"{what}: {stage}", completed=done, total=total or None)

        yield report
