"""Every operation of this folder.

Rule: importing this module imports them all; an operation is added by adding its file.
"""

import importlib
import pkgutil
from collections.abc import Mapping

from strongroom import operations
from strongroom.attributes import catalogue as attributes
from strongroom.domain.operation import ClientOperation, OperationSpec, declared, declared_of_clients
from strongroom.registry import Operation

for _module in pkgutil.iter_modules(operations.__path__):
    if _module.name not in ("catalogue", "not_supported"):
        importlib.import_module(f"{operations.__name__}.{_module.name}")


def all_operations() -> Mapping[Operation, OperationSpec]:
    """Return every operation that the server does."""
    attributes.check_complete()
    return declared()


def all_operations_of_clients() -> Mapping[Operation, ClientOperation]:
    """Return every operation that the server asks of clients."""
    return declared_of_clients()
