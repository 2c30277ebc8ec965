"""One place in a response, seen beside the listing.

Rule: a Spot holds the facts on which the permitted variations decide; it decides nothing itself.
"""

from dataclasses import dataclass
from enum import Enum

from strongroom.conformance.ledger import Ledger
from strongroom.registry import Version
from strongroom.wire.item import Item


class Freedom(Enum):
    """In what respect an answer may differ."""

    VALUE = "value"  # of the same item; of everything below it when it is a Structure
    EXTRA = "extra"  # an item that the listing does not print
    MISSING = "missing"  # an item that the listing prints
    ORDER = "order"  # of equally ranking items


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One place in a response, with what decides whether it may differ.

    `tag` and `path` name 1.x attributes as 2.x does: the value of an Attribute named "Digest" is at
    the tag Digest. At least one of `expected` and `actual` is set.
    """

    tag: int
    path: tuple[int, ...]  # tags above, from the message down
    expected: Item | None
    actual: Item | None
    parents: tuple[Item | None, Item | None]  # the structures around, as expected and as received
    attribute: str | None  # name of the 1.x attribute, or of the vendor attribute of 2.x, around
    version: Version
    operation: int | None
    request: Item | None  # the request payload as sent
    subject: str | None  # unique identifier of the object that the batch item is about
    ledger: Ledger
    fixed_dates: frozenset[int]  # the times that requests of this case set
    mentioned: frozenset[str]  # the attributes that requests of this case set, by their 1.x names
    round_trip: bool  # the request sends back what the server answered before

    @property
    def by_server(self) -> bool:
        """Whether the server chose the key material behind this place; Hash and the like have none."""
        return self.subject is not None and self.ledger.by_server(self.subject)
