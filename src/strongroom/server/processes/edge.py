"""The edge of the loop of the supervisor.

Rule: whatever goes wrong in what the loop calls is logged here, and the server goes on. What is expected to
go wrong is an OperatorError, and is handled by whoever knows what to do then.
"""

import time
from collections.abc import Callable
from typing import Final

from strongroom.server.logs import get_logger

log = get_logger()

PAUSE: Final = 0.1
"""Seconds after a mistake: one that is made again at once would fill the log."""


def carry_on(action: Callable[[], object]) -> None:
    """Do something, and return whatever becomes of it."""
    try:
        action()
    except Exception:
        log.exception("supervisor_failed", alarm="the server goes on")
        time.sleep(PAUSE)
