"""How much a peer may make a decoder do.

Rule: a limit is checked before the memory that it protects is spent.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one message, in any encoding."""

    message_size: int = 4 * 1024 * 1024  # bytes as received
    depth: int = 32  # structures inside each other, the message itself included
    items: int = 100_000  # structures and values together
    batch_items: int = 1000


DEFAULT_LIMITS: Final = Limits()

OWN: Final = Limits(message_size=1 << 40, depth=64, items=1 << 40, batch_items=1 << 40)
"""For what we have encoded ourselves and sealed: whatever was let in must be readable afterwards."""
