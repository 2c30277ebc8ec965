"""Sends every event to the sinks, while it happens.

Rule: one process of a node forwards, whoever has the lock; what a sink has taken is noted, so that after a
crash it gets some events again and misses none. How it goes stands in a file that all workers read: they
refuse requests, not this.

A sink begins with what happens from then on; what was before is for `audit export`. Where the store has gone
back (a failover, a restore), it goes on from the last event that is still the one that was sent.
"""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from strongroom.audit import tail
from strongroom.audit.outlets import Outlet, OutletFailed
from strongroom.audit.rendering import parsed, to_cef
from strongroom.audit.tail import Place
from strongroom.domain.audit import AuditChain, ChainedEvent, canonical
from strongroom.domain.chain import EMPTY, Head
from strongroom.domain.store_failures import StoreFailure

LOCK: Final = "forward.lock"
STATE: Final = "sinks"
PLACES: Final = "forwarded"
PAUSE: Final = 0.2
"""Seconds between two looks for something new."""

_CHANGES: Final = 500
_BYTES: Final = 1 << 18
_STATE_SIZE: Final = 2048
_UNKNOWN: Final = b""
"""The hash of an event that an older release has sent."""

log = structlog.get_logger()


class Sink:
    """One place, and the form that it wants."""

    def __init__(self, name: str, outlet: Outlet, *, cef: bool) -> None:
        self.name = name
        self.outlet = outlet
        self.cef = cef
        self.sent: list[Head] = []
        """Where the chain of changes ended that it was sent: the newest end is the last, and of older ones
        there are fewer and fewer. None before it begins."""
        self.reads: dict[int, Place] = {}
        self.failing_since: float | None = None
        self.trying_since: float | None = None
        """When it was given what it has not taken yet: on a file system that hangs it never fails."""
        self.problem = ""

    @property
    def changes(self) -> int:
        """Return the position of the last change that it was sent, -1 before it begins."""
        return self.sent[-1].position if self.sent else -1

    def took(self, changes: Sequence[ChainedEvent]) -> None:
        """Note the changes that it was sent, in their order."""
        if changes:
            last = changes[-1]
            kept = {
                (last.position - head.position).bit_length(): head
                for head in reversed([*self.sent, Head(last.position, last.hash)])
            }
            self.sent = list(reversed(kept.values()))

    def failed(self, why: str, *, started: float, deadline: float) -> None:
        """Note that it does not take what it should; `started` is when it was tried (monotonic seconds)."""
        if self.failing_since is None:
            self.failing_since = started
        if time.monotonic() - self.failing_since >= deadline:
            self._tell(f"the audit sink {self.name} fails: {why}")

    def worked(self) -> None:
        """Note that it has everything."""
        self.failing_since = None
        self._tell("")

    def _tell(self, problem: str) -> None:
        if bool(problem) is not bool(self.problem):
            if problem:
                log.error("audit_sink_fails", reason=problem)
            else:
                log.info("audit_sink_works_again", sink=self.name)
        self.problem = problem


class Forwarder:
    """The sinks of a node, as one worker sees them; see `run`."""

    def __init__(
        self, folder: Path, *, node: str, chain: AuditChain, sinks: Sequence[Sink], deadline: float
    ) -> None:
        """`deadline`: seconds that a sink may lag behind."""
        self._folder = folder
        self._node = node
        self._chain = chain
        self._sinks = sinks
        self._deadline = deadline
        self._lock: int | None = None

    async def run(self) -> None:
        """Forward until cancelled, if no other process does; else wait to take its place."""
        try:
            while not await self._is_ours():  # noqa: ASYNC110 - another process has it
                await asyncio.sleep(self._deadline / 4)
            self._write_state()
            async with asyncio.TaskGroup() as group:
                for sink in self._sinks:
                    group.create_task(self._forward(sink))
                group.create_task(self._report())
        finally:
            self._let_go()
            for sink in self._sinks:
                sink.outlet.close()

    async def _is_ours(self) -> bool:
        """Tell whether it is for this process to forward, from places that it has found; a want of
        descriptors or threads passes."""
        try:
            if not self._take():
                return False
            await self._begin()
        except (OSError, RuntimeError) as error:
            log.error("audit_forwarding_not_begun", error=str(error), alarm="it is tried again")
            self._let_go()
            return False
        return True

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> bool:
        descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    async def _begin(self) -> None:
        """Find the places; a sink that has none begins at the end."""
        known = self._read_places()
        for sink in self._sinks:
            try:
                places = known[sink.name]
                sink.reads = tail.from_json(places["reads"])
                sink.sent = _sent(places)
            except (KeyError, TypeError, ValueError, AttributeError):
                while sink.changes < 0:
                    try:
                        sink.sent = [await self._chain.head()]
                    except StoreFailure:
                        await asyncio.sleep(PAUSE)
                sink.reads = await asyncio.to_thread(tail.ends, self._folder)
        self._note()

    async def _forward(self, sink: Sink) -> None:
        while True:
            more, started = False, time.monotonic()
            try:
                more = await self._step(sink)
            except (OutletFailed, StoreFailure, OSError) as error:
                sink.failed(str(error), started=started, deadline=self._deadline)
            except Exception as error:
                sink.failed(type(error).__name__, started=started, deadline=0)
                log.exception("audit_forwarding_failed", sink=sink.name)
            if not more:
                await asyncio.sleep(PAUSE)

    async def _step(self, sink: Sink) -> bool:
        """Send what is new, and return whether there is more."""
        changes = await self._after(sink)
        records, places, more = await asyncio.to_thread(tail.read, self._folder, sink.reads, _BYTES)
        lines = [self._change(change, sink) for change in changes]
        lines += [self._read(record, sink) for record in records]
        if lines:
            sink.trying_since = time.monotonic()
            try:
                await asyncio.to_thread(sink.outlet.send, lines)
            finally:
                sink.trying_since = None
            sink.took(changes)
            sink.reads = places
            self._note()
        more = more or len(changes) == _CHANGES
        newest = parsed(records[-1].event).get("at") if records else None
        if more and isinstance(newest, int) and time.time() - newest > self._deadline:
            sink.failed("it takes events more slowly than they come", started=time.monotonic(), deadline=0)
        else:
            sink.worked()
        return more

    async def _after(self, sink: Sink) -> Sequence[ChainedEvent]:
        """Return changes that a sink has not got, and those again that it got since the chain was another."""
        while (last := sink.sent[-1]).position:
            found = await self._chain.after(last.position - 1, _CHANGES + 1)
            if found and found[0].position == last.position and last.hash in (_UNKNOWN, found[0].hash):
                return found[1:]
            log.warning("audit_events_sent_again", sink=sink.name, position=last.position)
            sink.sent = sink.sent[:-1] or [EMPTY]
        return await self._chain.after(0, _CHANGES)

    def _change(self, change: ChainedEvent, sink: Sink) -> bytes:
        if sink.cef:
            return to_cef(change.event, node=self._node, position=change.position)
        said = {"event": parsed(change.event), "node": self._node, "position": change.position}
        return canonical(said)

    def _read(self, record: tail.Record, sink: Sink) -> bytes:
        if sink.cef:
            return to_cef(record.event, node=self._node, segment=record.segment, offset=record.offset)
        said = {
            "event": parsed(record.event),
            "node": self._node,
            "offset": record.offset,
            "segment": record.segment,
        }
        return canonical(said)

    # Files

    async def _report(self) -> None:
        while True:
            for sink in self._sinks:
                if sink.trying_since is not None and time.monotonic() - sink.trying_since >= self._deadline:
                    sink.failed("it does not answer", started=sink.trying_since, deadline=self._deadline)
            self._write_state()
            await asyncio.sleep(min(0.5, self._deadline / 4))

    def _write_state(self) -> None:
        problem = "; ".join(sink.problem for sink in self._sinks if sink.problem)
        content = canonical({"at": int(time.time()), "problem": problem[:500]}).ljust(_STATE_SIZE)
        try:
            descriptor = os.open(self._folder / STATE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, content, 0)  # in place: there may be no space for another file
            finally:
                os.close(descriptor)
        except OSError as error:
            log.error("audit_sinks_not_reported", error=error.strerror)  # the others see that it is old

    def _read_places(self) -> Mapping[str, Any]:
        try:
            said = json.loads((self._folder / PLACES).read_bytes())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _note(self) -> None:
        places = {
            sink.name: {
                "changes": sink.changes,
                "reads": tail.to_json(sink.reads),
                "sent": [[head.position, head.hash.hex()] for head in sink.sent],
            }
            for sink in self._sinks
        }
        temporary = self._folder / f".{PLACES}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(canonical(places))
            temporary.rename(self._folder / PLACES)
        except OSError as error:
            # They get some of it again after a restart.
            log.warning("audit_places_not_noted", error=error.strerror)


def _sent(places: Mapping[str, Any]) -> list[Head]:
    """Return what `_note` wrote of a sink. Raises KeyError, TypeError, ValueError, AttributeError."""
    if "sent" in places:
        return [Head(int(position), bytes.fromhex(hash_)) for position, hash_ in places["sent"]]
    return [Head(int(places["changes"]), _UNKNOWN)]


def problem(folder: Path, *, deadline: float, started: float) -> str:
    """Return what is wrong with the sinks, as the process says that forwards; "" when all is well.

    `started` is when this process began to look (monotonic seconds): it takes a moment until one forwards.
    """
    try:
        said = json.loads((folder / STATE).read_bytes())
        if abs(time.time() - int(said["at"])) <= deadline:  # else it is old, or from before the clock was set
            return str(said["problem"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if time.monotonic() - started <= deadline:
        return ""
    return "nobody forwards audit events to the sinks; the log of the server says why"
