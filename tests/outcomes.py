"""A key manager that is asked in one version at a time, and says how each request ended.

Rule: the same questions over TLS (`tests/over_tls.py`) and within this process.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import Request
from strongroom.model.convert import decoder
from strongroom.model.messages import ResponseBatchItem
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V1_4, AsynchronousIndicator, ResultReason, ResultStatus, Tag, Version
from strongroom.wire.item import STRUCTURE, Item
from tests.kms import ALICE, TestKms, request_message


class Outcomes(TestKms):
    """`version` is that of `outcome`."""

    version: Version = V1_4
    _names = 0

    def outcome(
        self, request: Request[Any], *, misplaced: bool = False, caller: ClientIdentity = ALICE
    ) -> ResponseBatchItem:
        """Return the result, of Poll when there is one; `misplaced`: with an item too many in the payload."""
        message = request_message(request, version=self.version)
        if misplaced:
            batch_item = message[2][-1]
            batch_item[2][-1][2].append((int(Tag.KEY_BLOCK), STRUCTURE, []))
        return self.outcome_of(message, caller=caller)

    def outcome_of(self, message: Item, *, caller: ClientIdentity = ALICE) -> ResponseBatchItem:
        give_up = time.monotonic() + 60
        while True:
            item: ResponseBatchItem = decoder(ResponseBatchItem, self.version)(
                self.send(message, caller)[2][1][2]
            )
            if item.result_status is not ResultStatus.OPERATION_PENDING or time.monotonic() > give_up:
                return item
            self.wait(0.1)

    def wait(self, seconds: float) -> None:
        """Let the server work."""
        time.sleep(seconds)

    def refusal(self, request: Request[Any]) -> ResultReason | None:
        """Return why the request is refused, None when it succeeds."""
        return self.outcome(request).result_reason

    def fresh(self, word: str) -> str:
        """Return a name that nothing has yet."""
        self._names += 1
        return f"{word}-{self._names}"

    def waiting(self) -> bytes:
        """Return the correlation value of a request that is answered later."""
        indicator = AsynchronousIndicator.OPTIONAL
        message = request_message(LocateRequest(), version=self.version, asynchronous_indicator=indicator)
        item: ResponseBatchItem = decoder(ResponseBatchItem, self.version)(self.send(message)[2][1][2])
        assert item.result_status is ResultStatus.OPERATION_PENDING
        assert item.asynchronous_correlation_value is not None
        return item.asynchronous_correlation_value


class InProcess(Outcomes):
    """Without a network, so that many clients ask many times."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self._names = 0

    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(min(seconds, 0.01)))
