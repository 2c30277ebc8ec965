"""How a worker looks for reference cycles: at young objects often and shortly, at all of them seldom.

Rule: nobody is served while the collector looks, so what it looks at in one go is what a client may wait for.
Requests and connections leave no cycles behind, however they end; what is left are those of libraries, and
mistakes.
"""

import gc
import time
from collections.abc import Callable
from typing import Final

from strongroom.server.process import resident_memory

_YOUNG: Final = 8_000
"""Objects that may be added before the youngest are looked at: a millisecond at most. Those that outlive that
nearly all go without the collector some time; they are looked at with everything."""

_NEVER: Final = 1 << 30

_OFTEN: Final = 100
"""Looks at the youngest after which it is worth looking at everything, which takes some milliseconds."""

_SELDOM: Final = 10.0
"""Seconds between two looks at everything, at least."""

_LATEST: Final = 600.0
"""Seconds after which nobody is spared."""

_GROWN: Final = 64 << 20
"""Bytes by which a worker may grow until it looks for a reason: few objects can hold much memory."""


class Garbage:
    """The collector of this process; `quiet` tells whether nobody would wait for it now."""

    def __init__(
        self,
        quiet: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        memory: Callable[[], int] = resident_memory,
    ) -> None:
        self._quiet = quiet
        self._clock = clock
        self._memory = memory
        self._size = 0
        self._looked = clock()
        self._warm = False
        gc.set_threshold(_YOUNG, _NEVER, _NEVER)
        self._keep()

    def tidy(self) -> None:
        """Look at everything if that is due; to be called about once a second."""
        waited = self._clock() - self._looked
        if waited < _SELDOM:
            return
        quiet = self._quiet()
        if not self._warm and quiet:
            # What the first requests have brought along (codecs, plans, statements) stays as well.
            self._warm = True
            self._keep()
        elif self._memory() - self._size >= _GROWN or (
            gc.get_count()[1] >= _OFTEN and (quiet or waited >= _LATEST)
        ):
            self._look()

    def _keep(self) -> None:
        """Have the collector leave alone what there is by now."""
        self._look()
        gc.freeze()

    def _look(self) -> None:
        gc.collect()
        self._looked = self._clock()
        self._size = self._memory()
