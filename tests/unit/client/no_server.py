"""A shell for tests that say themselves what a server answers."""

from collections.abc import Sequence
from typing import Any, TypeVar

from strongroom.client.errors import KMIPError, OperationPending
from strongroom.client.methods.core import Core
from strongroom.domain.operation import Request, Response
from strongroom.registry import BatchErrorContinuationOption, Version

R = TypeVar("R", bound=Response)


class NoServer(Core):
    """Nothing may be asked of it but what a test puts in its place."""

    def call(self, request: Request[R]) -> R:
        raise AssertionError(f"{request} was sent")

    def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        raise AssertionError(f"{requests} were sent")

    def negotiate(self) -> Version:
        raise AssertionError("a version was asked for")

    def submit(self, request: Request[R]) -> R | OperationPending:
        raise AssertionError(f"{request} was sent")

    def poll(self, request: Request[R], pending: OperationPending) -> R | OperationPending:
        raise AssertionError(f"{request} was asked for")

    def pause(self, seconds: float) -> None:
        raise AssertionError(f"{seconds} s were waited")
