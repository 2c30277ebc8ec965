"""How the program of a server is loaded.

Rule: it knows nothing of what is loaded, and costs nothing to import.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def for_good() -> Iterator[None]:
    """Import what stays until the end of the process.

    The collector need not look at it, neither now nor later in any worker, and the workers share its memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
