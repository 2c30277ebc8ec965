"""What the verifier doubts, and what follows: an object that is not given out until somebody has decided.

Rule: a doubt never mends itself. It stays until an administrator restores a backup or says that what is there
counts (`strongroom store trust`).
"""

from datetime import datetime
from enum import Enum
from typing import Annotated, Final, NamedTuple

from strongroom.domain.entries import Entry
from strongroom.model.struct import Int64, Own

MOST_DISTRUSTED: Final = 10_000
"""Objects that are refused one by one; whoever has more of them restores a backup."""


class Subject(Enum):
    """What a doubt is about."""

    OBJECT = "object"
    ENTRY = "entry"
    """A record beside objects: a tenant, a person, a rule, a ticket."""
    CLIENT = "client"
    STORE_KEY = "store key"
    """What stands beside a key that seals records."""
    EVENT = "event"
    """What the audit log says was changed."""
    INDEX = "index"
    """What Locate searches; the records themselves are sealed."""


class Doubt(NamedTuple):
    """Something in the store that cannot be true; `reason` is a sentence for people.

    `name` is the Unique Identifier of an object, `kind/key` of an entry, the number of a client. `known` is
    the newest generation of it that the audit log knows.
    """

    subject: Subject
    tenant: int
    name: str
    reason: str
    known: int = 0


class Distrusted(Entry, kind=12):
    """An object that is refused: kept in its tenant, under its Unique Identifier, due when it was doubted."""

    reason: Annotated[str, Own(1)]
    since: Annotated[datetime, Own(2)]
    known: Annotated[Int64, Own(3)] = 0
    """The newest generation that the audit log knows."""
