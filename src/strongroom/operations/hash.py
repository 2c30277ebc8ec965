"""Hash (KMIP 1.2 §4.37, 2.x §6.1.24)."""

from typing import Annotated

from strongroom.domain.computing import over
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_2, V1_3, Operation


class HashResponse(Response):
    data: bytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None


class HashRequest(Request[HashResponse]):
    cryptographic_parameters: CryptographicParameters
    data: SecretBytes | None = None
    correlation_value: Annotated[bytes | None, Since(V1_3)] = None
    init_indicator: Annotated[bool | None, Since(V1_3)] = None
    final_indicator: Annotated[bool | None, Since(V1_3)] = None


@operation(Operation.HASH, since=V1_2, needs=Permission.NONE)
async def hash_(ctx: Context, request: HashRequest) -> HashResponse:
    if request.correlation_value is not None or request.init_indicator or request.final_indicator:
        raise FeatureNotSupported("streaming is not supported yet; send all data in one request")
    if request.data is None:
        raise InvalidField("Data is required when nothing is streamed")
    computation = ctx.crypto.start_hash(request.cryptographic_parameters, legacy=ctx.policy.legacy)
    return HashResponse(data=await over(computation, request.data))
