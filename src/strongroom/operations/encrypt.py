"""Encrypt (KMIP 1.2 §4.29, 2.x §6.1.18); in parts since 1.3."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.encryption import EncryptionInParts
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.streams import Part, part_of
from strongroom.domain.usage import Use, count, require, spend
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Essential, Since
from strongroom.model.structures import CryptographicParameters
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_key
from strongroom.procedures.used_ivs import refuse_used_iv
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, ObjectType, Operation, Tag

_NO_DATA = SecretBytes(b"")


class EncryptResponse(Response):
    unique_identifier: UniqueIdentifier
    data: bytes | None = None
    iv_counter_nonce: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    authenticated_encryption_tag: Annotated[bytes | None, Since(V1_4), Essential()] = None


class EncryptRequest(Request[EncryptResponse]):
    unique_identifier: ObjectReference | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: SecretBytes | None = None
    iv_counter_nonce: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None
    authenticated_encryption_additional_data: Annotated[bytes | None, Since(V1_4)] = None


@operation(Operation.ENCRYPT, since=V1_2, needs=Permission.ENCRYPT)
async def encrypt(ctx: Context, request: EncryptRequest) -> EncryptResponse:
    part = part_of(request)
    if part is not None:
        return await _encrypt_part(ctx, request, part)
    key = await ctx.objects.get(request.unique_identifier)
    _check(ctx, key)
    data = request.data
    if data is None:
        if not request.init_indicator:
            raise InvalidField("Data is required when nothing is streamed")
        data = _NO_DATA
    await refuse_used_iv(ctx, key, request.iv_counter_nonce)
    additional_data = request.authenticated_encryption_additional_data
    spend(key, len(data) + len(additional_data or b""))  # it is authenticated with the key
    count(key, Tag.ENCRYPT_COUNTER)
    encrypt_with_key = ctx.crypto.encryption(
        usable_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )

    async def compute(
        data: SecretBytes = _NO_DATA,
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
    ) -> EncryptResponse:
        made = await encrypt_with_key(
            data,
            iv_counter_nonce=iv_counter_nonce,
            additional_data=authenticated_encryption_additional_data,
        )
        return EncryptResponse(
            unique_identifier=key.unique_identifier,
            data=made.data,
            iv_counter_nonce=made.iv_counter_nonce,
            authenticated_encryption_tag=made.authentication_tag,
        )

    ctx.again = compute
    response = await compute(data, request.iv_counter_nonce, additional_data)
    await refuse_used_iv(ctx, key, response.iv_counter_nonce)
    return response


async def _encrypt_part(ctx: Context, request: EncryptRequest, part: Part) -> EncryptResponse:
    stream = ctx.streams.open(Operation.ENCRYPT, part)
    key = await ctx.objects.get(request.unique_identifier or stream.key)
    _check(ctx, key)
    data = request.data or _NO_DATA
    additional_data = request.authenticated_encryption_additional_data
    if additional_data and not part.first:
        raise InvalidField("Authenticated Encryption Additional Data comes with the first part of a stream")
    if part.first:
        await refuse_used_iv(ctx, key, request.iv_counter_nonce)
    spend(key, len(data) + len(additional_data or b""), again=not part.first)
    if part.first:
        count(key, Tag.ENCRYPT_COUNTER)

    async def begin() -> EncryptionInParts:
        return await ctx.crypto.begin_encryption(
            usable_key(key),
            effective_parameters(key, request.cryptographic_parameters),
            iv_counter_nonce=request.iv_counter_nonce,
            additional_data=additional_data,
            legacy=ctx.policy.legacy,
        )

    made = await stream.advance(
        key,
        data=data,
        begin=begin,
        step=lambda work: work.finish(data) if part.last else work.update(data),
    )
    await refuse_used_iv(ctx, key, made.iv_counter_nonce)
    return EncryptResponse(
        unique_identifier=key.unique_identifier,
        data=made.data or None,
        iv_counter_nonce=made.iv_counter_nonce,
        correlation_value=stream.correlation_value,
        authenticated_encryption_tag=made.authentication_tag,
    )


def _check(ctx: Context, key: ManagedObject) -> None:
    require(key, CryptographicUsageMask.ENCRYPT, Use.PROTECT, ctx.now)
    if key.object_type is ObjectType.PRIVATE_KEY:
        raise InvalidObjectType("data is encrypted with the public key of a pair")
