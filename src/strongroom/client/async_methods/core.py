"""What every theme is built on: the shells do it, the methods ask for it."""

from collections.abc import Sequence
from typing import Any, TypeVar

from strongroom.client.errors import KMIPError, OperationPending
from strongroom.domain.operation import Request, Response
from strongroom.registry import BatchErrorContinuationOption, Version

R = TypeVar("R", bound=Response)


class AsyncCore:
    """What a shell does itself."""

    async def call(self, request: Request[R]) -> R:
        """Return the answer to one request; raises KMIPError."""
        raise NotImplementedError

    async def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        """Return an outcome for each request."""
        raise NotImplementedError

    async def negotiate(self) -> Version:
        """Return the version that client and server speak."""
        raise NotImplementedError

    async def submit(self, request: Request[R]) -> R | OperationPending:
        """Return the answer to a request that may be answered later, or that it is pending."""
        raise NotImplementedError

    async def poll(self, request: Request[R], pending: OperationPending) -> R | OperationPending:
        """Return the answer to a request that was pending, or that it still is."""
        raise NotImplementedError

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        raise NotImplementedError
