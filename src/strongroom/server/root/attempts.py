"""Attempts to unseal: who guesses has to wait.

Rule: what was refused is written down before it is answered, so that a restart gives nobody more attempts. No
part of what was offered is kept.
"""

import json
from pathlib import Path
from typing import Final

from strongroom.server.data_directory import write_private
from strongroom.server.errors import Denied
from strongroom.server.logs import get_logger

log = get_logger()

FREE: Final = 3
"""Mistakes that cost no time."""

LONGEST_PAUSE: Final = 300


class Attempts:
    """The refused attempts since the last one that succeeded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            kept = json.loads(path.read_bytes())
            self._refused, self._last = int(kept["refused"]), int(kept["last"])
        except FileNotFoundError:
            self._refused, self._last = 0, 0
        except (OSError, ValueError, KeyError, TypeError):
            # Somebody has damaged it, perhaps for more attempts.
            self._refused, self._last = FREE + 4, 0

    @property
    def refused(self) -> int:
        return self._refused

    def check(self, now: int) -> None:
        """Return if another attempt may be made at `now` (seconds); raises Denied."""
        over = self._refused - FREE
        pause = min(LONGEST_PAUSE, 2 ** min(over, 16)) if over >= 0 else 0
        # A clock that was set back must not shorten it, nor make it last until it is as late again.
        self._last = min(self._last, now)
        left = self._last + pause - now
        if left > 0:
            raise Denied(f"{self._refused} attempts were refused; wait {left} s before the next")

    def refuse(self, now: int, why: str) -> None:
        """Write down that an attempt was refused."""
        self._refused += 1
        self._last = now
        log.warning("unseal_refused", reason=why, refused=self._refused)
        write_private(self._path, json.dumps({"refused": self._refused, "last": now}).encode())

    def succeed(self) -> None:
        """Write down that the server is open."""
        log.info("unsealed", refused_before=self._refused)
        self._refused = 0
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            # The server is open all the same; after a restart, whoever mistakes themselves waits sooner.
            log.error("attempts_not_forgotten", file=str(self._path), error=error.strerror)
