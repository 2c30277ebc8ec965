"""Unique Identifiers of objects that were obliterated.

Rule: rules, and the rights of tickets, name objects by their identifiers, and outlive them. So an identifier
that was one client's is never another's: else whoever imports an object of that identifier would find its
users waiting. Nothing else is kept of what was obliterated.
"""

import hashlib
from typing import Annotated

from strongroom.domain.entries import Entry
from strongroom.model.struct import Int64, Own


class Obliterated(Entry, kind=44):
    """Kept in its tenant under `obliterated_key`; `owner` is the number of the client whose it was."""

    owner: Annotated[Int64, Own(1)]


def obliterated_key(unique_identifier: str) -> str:
    """Return the key for an identifier: of any length, so its digest."""
    return hashlib.sha256(unique_identifier.encode()).hexdigest()
