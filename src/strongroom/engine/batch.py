"""What later batch items may refer to: the ID Placeholder, and what each item made.

Rule: a reference means the last item that could have made what it names. When that item failed, or made
nothing, it means nothing: an older object is not what the client has in mind.
"""

from collections.abc import Mapping

from strongroom.domain.errors import (
    EmptyPlaceholder,
    InvalidField,
)
from strongroom.engine.references import PLACING, DataMemory, names_of, with_links
from strongroom.model.identifiers import (
    BatchReference,
    ObjectReference,
    UniqueIdentifier,
)
from strongroom.registry import UniqueIdentifierEnumeration
from strongroom.wire.item import Item


class BatchMemory:
    """What later batch items may refer to: the ID Placeholder, what each operation made or gave.

    `several` are the names of operations that have made, or found, more than one object.
    """

    __slots__ = ("by_operation", "data", "identifiers", "placeholder", "several")

    def __init__(self) -> None:
        self.placeholder: UniqueIdentifier | None = None
        self.by_operation: dict[UniqueIdentifierEnumeration, UniqueIdentifier] = {}
        self.identifiers: list[UniqueIdentifier] = []
        self.several: dict[int, tuple[UniqueIdentifier, ...]] = {}
        self.data = DataMemory()

    def note(
        self,
        operation: int | None,
        made: Mapping[UniqueIdentifierEnumeration, UniqueIdentifier],
        told: tuple[UniqueIdentifier, ...] = (),
    ) -> None:
        """Take in what an item has made; `told` are all identifiers in its answer."""
        self._forget_names(operation)
        self.by_operation.update(made)
        names = names_of(operation)
        if names and len(told) > 1:
            self.several[names[0]] = told

    def failed(self, operation: int | None) -> None:
        """Take in that an item has made nothing, since it failed."""
        self.data.failed(operation or 0)
        if operation in PLACING:
            self.placeholder = None
            self._forget_names(operation)

    def _forget_names(self, operation: int | None) -> None:
        for name in names_of(operation):
            self.by_operation.pop(name, None)
            self.several.pop(name, None)

    def fill_in(self, payload: list[Item]) -> list[Item]:
        """Return a request payload with what earlier items gave in the place of references to it.

        What an operation is done with is not filled in: that is for the operation to look up (`resolve`).
        Raises EmptyPlaceholder or InvalidField.
        """
        return with_links(self.data.fill_in(payload), self.resolve)

    def resolve(self, reference: ObjectReference | None) -> UniqueIdentifier:
        """Return the identifier meant; raises EmptyPlaceholder or InvalidField."""
        if reference is None or reference is UniqueIdentifierEnumeration.ID_PLACEHOLDER:
            if self.placeholder is None:
                raise EmptyPlaceholder(
                    "no Unique Identifier is given and the ID Placeholder is empty; name the object"
                )
            return self.placeholder
        if isinstance(reference, UniqueIdentifierEnumeration):
            found = self.by_operation.get(reference)
            if reference in self.several:
                raise InvalidField(f"{reference.name} means several objects here; name the one that is meant")
            if found is None:
                raise EmptyPlaceholder(f"no earlier batch item made a {reference.name} identifier")
            return found
        if isinstance(reference, BatchReference):
            given = self.identifiers
            if not -len(given) <= reference.number < len(given):
                raise InvalidField(
                    f"the answer has no Unique Identifier {reference.number} before this batch item"
                )
            # SPEC(KMIP 2.1 §4.58): counted from 0, a negative number backwards from this item.
            return given[reference.number]
        raise InvalidField("a Name Reference is resolved by the unit of work")
