"""RNG Seed (KMIP 1.2 §4.36, 2.x §6.1.50)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import PermissionDenied
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.randomness import Seeding
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32
from strongroom.registry import V1_2, Operation


class RNGSeedResponse(Response):
    data_length: Int32


class RNGSeedRequest(Request[RNGSeedResponse]):
    data: SecretBytes


@operation(Operation.RNG_SEED, since=V1_2, needs=Permission.NONE)
async def rng_seed(ctx: Context, request: RNGSeedRequest) -> RNGSeedResponse:
    match ctx.policy.rng_seed:
        case Seeding.MIX:
            used = ctx.crypto.mix_in(request.data)
        case Seeding.IGNORE:
            used = 0
        case Seeding.REFUSE:
            raise PermissionDenied("the policy of this server lets no client seed its generator")
    return RNGSeedResponse(data_length=used)
