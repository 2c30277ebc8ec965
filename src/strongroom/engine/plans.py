"""How each operation is read, done and answered in each version."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from strongroom.domain.errors import OperationNotSupported
from strongroom.domain.operation import OperationSpec
from strongroom.model.convert import decoder, encoder
from strongroom.registry import Version
from strongroom.registry.names import VALUES
from strongroom.wire.item import Item


class Plan(NamedTuple):
    """How one operation is done in one version."""

    spec: OperationSpec
    decode: Callable[..., Any]
    encode: Callable[..., list[Item]]


class Plans:
    """Finds the plan of an operation, made once."""

    __slots__ = ("_made", "_operations")

    def __init__(self, operations: Mapping[int, OperationSpec]) -> None:
        self._operations = operations
        self._made: dict[tuple[int, Version], Plan] = {}

    def find(self, operation: int | None, version: Version) -> Plan:
        """Return how to do an operation; raises OperationNotSupported."""
        return self._made.get((operation or 0, version)) or self._make(operation or 0, version)

    def _make(self, operation: int, version: Version) -> Plan:
        spec = self._operations.get(operation)
        if spec is None or not spec.in_version(version):
            entry = VALUES["Operation"].get(operation)
            name = f"operation 0x{operation:08X}" if entry is None else entry.spec_name
            raise OperationNotSupported(f"{name} is not supported in KMIP {version}; Query lists what is")
        plan = Plan(spec, decoder(spec.request, version), encoder(spec.response, version))
        self._made[operation, version] = plan
        return plan
