"""MAC (KMIP 1.2 §4.33, 2.x §6.1.32)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_symmetric_key
from strongroom.domain.computing import over
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require, spend
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.MAC_GENERATE, Use.PROTECT, ctx.now)
    if request.data is None:
        raise InvalidField("Data is required when nothing is streamed")
    spend(key, len(request.data))
    computation = ctx.crypto.start_mac(
        usable_symmetric_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )
    return MACResponse(
        unique_identifier=key.unique_identifier, mac_data=await over(computation, request.data)
    )
