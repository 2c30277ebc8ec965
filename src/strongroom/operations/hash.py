"""Hash (KMIP 1.2 §4.37, 2.x §6.1.24)."""

from functools import partial
from typing import Annotated

from strongroom.domain.computing import NO_DATA, Computation, advance, over, whole
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, V1_3, Operation


class HashResponse(Response):
    data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class HashRequest(Request[HashResponse]):
    cryptographic_parameters: CryptographicParameters
    data: SecretBytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.HASH, since=V1_2, needs=Permission.NONE)
async def hash_(ctx: Context, request: HashRequest) -> HashResponse:
    part = part_of(request)
    if part is not None:
        return await _hash_part(ctx, request, part)
    start = partial(ctx.crypto.start_hash, request.cryptographic_parameters, legacy=ctx.policy.legacy)

    async def compute(data: SecretBytes) -> HashResponse:
        return HashResponse(data=await over(start(), data))

    ctx.again = compute
    return await compute(whole(request.data, request))


async def _hash_part(ctx: Context, request: HashRequest, part: Part) -> HashResponse:
    stream = ctx.streams.open(Operation.HASH, part)
    data = request.data or NO_DATA

    async def begin() -> Computation:
        return ctx.crypto.start_hash(request.cryptographic_parameters, legacy=ctx.policy.legacy)

    made = await stream.advance(
        None, data=data, begin=begin, step=lambda work: advance(work, data, last=part.last)
    )
    return HashResponse(data=made, correlation_value=stream.correlation_value)
