"""What a request is called in logs, by the client and by the server (KMIP 1.4 §6.18-6.19).

Rule: who names its requests gets our name for each in the answer, and both stand in the audit record of a
change and in the log of a refusal. Who does not gets none: `docs/decisions/0026-correlation-values.md`.
"""

import itertools
import os
import secrets
from typing import Final, NamedTuple

from strongroom.registry import V1_4, Version

LENGTH: Final = 24
"""Characters of ours; a whole number of eight, so that nothing of the item is padding."""

_LOGGED: Final = 256
"""Characters of a Client Correlation Value that are logged."""


class Correlation(NamedTuple):
    """The two names of one request."""

    client: str
    server: str

    @property
    def logged(self) -> tuple[str, str]:
        """Return both as they are logged: the client's is of any length."""
        return self.client[:_LOGGED], self.server


class CorrelationValues:
    """Names that no other request on any server has: 60 random bits of the process, then a counter."""

    def __init__(self) -> None:
        self._process = 0

    def __call__(self) -> str:
        process = os.getpid()
        if process != self._process:
            # Workers are forks of one process: what is drawn before the fork is the same in all of them.
            self._process = process
            self._prefix = secrets.token_hex(8)[1:]
            self._counter = itertools.count(1)
        number = next(self._counter)
        if number > 0xFFFFFFFF:
            self._process = 0
            return self()
        return f"{self._prefix}-{number:08x}"


_VALUES: Final = CorrelationValues()


def correlate(client: str | None, version: Version) -> Correlation | None:
    """Return both names of a request, None for one that the client did not name or could not."""
    return None if client is None or version < V1_4 else Correlation(client, _VALUES())
