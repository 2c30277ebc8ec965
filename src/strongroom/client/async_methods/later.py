"""Requests that are answered later.

Rule: the server says whether it is done; here it is only asked, less and less often.
"""

from time import monotonic
from typing import Final, Generic, TypeVar

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.errors import KMIPError, OperationFailed, OperationPending
from strongroom.domain.operation import Request, Response
from strongroom.operations.cancel import CancelRequest
from strongroom.registry import CancellationResult, Operation

R = TypeVar("R", bound=Response)

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


class AsyncLater(Generic[R]):
    """A request that was sent and whose answer may not be there yet.

    `asynchronous_correlation_value` is what another process needs to Poll for it; None when the server
    answered at once. The answer is fetched once and kept here, since the server forgets what it gave out.
    """

    def __init__(self, core: AsyncCore, request: Request[R], outcome: R | OperationPending) -> None:
        self._core = core
        self._request = request
        self._outcome: R | KMIPError = outcome
        self.asynchronous_correlation_value: bytes | None = (
            outcome.asynchronous_correlation_value if isinstance(outcome, OperationPending) else None
        )

    async def poll(self) -> R | None:
        """Return the answer, None while it is pending; raises what the request failed with.

        What only Poll failed with is raised, too, and the answer can be asked for again.
        """
        asked = self._outcome
        if isinstance(asked, OperationPending):
            try:
                self._learn(await self._core.poll(self._request, asked))
            except OperationFailed as failed:
                if failed.operation not in (None, Operation.POLL):
                    self._learn(failed)
                elif self._outcome is asked:
                    raise
        if isinstance(self._outcome, OperationPending):
            return None
        if isinstance(self._outcome, KMIPError):
            raise self._outcome
        return self._outcome

    def _learn(self, outcome: R | KMIPError) -> None:
        # Of several that ask at once one gets the answer, and no other may put it away.
        if isinstance(self._outcome, OperationPending):
            self._outcome = outcome

    async def wait(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 (it ends with a KMIPError)
        """Return the answer as soon as it is there; raises OperationPending after `timeout` seconds.

        None waits for ever. What is pending then stays so: wait again, or cancel.
        """
        ends = None if timeout is None else monotonic() + timeout
        pause = _FIRST_PAUSE
        while (answer := await self.poll()) is None:
            left = pause if ends is None else ends - monotonic()
            if left <= 0 and isinstance(self._outcome, OperationPending):
                raise self._outcome
            await self._core.pause(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
        return answer

    async def cancel(self) -> CancellationResult:
        """Ask the server not to do it, and return what came of that.

        Completed or Failed mean that it was too late, and the answer can be polled.
        """
        if not isinstance(self._outcome, OperationPending):
            return CancellationResult.COMPLETED
        value = self.asynchronous_correlation_value or b""
        request = CancelRequest(asynchronous_correlation_value=value)
        return (await self._core.call(request)).cancellation_result


class AsyncRequestsForLater(AsyncCore):
    """How such a request is made."""

    async def later(self, request: Request[R]) -> AsyncLater[R]:
        """Send a request that the server may take its time for, and return where its answer will be.

        A server that does it at once has answered already; the first `poll()` or `wait()` says so.
        """
        return AsyncLater(self, request, await self.submit(request))
