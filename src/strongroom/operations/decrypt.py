"""Decrypt (KMIP 1.2 §4.30, 2.x §6.1.11); in parts since 1.3."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.encryption import DecryptionInParts
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, count, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_key
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, ObjectType, Operation, Tag


class DecryptResponse(Response):
    unique_identifier: UniqueIdentifier
    data: SecretBytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class DecryptRequest(Request[DecryptResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = None
    iv_counter_nonce: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None
    authenticated_encryption_additional_data: Annotated[bytes | None, Since(V1_4)] = None
    authenticated_encryption_tag: Annotated[bytes | None, Since(V1_4)] = None


@operation(Operation.DECRYPT, since=V1_2, needs=Permission.DECRYPT)
async def decrypt(ctx: Context, request: DecryptRequest) -> DecryptResponse:
    part = part_of(request)
    if part is not None:
        return await _decrypt_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    _check(ctx, key)
    data = request.data
    if data is None:
        if not request.init_indicator:
            raise InvalidField("Data is required when nothing is streamed")
        data = b""
    count(key, Tag.DECRYPT_COUNTER)
    decrypt_with_key = ctx.crypto.decryption(
        usable_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )

    async def compute(
        data: bytes | memoryview = b"",
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
        authenticated_encryption_tag: bytes | None = None,
    ) -> DecryptResponse:
        plain = await decrypt_with_key(
            data,
            iv_counter_nonce=iv_counter_nonce,
            additional_data=authenticated_encryption_additional_data,
            authentication_tag=authenticated_encryption_tag,
        )
        return DecryptResponse(unique_identifier=key.unique_identifier, data=plain)

    ctx.again = compute
    return await compute(
        data,
        request.iv_counter_nonce,
        request.authenticated_encryption_additional_data,
        request.authenticated_encryption_tag,
    )


async def _decrypt_part(ctx: Context, request: DecryptRequest, part: Part) -> DecryptResponse:
    stream = ctx.streams.open(Operation.DECRYPT, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    _check(ctx, key)
    if part.first:
        count(key, Tag.DECRYPT_COUNTER)
    data = request.data or b""
    additional_data = request.authenticated_encryption_additional_data
    if additional_data and not part.first:
        raise InvalidField("Authenticated Encryption Additional Data comes with the first part of a stream")
    # SPEC(KMIP 2.1 §6.1.11): the tag comes with the first part. Who decrypts what was just encrypted in parts
    # has it only at the end, and it is needed only there, so the last part may bring it too.
    tag = request.authenticated_encryption_tag

    async def begin() -> DecryptionInParts:
        return await ctx.crypto.begin_decryption(
            usable_key(key),
            effective_parameters(key, request.cryptographic_parameters),
            iv_counter_nonce=request.iv_counter_nonce,
            additional_data=additional_data,
            authentication_tag=tag,
            legacy=ctx.policy.legacy,
        )

    async def step(work: DecryptionInParts) -> SecretBytes:
        if part.last:
            return await work.finish(data, authentication_tag=tag)
        return await work.update(data)

    plain = await stream.advance(key, data=data, begin=begin, step=step)
    return DecryptResponse(
        unique_identifier=key.unique_identifier,
        data=plain if len(plain) else None,
        correlation_value=stream.correlation_value,
    )


def _check(ctx: Context, key: ManagedObject) -> None:
    require(key, CryptographicUsageMask.DECRYPT, Use.PROCESS, ctx.now)
    if key.object_type is ObjectType.PUBLIC_KEY:
        raise InvalidObjectType("data is decrypted with the private key of a pair")
