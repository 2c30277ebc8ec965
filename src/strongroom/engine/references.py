"""What a batch item gave, for later items to refer to (KMIP 2.1 §4.31 Link, §7.9 Data, §11.13, §11.58), and
what of it the client does not want to see (Ephemeral).

Rule: derived from the response; no operation says it twice, and none knows of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from strongroom.attributes.catalogue import all_attributes
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Response
from strongroom.model.identifiers import LinkedIdentifier, ObjectReference, ReferenceForm, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    DataEnumeration,
    Ephemeral,
    ItemType,
    Operation,
    Tag,
    UniqueIdentifierEnumeration,
)
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import STRUCTURE, TEXT_STRING, Item

_PLAIN: Final[Mapping[Operation, UniqueIdentifierEnumeration]] = {
    operation: UniqueIdentifierEnumeration[operation.name]
    for operation in Operation
    if operation.name in UniqueIdentifierEnumeration.__members__
}
_NOTHING: Final[Mapping[UniqueIdentifierEnumeration, UniqueIdentifier]] = {}

_NAMES: Final[Mapping[int, Sequence[UniqueIdentifierEnumeration]]] = {
    operation: [
        one
        for one in UniqueIdentifierEnumeration
        if one.name in (plain.name, f"{plain.name}_PRIVATE_KEY", f"{plain.name}_PUBLIC_KEY")
    ]
    for operation, plain in _PLAIN.items()
}

PLACING: Final = frozenset({*_PLAIN, Operation.CHECK, Operation.EXPORT, Operation.RECOVER})
"""The operations that fill the ID Placeholder."""


def names_of(operation: int | None) -> Sequence[UniqueIdentifierEnumeration]:
    """Return what the identifiers that an operation makes may be called."""
    return _NAMES.get(operation or 0, ())


def made_by(
    operation: Operation, response: Response
) -> Mapping[UniqueIdentifierEnumeration, UniqueIdentifier]:
    """Return the identifiers that the response makes available, the main one first."""
    if operation not in _PLAIN:
        return _NOTHING
    private = getattr(response, "private_key_unique_identifier", None)
    if private is not None:
        return named(operation, (private, response.public_key_unique_identifier))  # type: ignore[attr-defined]
    identifier = getattr(response, "unique_identifier", None)
    if isinstance(identifier, tuple):
        identifier = identifier[0] if len(identifier) == 1 else None
    return _NOTHING if identifier is None else named(operation, (identifier,))


def named(
    operation: Operation, made: Sequence[UniqueIdentifier]
) -> Mapping[UniqueIdentifierEnumeration, UniqueIdentifier]:
    """Return what the identifiers that an operation made are called; of two the first is the private key."""
    plain = _PLAIN.get(operation)
    if plain is None or not made:
        return _NOTHING
    if len(made) == 1:
        return {plain: made[0]}
    members = UniqueIdentifierEnumeration.__members__
    private, public = made
    return {members[f"{plain.name}_PRIVATE_KEY"]: private, members[f"{plain.name}_PUBLIC_KEY"]: public}


_DATA: Final[Mapping[DataEnumeration, tuple[Operation, Tag]]] = {
    DataEnumeration.DECRYPT: (Operation.DECRYPT, Tag.DATA),
    DataEnumeration.ENCRYPT: (Operation.ENCRYPT, Tag.DATA),
    DataEnumeration.HASH: (Operation.HASH, Tag.DATA),
    DataEnumeration.MAC_MAC_DATA: (Operation.MAC, Tag.MAC_DATA),
    DataEnumeration.RNG_RETRIEVE: (Operation.RNG_RETRIEVE, Tag.DATA),
    DataEnumeration.SIGN_SIGNATURE_DATA: (Operation.SIGN, Tag.SIGNATURE_DATA),
    DataEnumeration.SIGNATURE_VERIFY: (Operation.SIGNATURE_VERIFY, Tag.DATA),
}
"""Which field of which answer is meant by Data."""

if set(_DATA) != set(DataEnumeration):
    raise TypeError("every kind of Data needs the field that it stands for")

_DATA_OF: Final[Mapping[int, int]] = {int(operation): int(tag) for operation, tag in _DATA.values()}
_IDENTIFIERS: Final = frozenset(
    map(int, (Tag.UNIQUE_IDENTIFIER, Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER, Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER))
)
_DATA_TAG: Final = int(Tag.DATA)
_OPERATION: Final = int(Tag.OPERATION)
_RESPONSE_PAYLOAD: Final = int(Tag.RESPONSE_PAYLOAD)
_REFERENCES: Final = frozenset({int(ItemType.ENUMERATION), int(ItemType.INTEGER)})


_LINKED: Final = frozenset(
    {int(Tag.LINKED_OBJECT_IDENTIFIER)}
    | {int(tag) for tag, attribute in all_attributes().items() if attribute.kind is LinkedIdentifier}
)
"""Where a link says what it leads to: until 2.1 inside of Link, from 3.0 on in an attribute of its own."""

_LINK_HOLDERS: Final = frozenset(
    map(
        int,
        (
            Tag.LINK,
            Tag.ATTRIBUTES,
            Tag.COMMON_ATTRIBUTES,
            Tag.PRIVATE_KEY_ATTRIBUTES,
            Tag.PUBLIC_KEY_ATTRIBUTES,
            Tag.NEW_ATTRIBUTE,
            Tag.CURRENT_ATTRIBUTE,
        ),
    )
)
_reference: Final = ReferenceForm().decoder(None)


def with_links(payload: list[Item], resolve: Callable[[ObjectReference], UniqueIdentifier]) -> list[Item]:
    """Return a request payload with identifiers where its attributes link to what earlier items made.

    Raises InvalidField for what is no such reference, and what `resolve` raises.
    """
    return _linked(payload, resolve) if _links_back(payload) else payload


def _links_back(items: Sequence[Item]) -> bool:
    return any(
        tag in _LINKED
        if kind in _REFERENCES
        else kind == STRUCTURE and tag in _LINK_HOLDERS and _links_back(value)
        for tag, kind, value in items
    )


def _linked(items: Sequence[Item], resolve: Callable[[ObjectReference], UniqueIdentifier]) -> list[Item]:
    made: list[Item] = []
    for tag, kind, value in items:
        if kind in _REFERENCES and tag in _LINKED:
            try:
                reference = _reference(kind, value)
            except DecodeError:
                raise InvalidField("a link leads to what is no way to point at an object") from None
            made.append((tag, TEXT_STRING, resolve(reference)))
        elif kind == STRUCTURE and tag in _LINK_HOLDERS:
            made.append((tag, kind, _linked(value, resolve)))
        else:
            made.append((tag, kind, value))
    return made


class Told(NamedTuple):
    """What one answer told: every identifier in it, in order, and its Data."""

    operation: int
    identifiers: tuple[UniqueIdentifier, ...] = ()
    data: SecretBytes | None = None


def told(operation: int, payload: Sequence[Item]) -> Told:
    """Return what an answer gives later items of its batch to refer to."""
    wanted = _DATA_OF.get(operation)
    data = next((value for tag, _, value in payload if tag == wanted), None)
    return Told(
        operation,
        tuple(UniqueIdentifier(value) for tag, _, value in payload if tag in _IDENTIFIERS),
        None if data is None else SecretBytes(data),
    )


def told_in(answer: Item) -> Told:
    """Return the same of a whole batch item of a response: that of an operation that was done before."""
    fields = {tag: value for tag, _, value in answer[2]}
    return told(fields.get(_OPERATION, 0), fields.get(_RESPONSE_PAYLOAD, ()))


def refers_to_data(payload: Sequence[Item]) -> bool:
    """Tell whether a request payload has a reference in the place of its Data."""
    return any(tag == _DATA_TAG and item_type in _REFERENCES for tag, item_type, _ in payload)


class DataMemory:
    """The Data that the items of a batch gave so far."""

    __slots__ = ("_by_operation", "_in_order", "size")

    def __init__(self) -> None:
        self._in_order: list[SecretBytes] = []
        self._by_operation: dict[int, SecretBytes] = {}
        self.size = 0

    def keep(self, operation: int, data: SecretBytes) -> None:
        """Remember what an item gave."""
        self._in_order.append(data)
        self._by_operation[operation] = data
        self.size += len(data)

    def failed(self, operation: int) -> None:
        """Forget what the last item of an operation gave, since the one after it gave nothing."""
        self._by_operation.pop(operation, None)

    def fill_in(self, payload: list[Item]) -> list[Item]:
        """Return a request payload with the bytes in the place of references to them.

        Raises InvalidField for what no earlier item gave.
        """
        if not refers_to_data(payload):
            return payload
        return [
            (tag, int(ItemType.BYTE_STRING), self._find(item_type, value).reveal())
            if tag == _DATA_TAG and item_type in _REFERENCES
            else (tag, item_type, value)
            for tag, item_type, value in payload
        ]

    def _find(self, item_type: int, value: int) -> SecretBytes:
        found: SecretBytes | None = None
        if item_type == ItemType.ENUMERATION:
            meant = _DATA.get(value)  # type: ignore[call-overload]  # a member equals its number
            found = None if meant is None else self._by_operation.get(int(meant[0]))
        elif -len(self._in_order) <= value < len(self._in_order):
            # SPEC(KMIP 2.1 §7.9): counted from 0, a negative number backwards from this item.
            found = self._in_order[value]
        if found is None:
            raise InvalidField("Data refers to what no earlier item of the batch gave")
        return found


def without(payload: list[Item], ephemeral: Ephemeral, operation: int) -> list[Item]:
    """Return the answer to an item that asked for less of it (KMIP 2.1 §8.3, 3.0)."""
    match ephemeral:
        case Ephemeral.DATA:
            return [field for field in payload if field[0] != _DATA_OF.get(operation)]
        case Ephemeral.UNIQUE_IDENTIFIER:
            return [field for field in payload if field[0] not in _IDENTIFIERS]
        case Ephemeral.EMPTY:
            return []
