"""Encrypt (KMIP 1.2 §4.29, 2.x §6.1.18)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_key
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require, spend
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Essential, Since
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation


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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.ENCRYPT, Use.PROTECT, ctx.now)
    if request.data is None:
        raise InvalidField("Data is required when nothing is streamed")
    spend(key, len(request.data))
    made = await ctx.crypto.encrypt(
        usable_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        request.data,
        iv_counter_nonce=request.iv_counter_nonce,
        additional_data=request.authenticated_encryption_additional_data,
    )
    return EncryptResponse(
        unique_identifier=key.unique_identifier,
        data=made.data,
        iv_counter_nonce=made.iv_counter_nonce,
        authenticated_encryption_tag=made.authentication_tag,
    )
