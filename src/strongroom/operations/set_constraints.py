"""Set Constraints (KMIP 2.1 §6.1.52)."""

from strongroom.domain.access import require_everything
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.factory import Constraints
from strongroom.procedures.factory import FactoryConstraints, check_size, key_of
from strongroom.registry import V2_1, Operation


class SetConstraintsResponse(Response):
    """Nothing."""


class SetConstraintsRequest(Request[SetConstraintsResponse]):
    # INTEROP(OASIS TC-MD-24, 2.1): the table requires it, the case leaves it out to have none any more.
    constraints: Constraints | None = None


@operation(Operation.SET_CONSTRAINTS, since=V2_1, needs=Permission.SET_CONSTRAINTS)
async def set_constraints(ctx: Context, request: SetConstraintsRequest) -> SetConstraintsResponse:
    require_everything(ctx.caller, Operation.SET_CONSTRAINTS)
    before = await ctx.entries.get(FactoryConstraints, key_of(ctx.caller))
    if request.constraints is not None and request.constraints.constraint:
        kept = FactoryConstraints(constraints=request.constraints)
        check_size(kept)
        ctx.entries.put(key_of(ctx.caller), kept)
    elif before is not None:
        ctx.entries.remove(before)
    return SetConstraintsResponse()
