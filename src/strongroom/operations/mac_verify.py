"""MAC Verify (KMIP 1.2 §4.34, 2.x §6.1.33)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_symmetric_key
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.MAC_VERIFY, Use.PROCESS, ctx.now)
    if request.data is None or request.mac_data is None:
        raise InvalidField("Data and MAC Data are required when nothing is streamed")
    verification = ctx.crypto.start_mac_verification(
        usable_symmetric_key(key),
        effective_parameters(key, request.cryptographic_parameters),
        legacy=ctx.policy.legacy,
    )
    await verification.update(request.data)
    return MACVerifyResponse(
        unique_identifier=key.unique_identifier,
        validity_indicator=await verification.finish(request.mac_data),
    )
