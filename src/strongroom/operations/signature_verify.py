"""Signature Verify (KMIP 1.2 §4.32, 2.x §6.1.56)."""

from typing import Annotated

from strongroom.domain.computing import NO_DATA, Proof, whole
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.signing import Recovered
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, count, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_public_key
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation, Tag, ValidityIndicator


class SignatureVerifyResponse(Response):
    unique_identifier: UniqueIdentifier
    validity_indicator: ValidityIndicator | None = None
    data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class SignatureVerifyRequest(Request[SignatureVerifyResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: SecretBytes | None = None
    digested_data: Annotated[SecretBytes | None, Since(V1_4)] = None
    signature_data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.SIGNATURE_VERIFY, since=V1_2, needs=Permission.SIGNATURE_VERIFY)
async def signature_verify(ctx: Context, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    part = part_of(request)
    if part is not None:
        return await _verify_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.VERIFY, Use.PROCESS, ctx.now)
    count(key, Tag.SIGNATURE_VERIFY_COUNTER)
    signature = request.signature_data
    if signature is None:
        raise InvalidField("Signature Data is required when nothing is streamed")
    found = await _verdict(ctx, key, request, signature)
    return SignatureVerifyResponse(
        unique_identifier=key.unique_identifier, validity_indicator=found.validity, data=found.data
    )


async def _verdict(
    ctx: Context, key: ManagedObject, request: SignatureVerifyRequest, signature: bytes
) -> Recovered:
    """Tell whether the signature is one of the data, or what it is one of when there are none."""
    digested = request.digested_data
    if request.data is not None or request.init_indicator:
        if digested is not None:
            raise InvalidField("Data and Digested Data exclude each other")
        proof = await _start(ctx, key, request)
        found = await proof.advance(whole(request.data, request), signature, last=True)
        assert found is not None
        return Recovered(found)
    public = usable_public_key(key)
    parameters = effective_parameters(key, request.cryptographic_parameters)
    if digested is None:
        return await ctx.crypto.recover(public, parameters, signature, legacy=ctx.policy.legacy)
    return Recovered(
        await ctx.crypto.verify_digest(public, parameters, digested, signature, legacy=ctx.policy.legacy)
    )


async def _verify_part(ctx: Context, request: SignatureVerifyRequest, part: Part) -> SignatureVerifyResponse:
    stream = ctx.streams.open(Operation.SIGNATURE_VERIFY, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    require(key, CryptographicUsageMask.VERIFY, Use.PROCESS, ctx.now)
    if request.digested_data is not None:
        raise InvalidField("Digested Data come whole; there is nothing to send in parts")
    if part.first:
        count(key, Tag.SIGNATURE_VERIFY_COUNTER)
    data = request.data or NO_DATA
    found = await stream.advance(
        key,
        data=data,
        begin=lambda: _start(ctx, key, request),
        step=lambda work: work.advance(data, request.signature_data, last=part.last),
    )
    return SignatureVerifyResponse(
        unique_identifier=key.unique_identifier,
        validity_indicator=found,
        correlation_value=stream.correlation_value,
    )


async def _start(ctx: Context, key: ManagedObject, request: SignatureVerifyRequest) -> Proof:
    return Proof(
        await ctx.crypto.start_verification(
            usable_public_key(key),
            effective_parameters(key, request.cryptographic_parameters),
            legacy=ctx.policy.legacy,
        )
    )
