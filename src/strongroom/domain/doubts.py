"""What the verifier doubts, and what follows: an object that is not given out until somebody has decided.

Rule: a doubt never mends itself. It stays until an administrator restores a backup or says that what is there
counts (`strongroom store trust`).
"""

from datetime import datetime
from enum import Enum
from typing import Annotated, Final, NamedTuple

from strongroom.domain.entries import Entry
from strongroom.model.struct import Own

MOST_DISTRUSTED: Final = 10_000
"""Objects that are refused one by one; whoever has more of them restores a backup."""


class Subject(Enum):
    """What a doubt is about."""

    OBJECT = "object"
    ENTRY = "entry"
    """A record beside objects: a tenant, a person, a rule, a ticket."""
    CLIENT = "client"
    INDEX = "index"
    """What Locate searches; the records themselves are sealed."""


class Doubt(NamedTuple):
    """Something in the store that cannot be true; `reason` is a sentence for people.

    `name` is the Unique Identifier of an object, `kind/key` of an entry, the number of a client.
    """

    subject: Subject
    tenant: int
    name: str
    reason: str


class Distrusted(Entry, kind=12):
    """An object that is refused: kept in its tenant, under its Unique Identifier, due when it was doubted."""

    reason: Annotated[str, Own(1)]
    since: Annotated[datetime, Own(2)]
