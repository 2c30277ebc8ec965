"""What is recorded of a request.

Rule: an event names who, what and how it ended; it never holds a value of the request but identifiers.
"""

import json
from datetime import datetime
from typing import NamedTuple

from strongroom.model.identifiers import UniqueIdentifier


class AuditEvent(NamedTuple):
    """One thing that happened to objects. `outcome` is `success` or the Result Reason.

    `acting` is the client that acted for `client` with a ticket, None when it was the same.
    """

    at: datetime
    client: int
    tenant: int
    peer: str
    operation: str
    outcome: str
    objects: tuple[UniqueIdentifier, ...] = ()
    acting: int | None = None

    def encode(self) -> bytes:
        """Return the stored form: one line of JSON with sorted keys."""
        acting = {} if self.acting in (None, self.client) else {"acting": self.acting}
        return json.dumps(
            acting
            | {
                "at": int(self.at.timestamp()),
                "client": self.client,
                "objects": self.objects,
                "operation": self.operation,
                "outcome": self.outcome,
                "peer": self.peer,
                "tenant": self.tenant,
            },
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
