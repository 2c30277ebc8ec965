"""What is recorded of a request and of an administrative act.

Rule: an event names who, what and how it ended; it never holds a value of the request but identifiers. Its
stored form is one line of JSON with sorted keys and nothing but ASCII, of bounded size: whatever a peer calls
itself or its objects, it cannot forge a line. Who parses an event and writes it again (`canonical`) gets the
same bytes.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, NamedTuple, Protocol

from strongroom.domain.chain import Head
from strongroom.model.identifiers import UniqueIdentifier

SUCCESS: Final = "success"

LONGEST_TEXT: Final = 256
"""Characters that are kept of a text somebody else chose."""

LONGEST_TARGET: Final = 16_384
"""Characters that are kept of what an act was about: no field of a request can push out another."""

_BEGINNING: Final = 160

MOST_NAMED: Final = 256
"""Objects that one event names; how many more there were is a number, but changes are never left out."""

ADMINISTRATION: Final = "ADMIN"
"""How the names of administrative acts begin: `ADMIN client.enrol`."""

GONE: Final = 0
"""The generation of what a change removed."""

_CANONICAL: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


class ChangedEntry(NamedTuple):
    """An entry after a change: see `domain.entries`."""

    tenant: int
    kind: int
    key: str
    generation: int


class Changed(NamedTuple):
    """What a commit changed, each with its generation (of a client its revision) after it; GONE: removed.

    Objects are `named`, and their tenant comes last.
    """

    objects: tuple[tuple[str, int, int], ...] = ()
    entries: tuple[ChangedEntry, ...] = ()
    clients: tuple[tuple[int, int], ...] = ()

    def parts(self) -> "list[Changed]":
        """Return the same in parts of at most MOST_NAMED of each; at least one."""
        longest = max(map(len, self))
        if longest <= MOST_NAMED:
            return [self]
        return [
            Changed(
                self.objects[start : start + MOST_NAMED],
                self.entries[start : start + MOST_NAMED],
                self.clients[start : start + MOST_NAMED],
            )
            for start in range(0, longest, MOST_NAMED)
        ]


NOTHING_CHANGED: Final = Changed()


class AuditEvent(NamedTuple):
    """One thing that happened. `outcome` is `success` or the Result Reason, of a command the kind of error.

    `client` is 0 for what no client did; `by` says who did it then: `person:NAME`, `local:UID` (whoever owns
    the data directory) or `server`. `acting` is the client that acted for `client` with a ticket, `user` the
    User object that logged in; None when there was none. `correlation` is what the client and what the server
    call the request, in this order. `found` is how many objects a search gave, `target` what an
    administrative act was about. `changed` is what it changed.
    """

    at: datetime
    client: int
    tenant: int
    peer: str
    operation: str
    outcome: str
    objects: Sequence[UniqueIdentifier] = ()
    acting: int | None = None
    user: str | None = None
    correlation: tuple[str, str] | None = None
    by: str | None = None
    target: str | None = None
    found: int | None = None
    changed: Changed = NOTHING_CHANGED

    def encode(self) -> bytes:
        """Return the stored form: one line of JSON with sorted keys."""
        head, tail = self.around()
        return b"%b%d%b%b%b" % (
            b'{"at":' if self.acting in (None, self.client) else b'{"acting":%d,"at":' % self.acting,
            int(self.at.timestamp()),
            head,
            _text(self.peer).encode(),
            tail,
        )

    def around(self) -> tuple[bytes, bytes]:
        """Return what stands between the time and the peer, and what after the peer.

        Both are the same when the same client does the same again.
        """
        by = "" if self.by is None else f',"by":{_text(self.by)}'
        changed, entries, clients = map(_pairs, _KINDS_OF_CHANGES, self.changed)
        names = f',"client_correlation":{_text(self.correlation[0])}' if self.correlation else ""
        found = "" if self.found is None else f',"found":{self.found}'
        objects, more = self.objects, ""
        if len(objects) > MOST_NAMED:
            objects, more = objects[:MOST_NAMED], f',"objects_left_out":{len(objects) - MOST_NAMED}'
        head = (
            f'{by}{changed},"client":{self.client}{names}{clients}{entries}{found}'
            f',"objects":[{",".join(map(_identifier, objects))}]{more}'
            f',"operation":{_text(self.operation)},"outcome":{_text(self.outcome)},"peer":'
        )
        names = f',"server_correlation":{_text(self.correlation[1])}' if self.correlation else ""
        target = "" if self.target is None else f',"target":{_text(self.target, LONGEST_TARGET)}'
        user = "" if self.user is None else f',"user":{_text(self.user)}'
        return head.encode(), f'{names}{target},"tenant":{self.tenant}{user}}}'.encode()


_KINDS_OF_CHANGES: Final = ("changed", "entries", "clients")


def _pairs(name: str, changed: Sequence[tuple[str | int, ...]]) -> str:
    if not changed:
        return ""
    # What _CANONICAL gives, at a third of the price: this is in every event of a change.
    rows = [",".join([_quoted(one) if type(one) is str else str(one) for one in row]) for row in changed]
    return f',"{name}":[[{"],[".join(rows)}]]'


class Recording:
    """The event of an administrative act, on its way into the commits of that act.

    `used` tells whether one has taken it along.
    """

    __slots__ = ("event", "used")

    def __init__(self, event: AuditEvent) -> None:
        self.event = event
        self.used = False


def encode_all(events: Iterable[AuditEvent], changed: Changed) -> list[bytes]:
    """Return the events of one commit as they are stored; the last says what the commit changed.

    One that changed more than an event may hold is followed by more of the same name with the rest.
    """
    *before, last = events
    encoded = [event.encode() for event in before]
    first, *others = changed.parts()
    encoded.append(last._replace(changed=first).encode())
    encoded += [last._replace(objects=(), changed=rest).encode() for rest in others]
    return encoded


def canonical(event: object) -> bytes:
    """Return the stored form of an event that was parsed, or of anything else that JSON can hold."""
    return _CANONICAL(event).encode()


def named(identifier: str) -> str:
    """Return what an event calls an object: its identifier, of a very long one the beginning and a digest."""
    if len(identifier) <= LONGEST_TEXT:
        return identifier
    return f"{identifier[:_BEGINNING]}#{sha256(identifier.encode()).hexdigest()}"


def quoted(text: str) -> bytes:
    """Return a text of somebody else as it stands in an event: cut, quoted, in ASCII."""
    return _text(text).encode()


def _identifier(identifier: str) -> str:
    return _quoted(identifier if len(identifier) <= LONGEST_TEXT else named(identifier))


def _text(text: str, most: int = LONGEST_TEXT) -> str:
    return _quoted(text if len(text) <= most else text[:most])


class ChainedEvent(NamedTuple):
    """A stored event of the chain of changes; `position` counts from 1, `hash` is that of `domain.chain`."""

    position: int
    hash: bytes
    event: bytes


class AuditChain(Protocol):
    """The chain of changes and administrative acts. Any method may raise StoreFailure."""

    async def head(self) -> Head:
        """Return the end of the chain."""

    async def after(self, position: int, maximum: int) -> Sequence[ChainedEvent]:
        """Return at most `maximum` events behind a position, in order."""

    async def extend(self) -> int:
        """Chain events that were committed before this is called, unless somebody else is at it; return how
        many."""


class AuditUnavailable(Exception):
    """What is asked cannot be recorded, so it is not done; the message says why and names the cure."""


class Repeated(Protocol):
    """An event that may happen again and again, but for its time and where it came from."""


class AuditLog(Protocol):
    """Where events go that no commit carries: reads and refusals."""

    def check(self) -> None:
        """Return if events can be recorded now; raises AuditUnavailable. Asked before a change is made."""

    def record(self, event: AuditEvent) -> None:
        """Hand an event to the operating system, then return; raises AuditUnavailable."""

    def repeated(self, event: AuditEvent) -> Repeated:
        """Return an event in the form that `record_again` takes."""

    def record_again(self, event: Repeated, at: datetime, peer: str) -> None:
        """Do what `record` does with an event that happened again."""


class NoAuditLog:
    """Records nothing: for tests of what has nothing to do with it."""

    def check(self) -> None:
        return

    def record(self, event: AuditEvent) -> None:
        return

    def repeated(self, event: AuditEvent) -> Repeated:
        return self

    def record_again(self, event: Repeated, at: datetime, peer: str) -> None:
        return
