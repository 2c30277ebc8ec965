"""What a store cannot do, and what it does not believe.

Rule: a message says what helps, and of what is stored no more than an identifier.
"""


class StoreFailure(Exception):
    """The store cannot read or write now; the message says why and names the cure. Nothing was changed."""


class TamperedRecord(Exception):
    """What is stored is not what was sealed; the message names the identifier only."""


class DamagedEntry(TamperedRecord):
    """An entry that cannot be opened: where it is, and which write, so that another can take its place."""

    def __init__(self, message: str, *, tenant: int, key: str, generation: int) -> None:
        super().__init__(message)
        self.tenant = tenant
        self.key = key
        self.generation = generation
