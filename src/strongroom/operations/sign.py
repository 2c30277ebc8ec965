"""Sign (KMIP 1.2 §4.31, 2.x §6.1.55)."""

from typing import Annotated

from strongroom.domain.computing import NO_DATA, Computation, advance, over, whole
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, count, require, spend
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_private_key
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation, Tag


class SignResponse(Response):
    unique_identifier: UniqueIdentifier
    signature_data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class SignRequest(Request[SignResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: SecretBytes | None = None
    digested_data: Annotated[SecretBytes | None, Since(V1_4)] = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.SIGN, since=V1_2, needs=Permission.SIGN)
async def sign(ctx: Context, request: SignRequest) -> SignResponse:
    part = part_of(request)
    if part is not None:
        return await _sign_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.SIGN, Use.PROTECT, ctx.now)
    count(key, Tag.SIGN_COUNTER)
    digested = request.digested_data
    if digested is None:
        data = whole(request.data, request)
        spend(key, len(data))
        signature = await over(await _start(ctx, key, request), data)
    elif request.data is None:
        spend(key, len(digested))
        signature = await ctx.crypto.sign_digest(
            usable_private_key(key),
            effective_parameters(key, request.cryptographic_parameters),
            digested,
            legacy=ctx.policy.legacy,
        )
    else:
        raise InvalidField("Data and Digested Data exclude each other")
    return SignResponse(unique_identifier=key.unique_identifier, signature_data=signature)


async def _sign_part(ctx: Context, request: SignRequest, part: Part) -> SignResponse:
    stream = ctx.streams.open(Operation.SIGN, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    require(key, CryptographicUsageMask.SIGN, Use.PROTECT, ctx.now)
    if request.digested_data is not None:
        raise InvalidField("Digested Data come whole; there is nothing to send in parts")
    data = request.data or NO_DATA
    spend(key, len(data), again=not part.first)
    if part.first:
        count(key, Tag.SIGN_COUNTER)
    made = await stream.advance(
        key,
        data=data,
        begin=lambda: _start(ctx, key, request),
        step=lambda work: advance(work, data, last=part.last),
    )
    return SignResponse(
        unique_identifier=key.unique_identifier,
        signature_data=made,
        correlation_value=stream.correlation_value,
    )


async def _start(ctx: Context, key: ManagedObject, request: SignRequest) -> Computation:
    return await ctx.crypto.start_signature(
        usable_private_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )
