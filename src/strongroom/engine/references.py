"""What a batch item made, for later items to refer to (KMIP 2.1 §11.64 Unique Identifier Enumeration).

Rule: derived from the response; no operation says it twice.
"""

from collections.abc import Mapping
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
    plain = _PLAIN.get(operation)
    if plain is None:
        return _NOTHING
    private = getattr(response, "private_key_unique_identifier", None)
    if private is not None:
        members = UniqueIdentifierEnumeration.__members__
        return {
            members[f"{plain.name}_PRIVATE_KEY"]: private,
            members[f"{plain.name}_PUBLIC_KEY"]: response.public_key_unique_identifier,  # type: ignore[attr-defined]
        }
    identifier = getattr(response, "unique_identifier", None)
    if isinstance(identifier, tuple):
        identifier = identifier[0] if len(identifier) == 1 else None
    return _NOTHING if identifier is None else {plain: identifier}
