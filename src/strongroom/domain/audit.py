"""What is recorded of a request.

Rule: an event names who, what and how it ended; it never holds a value of the request but identifiers.
"""

import json
from datetime import datetime
from typing import Final, NamedTuple

from strongroom.model.identifiers import UniqueIdentifier

_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


class AuditEvent(NamedTuple):
    """One thing that happened to objects. `outcome` is `success` or the Result Reason.

    `acting` is the client that acted for `client` with a ticket, `user` the User object that logged in; None
    when there was none. `correlation` is what the client and what the server call the request, in this order.
    """

    at: datetime
    client: int
    tenant: int
    peer: str
    operation: str
    outcome: str
    objects: tuple[UniqueIdentifier, ...] = ()
    acting: int | None = None
    user: str | None = None
    correlation: tuple[str, str] | None = None

    def encode(self) -> bytes:
        """Return the stored form: one line of JSON with sorted keys."""
        somebody: dict[str, object] = {}
        if self.acting not in (None, self.client):
            somebody["acting"] = self.acting
        if self.user is not None:
            somebody["user"] = self.user
        if self.correlation is not None:
            somebody["client_correlation"], somebody["server_correlation"] = self.correlation
        return _ENCODE(
            somebody
            | {
                "at": int(self.at.timestamp()),
                "client": self.client,
                "objects": self.objects,
                "operation": self.operation,
                "outcome": self.outcome,
                "peer": self.peer,
                "tenant": self.tenant,
            }
        ).encode()
