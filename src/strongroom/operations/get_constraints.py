"""Get Constraints (KMIP 2.1 §6.1.22)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.factory import Constraints
from strongroom.procedures.factory import FactoryConstraints, key_of
from strongroom.registry import V2_1, Operation


class GetConstraintsResponse(Response):
    constraints: Constraints


class GetConstraintsRequest(Request[GetConstraintsResponse]):
    """Nothing."""


@operation(Operation.GET_CONSTRAINTS, since=V2_1, needs=Permission.NONE)
async def get_constraints(ctx: Context, request: GetConstraintsRequest) -> GetConstraintsResponse:
    kept = await ctx.entries.get(FactoryConstraints, key_of(ctx.caller))
    return GetConstraintsResponse(constraints=Constraints() if kept is None else kept.value.constraints)
