"""The server in another process, spoken to over TLS as `tests/kms.py` speaks to the engine.

Rule: nothing is faked; whatever takes a TestKms works with it, but for the clock and other clients.
"""

from pathlib import Path

from strongroom.conformance.connection import TlsChannel
from strongroom.conformance.target import load_target
from strongroom.domain.identity import ClientIdentity
from strongroom.registry import V1_4, Version
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.kms import ALICE
from tests.outcomes import Outcomes


class OverTls(Outcomes):
    """One connected client."""

    def __init__(self, profile: Path) -> None:
        self._channel = TlsChannel(load_target(profile), timeout=200)
        self._names = 0
        self.version: Version = V1_4

    def close(self) -> None:
        self._channel.close()

    def send(self, root: Item, caller: ClientIdentity = ALICE) -> Item:
        assert caller is ALICE, "one client is connected"
        return binary.decode(self._channel.exchange(binary.encode(root)))
