"""Numbers that order objects by creation."""

import itertools
import os
import secrets
from datetime import datetime
from typing import Final


class SequenceNumbers:
    """Numbers that order objects by creation: seconds, then a counter, then who counted.

    Two processes that hit on the same number lose a race with each other, and the next try is with another;
    so it only has to be rare.
    """

    def __init__(self) -> None:
        self._process = 0

    def __call__(self, now: datetime) -> int:
        process = os.getpid()
        if process != self._process:
            # Workers are forks of one process: what is drawn before the fork is the same in all of them.
            self._process = process
            self._counter = itertools.count(secrets.randbits(19))
            self._who = secrets.randbits(8)
        return (int(now.timestamp()) << 28) | ((next(self._counter) & 0xFFFFF) << 8) | self._who


SEQUENCE_NUMBERS: Final = SequenceNumbers()
"""Those of this process."""
