"""Decrypt (KMIP 1.2 §4.30, 2.x §6.1.11)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_key
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation


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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.DECRYPT, Use.PROCESS, ctx.now)
    if request.data is None:
        raise InvalidField("Data is required when nothing is streamed")
    plain = await ctx.crypto.decrypt(
        usable_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        request.data,
        iv_counter_nonce=request.iv_counter_nonce,
        additional_data=request.authenticated_encryption_additional_data,
        authentication_tag=request.authenticated_encryption_tag,
    )
    return DecryptResponse(unique_identifier=key.unique_identifier, data=plain)
