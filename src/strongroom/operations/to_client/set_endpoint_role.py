"""Set Endpoint Role, asked by the server once it is the client of a connection (KMIP 2.x §6.2.5)."""

from strongroom.domain.operation import Request, Response, of_client
from strongroom.registry import V2_0, V2_1, EndpointRole, Operation


class ClientRoleResponse(Response):
    endpoint_role: EndpointRole


class ClientRoleRequest(Request[ClientRoleResponse]):
    endpoint_role: EndpointRole


SET_ENDPOINT_ROLE = of_client(Operation.SET_ENDPOINT_ROLE, ClientRoleRequest, since=V2_0, until=V2_1)
