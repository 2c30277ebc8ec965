"""For whom the work at hand is done.

Rule: the engine says it once for each operation; whoever shares out something scarce among clients asks here,
and nobody decides anything else by it.
"""

from contextvars import ContextVar
from typing import Final

NOBODY: Final = 0

client: Final = ContextVar("client", default=NOBODY)
"""The number of the client that pays for the work; NOBODY is the server itself."""
