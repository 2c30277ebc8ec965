"""The record of an administrative act.

Rule: an act is recorded once, with whoever did it and how it ended, in the commit that it makes or else in
one of its own; what cannot be recorded fails. A request may carry hashes of passwords, so only the fields
named here are recorded of it.
"""

import json
import os
import re
from datetime import datetime
from typing import Final

from strongroom.domain.audit import ADMINISTRATION, SUCCESS, AuditEvent
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.messages import Message

BY_USER: Final = "by_user"
"""The field of a request with the number of the user at the other end of the administration socket."""

LONGEST_VALUE: Final = 400
"""Characters of one field that are recorded."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._@+:,/*-]+")

_TARGETS: Final = (
    "name",
    "client",
    "tenant",
    "person",
    "group",
    "object",
    "unique_identifier",
    "operation",
    "permission",
    "policy",
    "request",
    "number",
    "role",
    "provider",
    "key",
    "fingerprint",
    "rule",
    # What a rule grants to whom, and who gets which groups and roles.
    "to",
    "on",
    "permissions",
    "groups",
    "add",
    "remove",
    "roles",
    "without_roles",
    "clients",
    "without_clients",
    # What was voted on, laid down or taken away.
    "approval",
    "act",
    "votes",
    "deletion_window",
    "hold",
    "authority",
    # Whose certificates are let in, and who can open a backup or everything.
    "san",
    "subject",
    "recipient",
    "recipients",
)


def act(request: Message, now: datetime, *, by: str | None = None, peer: str | None = None) -> AuditEvent:
    """Return the event of a command that succeeds.

    `by` and `peer` say who asked from where; None is the user that the request names, or this one.
    """
    user = request.get(BY_USER)
    here = "admin.sock" if isinstance(user, int) else "-"
    return AuditEvent(
        at=now,
        client=0,
        tenant=int(SYSTEM_TENANT),
        peer=here if peer is None else peer,
        operation=f"{ADMINISTRATION} {request.get('command')}",
        outcome=SUCCESS,
        by=by or f"local:{user if isinstance(user, int) else os.geteuid()}",
        target=_target(request),
    )


def failed(event: AuditEvent, error: BaseException) -> AuditEvent:
    """Return the same for one that did not succeed."""
    return event._replace(outcome=type(error).__name__)


def _target(request: Message) -> str | None:
    named = [(field, _said(request.get(field))) for field in _TARGETS]
    return " ".join(f"{field}={value}" for field, value in named if value is not None) or None


def _said(value: object) -> str | None:
    """Return a field as it was given: a text, a number, a list of texts, or a kind with a name."""
    match value:
        case str() | int():
            said = str(value)
        case list() if value and all(isinstance(one, str) for one in value):
            said = ",".join(map(str, value))
        case {"kind": str(kind), "name": str(name)}:
            said = f"{kind}:{name}"
        case {"kind": str(kind)}:
            said = kind
        case _:
            return None
    # One that looks like several is quoted, and none is so long that it pushes out those behind it: a request
    # may hold more than its command reads.
    said = said if len(said) <= LONGEST_VALUE else f"{said[:LONGEST_VALUE]}..."
    return said if _PLAIN.fullmatch(said) else json.dumps(said)
