"""What the server is and knows."""

from datetime import datetime

from strongroom.client.async_methods.core import AsyncCore
from strongroom.model.messages import Ticket
from strongroom.model.rights import Rights
from strongroom.model.struct import Int32, Seconds
from strongroom.operations.delegated_login import DelegatedLoginRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.login import LoginRequest
from strongroom.operations.logout import LogoutRequest
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.registry import QueryFunction, Version
from strongroom.registry.names import defined_values


class AsyncServer(AsyncCore):
    """What the server is and knows."""

    async def query(self, *query_functions: QueryFunction) -> QueryResponse:
        """Return what the server says of itself; without functions, everything that the version can ask."""
        wanted = query_functions
        if not wanted:
            defined = defined_values("QueryFunction", await self.negotiate())
            wanted = tuple(function for function in QueryFunction if function in defined)
        return await self.call(QueryRequest(query_function=wanted))

    async def discover_versions(self) -> list[Version]:
        """Return the versions that the server speaks, in its order of preference."""
        found = await self.call(DiscoverVersionsRequest())
        return [Version(v.protocol_version_major, v.protocol_version_minor) for v in found.protocol_version]

    async def login(
        self, *, lease_time: int | datetime | None = None, request_count: int | None = None
    ) -> Ticket:
        """Return a ticket for yourself: seconds or a moment until it ends, and how many requests it is for.

        `Client(..., ticket=...)` uses it (KMIP 2.0 and later).
        """
        request = LoginRequest(
            lease_time=Seconds(lease_time) if isinstance(lease_time, int) else lease_time,
            request_count=None if request_count is None else Int32(request_count),
        )
        return (await self.call(request)).ticket

    async def delegated_login(
        self,
        rights: Rights,
        *,
        lease_time: int | datetime | None = None,
        request_count: int | None = None,
    ) -> Ticket:
        """Return a ticket with which somebody else does what `rights` allow, in your name."""
        request = DelegatedLoginRequest(
            lease_time=Seconds(lease_time) if isinstance(lease_time, int) else lease_time,
            request_count=None if request_count is None else Int32(request_count),
            rights=rights,
        )
        return (await self.call(request)).ticket

    async def logout(self, ticket: Ticket) -> None:
        """End a ticket."""
        await self.call(LogoutRequest(ticket=ticket))
