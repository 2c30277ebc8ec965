"""The audit log of one worker: what is recorded, and what comes of it.

Rule: wiring, and the decision when requests are refused. What is recorded is with the operating system before
the answer leaves; checkpoints are made in time; and what is not anchored in time turns health red and, where
the administrator wants that, stops requests.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from strongroom.audit.checkpoints import FILE
from strongroom.audit.directory import open_directory
from strongroom.audit.forwarder import Forwarder, Sink
from strongroom.audit.forwarder import problem as sink_problem
from strongroom.audit.keeper import Busy, CheckpointFailed, Keeper
from strongroom.audit.marks import Mark, Unreadable, marks
from strongroom.audit.outlets import Outlet, parse
from strongroom.audit.read_log import ReadLog
from strongroom.domain.audit import AuditChain, AuditEvent, AuditUnavailable
from strongroom.domain.clock import SystemClock
from strongroom.domain.ports import RootKey
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.server.audit_key import open_audit_key
from strongroom.server.config import AuditSettings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.listening.binding import TOO_MANY_REQUESTS
from strongroom.server.listening.tls import outlet_context
from strongroom.server.logs import get_logger

log = get_logger()

_CEF: Final = "cef:"

CONNECT: Final = "CONNECT"
"""The operation of who is turned away before a request."""

COMPARED_WITHIN: Final = 10.0
"""Seconds for the files to answer that stand outside the store."""

REQUEST: Final = "Request"
"""The operation of a request that nobody has read."""


@dataclass(slots=True)
class _Shed:
    """Requests of a client that came too soon: the second of the last record, and how many since."""

    second: datetime
    more: int = 0


class WorkerAudit:
    """Opens the audit log of a data directory for one worker. `work` it, and `close` it at the end."""

    def __init__(
        self, settings: AuditSettings, directory: DataDirectory, root_key: RootKey, row: int
    ) -> None:
        """Raises OperatorError and RootKeyError."""
        self._settings = settings
        self._folder = directory.audit
        node = open_audit_folder(directory)
        self.keeper = make_keeper(settings, directory, root_key, node)
        self.log = ReadLog(directory.audit, row=row, size=settings.segment_size)
        self.log.open(node)
        self._node = node
        self._sinks = make_sinks(settings, directory)
        self._clock = SystemClock()
        self._failing = ""
        self._sink_problem = ""
        self._started = time.monotonic()
        self._forwarding: asyncio.Task[None] | None = None
        self._shed: dict[str, _Shed] = {}
        self._anchors = settings.anchors
        self._looking: asyncio.Future[list[Mark]] | None = None
        self.held = False
        """Nothing is signed for now: the store is not what was signed for last."""
        self.compare: Callable[[], Awaitable[None]] | None = None
        """Sees whether it is, and sets `held`; asked before anything is signed for."""

    async def marks(self, within: float = COMPARED_WITHIN) -> list[Mark]:
        """Return what stands outside the store about how far it was. Raises OperatorError, also when that
        cannot be read in so many seconds: another machine may have it, which is away."""
        if self._looking is None or await _is_done(self._looking, within):  # else no more threads wait for it
            self._looking = looking = asyncio.ensure_future(asyncio.to_thread(self._marks))
            if await _is_done(looking, within):
                return looking.result()
        raise OperatorError("the audit log cannot be compared with the store: an anchor does not answer")

    def _marks(self) -> list[Mark]:
        try:
            return list(marks(self._folder, self._anchors, self.keeper.public))
        except Unreadable as error:
            raise OperatorError(f"the audit log cannot be compared with the store: {error}") from error

    @property
    def problem(self) -> str | None:
        """Return what is wrong with the audit log, None when all is well."""
        return self.log.problem or self._failing or self._sink_problem or None

    def turned_away(self, reason: str, peer: str, facts: Mapping[str, str]) -> None:
        """Record somebody who got no connection, or came with too many requests a second.

        Of the latter `more` counts those that were refused since the last record of the same client.
        """
        now, operation = self._clock.now(), CONNECT
        if reason == TOO_MANY_REQUESTS:
            operation = REQUEST
            # Once a second is enough for who sends thousands: they should not fill the disk.
            told = self._shed.get(facts["client"])
            if told is not None and told.second == now:
                told.more += 1
                return
            if told is not None and told.more:
                facts = {**facts, "more": str(told.more)}
            self._shed[facts["client"]] = _Shed(now)
        event = AuditEvent(
            at=now,
            client=0,
            tenant=0,
            peer=peer,
            operation=operation,
            outcome=reason.upper(),
            target=" ".join(f"{name}={value}" for name, value in facts.items()) or None,
        )
        try:
            self.log.record(event)
        except AuditUnavailable as error:
            log.error("refusal_not_recorded", peer=peer, reason=str(error))

    def forward(self, chain: AuditChain) -> None:
        """Begin to send events to the sinks, where there are any."""
        if self._sinks:
            forwarder = Forwarder(
                self._folder,
                node=self._node,
                chain=chain,
                sinks=self._sinks,
                deadline=self._settings.deadline,
            )
            self._forwarding = asyncio.get_running_loop().create_task(forwarder.run())

    async def look(self, chain: AuditChain, now: datetime) -> None:
        """Make a checkpoint when it is time, and see to anchors and sinks: a job, asked each second."""
        self._look_at_sinks()
        if self.held:
            return
        try:
            if self._due():
                await self._sign(chain, now, "interval")
            await asyncio.to_thread(self._anchor)
        except CheckpointFailed as error:
            self._fail(str(error))
        else:
            self._fail("")

    async def _sign(self, chain: AuditChain, now: datetime, why: str) -> None:
        """Make a checkpoint, unless the store does not lead to the last: whoever rewrites the chain in the
        database must not have it signed for."""
        seen = await asyncio.to_thread(self.keeper.last)
        if self.compare is not None:
            try:
                await self.compare()
            except (OperatorError, TamperedRecord) as error:
                raise CheckpointFailed(str(error)) from error
        if self.held:
            return
        await chain.extend()
        head = await chain.head()
        await asyncio.to_thread(self.keeper.make, head, int(now.timestamp()), why, seen=seen)

    def _due(self) -> bool:
        try:
            age = time.time() - os.stat(self._folder / FILE).st_mtime
        except OSError:
            return True
        # One that seems to come from the future was made before the clock was set right.
        return abs(age) >= self._settings.checkpoint

    def _anchor(self) -> None:
        last = self.keeper.last()
        if last is None or not self.keeper.behind(last):
            return
        try:
            self.keeper.anchor(patience=0)
        except CheckpointFailed as error:
            behind = self.keeper.behind(last)
            late = [name for name, seconds in behind.items() if seconds >= self._settings.deadline]
            if late and isinstance(error, Busy):
                raise CheckpointFailed(f"the audit log cannot be anchored in {', '.join(late)}") from error
            if late:
                raise

    def _fail(self, problem: str) -> None:
        if problem != self._failing:
            if problem:
                log.error("audit_checkpoint_failed", reason=problem)
            else:
                log.info("audit_checkpoint_made_again")
        self._failing = problem
        self._refuse()

    def _look_at_sinks(self) -> None:
        if not self._sinks:
            return
        self._sink_problem = sink_problem(
            self._folder, deadline=self._settings.deadline, started=self._started
        )
        self._refuse()

    def _refuse(self) -> None:
        settings = self._settings
        anchors = self._failing if settings.on_anchor_failure == "refuse" else ""
        sinks = self._sink_problem if settings.on_sink_failure == "refuse" else ""
        self.log.refuse(anchors or sinks)

    async def close(self, chain: AuditChain) -> None:
        """Bring everything to disk, and sign where it ends."""
        if self._forwarding is not None:
            self._forwarding.cancel()
        await asyncio.to_thread(self.log.close)
        if self.held:
            return
        try:
            await self._sign(chain, self._clock.now(), "stop")
            if not self._failing and not self.held:
                await asyncio.to_thread(self.keeper.anchor)
        except (CheckpointFailed, StoreFailure) as error:
            log.error("audit_checkpoint_failed", reason=str(error))


async def _is_done(looking: "asyncio.Future[list[Mark]]", within: float) -> bool:
    await asyncio.wait([looking], timeout=within)
    return looking.done()


def open_audit_folder(directory: DataDirectory) -> str:
    """Make the folder of the audit log if there is none, and return what this node is called. Raises
    OperatorError."""
    try:
        return open_directory(directory.audit)
    except OSError as error:
        raise OperatorError(f"cannot use {directory.audit}: {error.strerror}") from error


def make_keeper(settings: AuditSettings, directory: DataDirectory, root_key: RootKey, node: str) -> Keeper:
    """Return what makes checkpoints of a data directory. Raises OperatorError and RootKeyError."""
    return Keeper(
        directory.audit,
        node=node,
        key=open_audit_key(directory, root_key),
        anchors=outlets("audit.anchors", settings.anchors, settings, directory),
        keep=settings.keep_days * 86_400 if settings.keep_days else None,
    )


def make_sinks(settings: AuditSettings, directory: DataDirectory) -> list[Sink]:
    """Return the sinks. Raises OperatorError."""
    plain = {name: name.removeprefix(_CEF) for name in settings.sinks}
    opened = outlets("audit.sinks", tuple(plain.values()), settings, directory)
    return [Sink(name, opened[place], cef=name != place) for name, place in plain.items()]


def outlets(
    setting: str, places: tuple[str, ...], settings: AuditSettings, directory: DataDirectory
) -> dict[str, Outlet]:
    """Return the outlets that a setting names. Raises OperatorError."""
    make_context = partial(outlet_context, settings, directory)
    try:
        return {place: parse(place, make_context) for place in places}
    except ValueError as error:
        raise OperatorError(f"{setting}: {error}") from error
