"""How an operation is declared.

Rule: `@operation` on a handler is all there is to say; decoding, dispatch, the Query answer, permission,
audit event, typing of the client and documentation derive from the table that it fills.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, get_args, get_type_hints

from strongroom.domain.context import Context
from strongroom.domain.permission import Permission
from strongroom.model.struct import Struct
from strongroom.registry import NEWEST, Operation, Version
from strongroom.registry.names import VALUES


class Response(Struct):
    """Base of response payloads."""


R = TypeVar("R", bound=Response)
Q = TypeVar("Q", bound="Request[Any]")


class Request(Struct, Generic[R]):
    """Base of request payloads; the parameter is the response that belongs to it."""


Handler = Callable[[Context, Any], Awaitable[Response]]


async def perform(ctx: Context, request: Request[R], *, keep: Callable[[R], bool] = lambda _: True) -> R:
    """Do another operation as part of the one that is being done; see `domain.context.Nested`."""
    response: R = await ctx.nested(ctx, request, keep=keep)
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One operation, as declared."""

    operation: Operation
    name: str
    request: type[Request[Any]]
    response: type[Response]
    since: Version
    until: Version
    needs: Permission
    repeatable: bool
    deferrable: bool
    undoable: bool
    handler: Handler

    def in_version(self, version: Version) -> bool:
        """Tell whether the version has the operation."""
        return self.since <= version <= self.until


_DECLARED: Final[dict[Operation, OperationSpec]] = {}


def declared() -> Mapping[Operation, OperationSpec]:
    """Return every operation that was imported; `operations.catalogue` imports all."""
    return _DECLARED


def operation(
    code: Operation,
    *,
    since: Version,
    until: Version = NEWEST,
    needs: Permission,
    repeatable: bool = False,
    deferrable: bool = True,
    undoable: bool = True,
) -> Callable[[Callable[[Context, Q], Awaitable[R]]], Callable[[Context, Q], Awaitable[R]]]:
    """Declare the decorated coroutine function as the handler of an operation.

    `repeatable`: it only reads, and its answer depends on nothing but the request and what `Objects` gave it,
    so that the engine may remember it. `deferrable`: it may be answered later. `undoable`: what it does is
    committed with its batch item. The second parameter and the return type of the handler name the payloads.
    Raises TypeError when they do not belong together or the operation is declared already.
    """

    def declare(handler: Callable[[Context, Q], Awaitable[R]]) -> Callable[[Context, Q], Awaitable[R]]:
        if code in _DECLARED:
            raise TypeError(f"{code.name} is declared twice")
        hints = get_type_hints(handler)
        response = hints.pop("return")
        request = list(hints.values())[1]
        base = next(b for b in request.__orig_bases__ if getattr(b, "__origin__", None) is Request)
        if get_args(base) != (response,) or not inspect.iscoroutinefunction(handler):
            raise TypeError(f"{code.name}: the handler is not a coroutine function from {request} to {base}")
        _DECLARED[code] = OperationSpec(
            operation=code,
            name=VALUES["Operation"][code].spec_name,
            request=request,
            response=response,
            since=since,
            until=until,
            needs=needs,
            repeatable=repeatable,
            deferrable=deferrable,
            undoable=undoable,
            handler=handler,
        )
        return handler

    return declare


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOperation:
    """One operation that the server asks of a client (KMIP 1.x §5, 2.x §6.2), as declared."""

    operation: Operation
    name: str
    request: type[Request[Any]]
    response: type[Response]
    since: Version
    until: Version

    def in_version(self, version: Version) -> bool:
        """Tell whether the version has the operation."""
        return self.since <= version <= self.until

    def nearest(self, version: Version) -> Version:
        """Return the version to send it in to a client that speaks `version`."""
        return min(max(version, self.since), self.until)


_OF_CLIENTS: Final[dict[Operation, ClientOperation]] = {}


def declared_of_clients() -> Mapping[Operation, ClientOperation]:
    """Return every operation of clients; `operations.catalogue` imports all."""
    return _OF_CLIENTS


def of_client(
    code: Operation, request: type[Request[Any]], *, since: Version, until: Version = NEWEST
) -> ClientOperation:
    """Declare what the server may ask of a client; raises TypeError for a second declaration."""
    if code in _OF_CLIENTS:
        raise TypeError(f"{code.name} of clients is declared twice")
    base = next(b for b in request.__orig_bases__ if getattr(b, "__origin__", None) is Request)  # type: ignore[attr-defined]
    (response,) = get_args(base)
    made = ClientOperation(
        operation=code,
        name=VALUES["Operation"][code].spec_name,
        request=request,
        response=response,
        since=since,
        until=until,
    )
    _OF_CLIENTS[code] = made
    return made
