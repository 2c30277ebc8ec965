"""The server in another process, spoken to over TLS as `tests/kms.py` speaks to the engine.

Rule: nothing is faked; whatever takes a TestKms works with it, but for the clock and other clients.
"""

import time
from pathlib import Path
from typing import Any

from strongroom.conformance.connection import TlsChannel
from strongroom.conformance.target import load_target
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import Request
from strongroom.model.convert import decoder
from strongroom.model.messages import ResponseBatchItem
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V1_4, AsynchronousIndicator, ResultReason, ResultStatus, Tag, Version
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE, Item
from tests.kms import ALICE, TestKms, request_message


class OverTls(TestKms):
    """One connected client; `version` is that of `outcome`."""

    def __init__(self, profile: Path) -> None:
        self._channel = TlsChannel(load_target(profile), timeout=30)
        self._names = 0
        self.version: Version = V1_4

    def close(self) -> None:
        self._channel.close()

    def send(self, root: Item, caller: ClientIdentity = ALICE) -> Item:
        assert caller is ALICE, "one client is connected"
        return binary.decode(self._channel.exchange(binary.encode(root)))

    def outcome(self, request: Request[Any], *, misplaced: bool = False) -> ResponseBatchItem:
        """Return the result, of Poll when there is one; `misplaced`: with an item too many in the payload."""
        message = request_message(request, version=self.version)
        if misplaced:
            batch_item = message[2][-1]
            batch_item[2][-1][2].append((int(Tag.KEY_BLOCK), STRUCTURE, []))
        return self.outcome_of(message)

    def outcome_of(self, message: Item) -> ResponseBatchItem:
        for _ in range(100):
            item = decoder(ResponseBatchItem, self.version)(self.send(message)[2][1][2])
            if item.result_status is not ResultStatus.OPERATION_PENDING:
                break
            time.sleep(0.1)
        return item

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
        item = decoder(ResponseBatchItem, self.version)(self.send(message)[2][1][2])
        assert item.result_status is ResultStatus.OPERATION_PENDING
        assert item.asynchronous_correlation_value is not None
        return item.asynchronous_correlation_value
