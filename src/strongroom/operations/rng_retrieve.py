"""RNG Retrieve (KMIP 1.2 §4.35, 2.x §6.1.49)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.randomness import MAXIMUM_LENGTH
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32
from strongroom.registry import V1_2, Operation


class RNGRetrieveResponse(Response):
    data: SecretBytes


class RNGRetrieveRequest(Request[RNGRetrieveResponse]):
    data_length: Int32


@operation(Operation.RNG_RETRIEVE, since=V1_2, needs=Permission.NONE)
async def rng_retrieve(ctx: Context, request: RNGRetrieveRequest) -> RNGRetrieveResponse:
    if not 0 < request.data_length <= MAXIMUM_LENGTH:
        raise InvalidField(f"Data Length is 1 to {MAXIMUM_LENGTH} bytes")
    return RNGRetrieveResponse(data=ctx.crypto.random_bytes(request.data_length))
