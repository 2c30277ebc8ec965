"""What is remembered of an application between its calls: sessions, handles, operations under way.

Rule: it is one sealed entry beside the caller's objects, found by the Correlation Value, so that any worker
can take the next call; it is bounded, and it expires.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from strongroom.domain.context import Context
from strongroom.domain.entries import Entry, Kept
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.operations.pkcs11.codec import Mechanism
from strongroom.operations.pkcs11.failure import Failure
from strongroom.registry import PKCS11ReturnCode as Code

LIFETIME: Final = timedelta(hours=1)
"""After the last call that changed something."""

MAXIMUM_APPLICATIONS: Final = 16
MAXIMUM_SESSIONS: Final = 64
MAXIMUM_HANDLES: Final = 4096
MAXIMUM_HELD: Final = 1 << 20
"""Bytes that the operations under way may hold until they end: parts, and parameters of mechanisms."""


class Application(Entry, kind=11, passing=True):
    """The stored form of a State."""

    data: SecretBytes


class Work(Enum):
    """What a session may have under way, one of each kind."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    DIGEST = "digest"
    SIGN = "sign"
    VERIFY = "verify"


@dataclass(slots=True)
class Active:
    """An operation between its Init and its end; `data` is what has come in parts."""

    mechanism: Mechanism
    key: UniqueIdentifier | None
    data: bytes = field(default=b"", repr=False)
    in_parts: bool = False


@dataclass(slots=True)
class Session:
    """An open session. `found` are the handles that a search still has to give out."""

    writable: bool
    found: list[int] | None = None
    active: dict[Work, Active] = field(default_factory=dict)
    objects: list[UniqueIdentifier] = field(default_factory=list)
    """Session objects: they end with the session."""


@dataclass(slots=True)
class State:
    """An application. `next` is the next handle, of a session or an object."""

    sessions: dict[int, Session] = field(default_factory=dict)
    handles: dict[int, UniqueIdentifier] = field(default_factory=dict)
    next: int = 1
    logged_in: bool = False
    _known: dict[UniqueIdentifier, int] = field(init=False)

    def __post_init__(self) -> None:
        self._known = {identifier: handle for handle, identifier in self.handles.items()}

    def held(self) -> int:
        """Return the bytes that the operations under way hold."""
        return sum(
            len(active.data) + len(active.mechanism.parameter or b"")
            for session in self.sessions.values()
            for active in session.active.values()
        )

    def handle_of(self, identifier: UniqueIdentifier) -> int:
        """Return the handle of an object, a new one if it has none."""
        handle = self._known.get(identifier)
        if handle is None:
            if len(self.handles) >= MAXIMUM_HANDLES:
                raise Failure(Code.CKR_HOST_MEMORY)
            handle = self._known[identifier] = self._new(self.handles, identifier)
        return handle

    def open(self, session: Session) -> int:
        """Return the handle of a new session."""
        if len(self.sessions) >= MAXIMUM_SESSIONS:
            raise Failure(Code.CKR_SESSION_COUNT)
        return self._new(self.sessions, session)

    def _new(self, table: dict[int, Any], value: object) -> int:
        handle, self.next = self.next, self.next + 1
        table[handle] = value
        return handle

    def forget(self, identifier: UniqueIdentifier) -> None:
        """Drop the handle of an object that is gone."""
        handle = self._known.pop(identifier, None)
        if handle is not None:
            del self.handles[handle]


async def load(ctx: Context, correlation_value: bytes | None) -> tuple[Kept[Application], State] | None:
    """Return the application that a Correlation Value names; None when the caller has none."""
    if correlation_value is None or len(correlation_value) > _CORRELATION_BYTES:
        return None
    kept = await ctx.entries.get(Application, correlation_value.hex())
    if kept is None or kept.owner != ctx.caller.client or kept.due is None or kept.due <= ctx.now:
        return None
    return kept, _decode(kept.value.data)


async def begin(ctx: Context) -> bytes:
    """Make a new application and return its Correlation Value."""
    mine = await ctx.entries.mine(Application)
    for kept in mine:
        if kept.due is None or kept.due <= ctx.now:
            ctx.entries.remove(kept)
    if sum(kept.due is not None and kept.due > ctx.now for kept in mine) >= MAXIMUM_APPLICATIONS:
        raise Failure(Code.CKR_HOST_MEMORY)
    value = ctx.crypto.random_bytes(_CORRELATION_BYTES).reveal()
    ctx.entries.put(value.hex(), Application(data=_encode(State())), due=ctx.now + LIFETIME)
    return value


def save(ctx: Context, kept: Kept[Application], state: State) -> None:
    """Keep what a call has changed, and from time to time that there was a call."""
    data = _encode(state)
    late = kept.due is None or kept.due - ctx.now < LIFETIME / 2
    if data != kept.value.data or late:
        ctx.entries.put(kept.key, Application(data=data), due=ctx.now + LIFETIME)


_CORRELATION_BYTES: Final = 16


def _encode(state: State) -> SecretBytes:
    """Return a line of JSON, and behind it what is held, as it is: each call writes and reads all of that.

    In its place the JSON has the number of its bytes.
    """
    held: list[bytes] = []

    def hold(value: bytes) -> int:
        held.append(value)
        return len(value)

    line = json.dumps(
        {
            "sessions": {str(h): _session_to_json(s, hold) for h, s in state.sessions.items()},
            "handles": {str(h): identifier for h, identifier in state.handles.items()},
            "next": state.next,
            "logged_in": state.logged_in,
        }
    )
    return SecretBytes(b"".join((line.encode(), b"\n", *held)))


def _decode(data: SecretBytes) -> State:
    line, _, rest = data.reveal().partition(b"\n")
    stored, held = json.loads(line), io.BytesIO(rest)

    def take(written: int | str) -> bytes:
        # In what an older release has left it is hexadecimal.
        return bytes.fromhex(written) if isinstance(written, str) else held.read(written)

    return State(
        sessions={int(h): _session_from_json(s, take) for h, s in stored["sessions"].items()},
        handles={int(h): UniqueIdentifier(identifier) for h, identifier in stored["handles"].items()},
        next=stored["next"],
        logged_in=stored["logged_in"],
    )


def _session_to_json(session: Session, hold: Callable[[bytes], int]) -> dict[str, Any]:
    return {
        "writable": session.writable,
        "found": session.found,
        "objects": session.objects,
        "active": {work.value: _active_to_json(active, hold) for work, active in session.active.items()},
    }


def _session_from_json(stored: dict[str, Any], take: Callable[[int | str], bytes]) -> Session:
    return Session(
        writable=stored["writable"],
        found=stored["found"],
        objects=[UniqueIdentifier(identifier) for identifier in stored["objects"]],
        active={Work(work): _active_from_json(active, take) for work, active in stored["active"].items()},
    )


def _active_to_json(active: Active, hold: Callable[[bytes], int]) -> dict[str, Any]:
    parameter = active.mechanism.parameter
    return {
        "mechanism": active.mechanism.type,
        "parameter": None if parameter is None else hold(parameter),
        "key": active.key,
        "data": hold(active.data),
        "in_parts": active.in_parts,
    }


def _active_from_json(stored: dict[str, Any], take: Callable[[int | str], bytes]) -> Active:
    parameter, key = stored["parameter"], stored["key"]
    return Active(
        mechanism=Mechanism(stored["mechanism"], None if parameter is None else take(parameter)),
        key=None if key is None else UniqueIdentifier(key),
        data=take(stored["data"]),
        in_parts=stored["in_parts"],
    )
