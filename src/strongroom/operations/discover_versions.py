"""Discover Versions (KMIP 1.1 §4.26, 2.x §6.1.17)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import V1_1, VERSIONS, Operation


class DiscoverVersionsResponse(Response):
    protocol_version: tuple[ProtocolVersion, ...] = ()


class DiscoverVersionsRequest(Request[DiscoverVersionsResponse]):
    protocol_version: tuple[ProtocolVersion, ...] = ()


_OURS = tuple(
    ProtocolVersion(protocol_version_major=v.major, protocol_version_minor=v.minor)
    for v in reversed(VERSIONS)
)
"""Newest first, in the server's order of preference."""


@operation(Operation.DISCOVER_VERSIONS, since=V1_1, needs=Permission.NONE, repeatable=True)
async def discover_versions(ctx: Context, request: DiscoverVersionsRequest) -> DiscoverVersionsResponse:
    asked = request.protocol_version
    return DiscoverVersionsResponse(
        protocol_version=tuple(v for v in _OURS if v in asked) if asked else _OURS
    )
