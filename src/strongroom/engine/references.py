"""What a batch item made, for later items to refer to (KMIP 2.1 §11.64 Unique Identifier Enumeration).

Rule: derived from the response; no operation says it twice.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from strongroom.domain.operation import Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Operation, UniqueIdentifierEnumeration

_PLAIN: Final[Mapping[Operation, UniqueIdentifierEnumeration]] = {
    operation: UniqueIdentifierEnumeration[operation.name]
    for operation in Operation
    if operation.name in UniqueIdentifierEnumeration.__members__
}
_NOTHING: Final[Mapping[UniqueIdentifierEnumeration, UniqueIdentifier]] = {}


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
