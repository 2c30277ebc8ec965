"""Strongroom, a key manager that speaks KMIP.

Rule: only the client is offered here, and it is loaded when it is first used, so that importing the package
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.client.asynchronous import AsyncClient as AsyncClient
    from strongroom.client.errors import KMIPError as KMIPError
    from strongroom.client.sync import Client as Client

__all__ = ["AsyncClient", "Client", "KMIPError"]

_HOMES = {
    "AsyncClient": "strongroom.client.asynchronous",
    "Client": "strongroom.client.sync",
    "KMIPError": "strongroom.client.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
