"""What recording costs a Get: `python -m tests.unit.audit.cost`, on a machine that does nothing else.

Prints the CPU of one remembered Get in the engine without and with the log of reads, threads included.
"""

import tempfile
import time
from pathlib import Path
from typing import Final

from strongroom.audit.directory import open_directory
from strongroom.audit.read_log import ReadLog
from strongroom.domain.audit import AuditLog
from strongroom.domain.context import Policy
from strongroom.domain.identity import Connection
from strongroom.operations.get import GetRequest
from strongroom.registry import V1_4
from strongroom.server.engine import make_dispatcher
from strongroom.wire import binary
from tests.kms import ALICE, TestKms, request_message

GETS: Final = 50_000
ROUNDS: Final = 5


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        kms = TestKms(Path(folder))
        identifier = kms.create_symmetric_key()
        log = ReadLog(Path(folder) / "audit", row=0, size=8 << 20)
        log.open(open_directory(Path(folder) / "audit"))
        message = binary.encode(request_message(GetRequest(unique_identifier=identifier), version=V1_4))
        without = min(measure(kms, message, None) for _ in range(ROUNDS))
        recorded = min(measure(kms, message, log) for _ in range(ROUNDS))
        print(f"Get {without:.2f} us, recorded {recorded:.2f} us: {recorded - without:.2f} us for audit")
        log.close()
        kms.close()


def measure(kms: TestKms, message: bytes, log: AuditLog | None) -> float:
    """Return the CPU of one Get in microseconds."""
    dispatcher = make_dispatcher(kms.repository, Policy(), kms.clients.get, audit=log)
    connection = Connection(client=ALICE, peer="127.0.0.1:12345")

    async def gets(count: int) -> None:
        for _ in range(count):
            await dispatcher.handle(message, connection)

    kms.run(gets(1000))
    start = time.process_time()
    kms.run(gets(GETS))
    return (time.process_time() - start) / GETS * 1e6


if __name__ == "__main__":
    main()
