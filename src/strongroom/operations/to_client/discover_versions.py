"""Discover Versions, asked by the server (KMIP 2.x §6.2.1; the test cases of 1.3 and 1.4 have it, too)."""

from strongroom.domain.operation import Request, Response, of_client
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import V1_3, V2_1, Operation


class ClientVersionsResponse(Response):
    protocol_version: tuple[ProtocolVersion, ...] = ()


class ClientVersionsRequest(Request[ClientVersionsResponse]):
    protocol_version: tuple[ProtocolVersion, ...] = ()


DISCOVER_VERSIONS = of_client(Operation.DISCOVER_VERSIONS, ClientVersionsRequest, since=V1_3, until=V2_1)
