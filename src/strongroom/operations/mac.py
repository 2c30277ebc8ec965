"""MAC (KMIP 1.2 §4.33, 2.x §6.1.32)."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from strongroom.domain.computing import NO_DATA, Computation, advance, over, whole
from strongroom.domain.context import Context
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, require, spend
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_symmetric_key
from strongroom.registry import V1_2, V1_3, CryptographicUsageMask, Operation


class MACResponse(Response):
    unique_identifier: UniqueIdentifier
    mac_data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class MACRequest(Request[MACResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: SecretBytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.MAC, since=V1_2, needs=Permission.MAC)
async def mac(ctx: Context, request: MACRequest) -> MACResponse:
    part = part_of(request)
    if part is not None:
        return await _mac_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.MAC_GENERATE, Use.PROTECT, ctx.now)
    data = whole(request.data, request)
    spend(key, len(data))
    start = _starter(ctx, key, request)

    async def compute(data: SecretBytes) -> MACResponse:
        return MACResponse(unique_identifier=key.unique_identifier, mac_data=await over(start(), data))

    ctx.again = compute
    return await compute(data)


async def _mac_part(ctx: Context, request: MACRequest, part: Part) -> MACResponse:
    stream = ctx.streams.open(Operation.MAC, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    require(key, CryptographicUsageMask.MAC_GENERATE, Use.PROTECT, ctx.now)
    data = request.data or NO_DATA
    spend(key, len(data), again=not part.first)

    async def begin() -> Computation:
        return _starter(ctx, key, request)()

    made = await stream.advance(
        key,
        data=data,
        begin=begin,
        step=lambda work: advance(work, data, last=part.last),
    )
    return MACResponse(
        unique_identifier=key.unique_identifier,
        mac_data=made,
        correlation_value=stream.correlation_value,
    )


def _starter(ctx: Context, key: ManagedObject, request: MACRequest) -> Callable[[], Computation]:
    """Return what starts a MAC with the key, and holds nothing else of the request."""
    return partial(
        ctx.crypto.start_mac,
        usable_symmetric_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )
