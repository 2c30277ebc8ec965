"""MAC Verify (KMIP 1.2 §4.34, 2.x §6.1.33)."""

from typing import Annotated

from strongroom.domain.computing import NO_DATA, Proof, whole
from strongroom.domain.context import Context
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_symmetric_key
from strongroom.registry import V1_2, V1_3, CryptographicUsageMask, Operation, ValidityIndicator


class MACVerifyResponse(Response):
    unique_identifier: UniqueIdentifier
    validity_indicator: ValidityIndicator | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class MACVerifyRequest(Request[MACVerifyResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: SecretBytes | None = None
    mac_data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.MAC_VERIFY, since=V1_2, needs=Permission.MAC_VERIFY)
async def mac_verify(ctx: Context, request: MACVerifyRequest) -> MACVerifyResponse:
    part = part_of(request)
    if part is not None:
        return await _verify_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.MAC_VERIFY, Use.PROCESS, ctx.now)
    data = whole(request.data, request)
    found = await _start(ctx, key, request).advance(data, request.mac_data, last=True)
    return MACVerifyResponse(unique_identifier=key.unique_identifier, validity_indicator=found)


async def _verify_part(ctx: Context, request: MACVerifyRequest, part: Part) -> MACVerifyResponse:
    stream = ctx.streams.open(Operation.MAC_VERIFY, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    require(key, CryptographicUsageMask.MAC_VERIFY, Use.PROCESS, ctx.now)
    data = request.data or NO_DATA

    async def begin() -> Proof:
        return _start(ctx, key, request)

    found = await stream.advance(
        key,
        data=data,
        begin=begin,
        step=lambda work: work.advance(data, request.mac_data, last=part.last),
    )
    return MACVerifyResponse(
        unique_identifier=key.unique_identifier,
        validity_indicator=found,
        correlation_value=stream.correlation_value,
    )


def _start(ctx: Context, key: ManagedObject, request: MACVerifyRequest) -> Proof:
    return Proof(
        ctx.crypto.start_mac_verification(
            usable_symmetric_key(key),
            effective_parameters(key, request.cryptographic_parameters),
            legacy=ctx.policy.legacy,
        )
    )
