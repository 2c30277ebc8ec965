"""Sign (KMIP 1.2 §4.31, 2.x §6.1.55)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_private_key
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
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation


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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.SIGN, Use.PROTECT, ctx.now)
    private = usable_private_key(key)
    parameters = effective_parameters(key, request.cryptographic_parameters)
    data, digested, legacy = request.data, request.digested_data, ctx.policy.legacy
    if digested is not None and data is None:
        spend(key, len(digested))
        signature = await ctx.crypto.sign_digest(private, parameters, digested, legacy=legacy)
    elif data is not None and digested is None:
        spend(key, len(data))
        signature = await over(await ctx.crypto.start_signature(private, parameters, legacy=legacy), data)
    else:
        raise InvalidField("either Data or Digested Data is required")
    return SignResponse(unique_identifier=key.unique_identifier, signature_data=signature)
