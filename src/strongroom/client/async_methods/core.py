"""What the methods of every theme ask for.

Rule: a theme writes requests and reads answers; whatever reaches a server or lets time pass is done by the
shell that inherits the themes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from strongroom.client.errors import KMIPError, OperationPending
from strongroom.domain.operation import Request, Response
from strongroom.registry import BatchErrorContinuationOption, Version

R = TypeVar("R", bound=Response)


class AsyncCore(ABC):
    """What a shell does itself; it is no shell until it does all of it."""

    @abstractmethod
    async def call(self, request: Request[R]) -> R:
        """Return the answer to one request; raises KMIPError."""

    @abstractmethod
    async def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        """Return an outcome for each request."""

    @abstractmethod
    async def negotiate(self) -> Version:
        """Return the version that client and server speak."""

    @abstractmethod
    async def submit(self, request: Request[R]) -> R | OperationPending:
        """Return the answer to a request that may be answered later, or that it is pending."""

    @abstractmethod
    async def poll(self, request: Request[R], pending: OperationPending) -> R | OperationPending:
        """Return the answer to a request that was pending, or that it still is."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Let time pass."""
