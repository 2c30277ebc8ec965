"""Set Endpoint Role (KMIP 2.x §6.1.54): from the answer on the server asks, and the client answers."""

from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.registry import V2_0, EndpointRole, Operation


class SetEndpointRoleResponse(Response):
    endpoint_role: EndpointRole


class SetEndpointRoleRequest(Request[SetEndpointRoleResponse]):
    """`endpoint_role` is the one for the server to apply."""

    endpoint_role: EndpointRole


@operation(Operation.SET_ENDPOINT_ROLE, since=V2_0, needs=Permission.NONE, deferrable=False)
async def set_endpoint_role(ctx: Context, request: SetEndpointRoleRequest) -> SetEndpointRoleResponse:
    if request.endpoint_role is EndpointRole.CLIENT:
        if ctx.roles is None:
            raise FeatureNotSupported(
                "roles are turned on a TLS connection to the KMIP port, by the client whose connection it is"
            )
        ctx.roles.wanted = True
    return SetEndpointRoleResponse(endpoint_role=request.endpoint_role)
