"""Signature Verify (KMIP 1.2 §4.32, 2.x §6.1.56)."""

from typing import Annotated

from strongroom.attributes.cryptographic_parameters import effective_parameters, usable_public_key
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.signing import Recovered
from strongroom.domain.usage import Use, require
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, V1_3, V1_4, CryptographicUsageMask, Operation, ValidityIndicator


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
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    key = await ctx.objects.get(request.unique_identifier)
    require(key, CryptographicUsageMask.VERIFY, Use.PROCESS, ctx.now)
    public = usable_public_key(key)
    parameters = effective_parameters(key, request.cryptographic_parameters)
    signature, legacy = request.signature_data, ctx.policy.legacy
    if signature is None:
        raise InvalidField("Signature Data is required when nothing is streamed")
    if request.data is not None and request.digested_data is not None:
        raise InvalidField("Data and Digested Data exclude each other")
    if request.data is not None:
        verification = await ctx.crypto.start_verification(public, parameters, legacy=legacy)
        await verification.update(request.data)
        found = Recovered(await verification.finish(signature))
    elif request.digested_data is not None:
        found = Recovered(
            await ctx.crypto.verify_digest(
                public, parameters, request.digested_data, signature, legacy=legacy
            )
        )
    else:
        found = await ctx.crypto.recover(public, parameters, signature, legacy=legacy)
    return SignatureVerifyResponse(
        unique_identifier=key.unique_identifier, validity_indicator=found.validity, data=found.data
    )
