"""Operations that are done as part of another one.

Rule: an inner operation is what it is when a client asks for it, with its own permission, its place in the
rights of a ticket, and all its rules; only transaction, audit event and answer are those of the outer one.
What a refused one changed is undone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from strongroom.domain.context import Context
from strongroom.domain.operation import OperationSpec
from strongroom.engine.tickets import charge, charge_rights
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.struct import Struct


class Nesting:
    """The port `domain.context.Nested` over a unit of work."""

    __slots__ = ("_operations", "_work")

    def __init__(self, work: UnitOfWork, operations: Mapping[type, OperationSpec]) -> None:
        self._work = work
        self._operations = operations

    async def __call__(self, ctx: Context, request: Struct, *, keep: Callable[[Any], bool]) -> Any:
        spec = self._operations[type(request)]
        point = self._work.savepoint()
        done = False
        try:
            self._work.begin(spec.needs, spec.operation)
            await charge(self._work, ctx.caller, spec.operation)
            response = await spec.handler(ctx, request)
            self._work.check_made()
            await charge_rights(self._work, ctx.caller, spec.operation)
            done = keep(response)
        finally:
            if not done:
                self._work.roll_back(point)
            self._work.leave(point)
        return response
