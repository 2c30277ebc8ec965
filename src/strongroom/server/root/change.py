"""One root key takes over from another, while requests are served.

Rule: whatever was begun is finished, by whoever is there: each worker looks every second. The older root key
is let go only when nothing is wrapped by it any more, which no failover of the database can undo, and
everybody who might have used it has heard of the newer one.

    1. adopt        root.json names both; the newer one wraps from now on          (command root.rotate)
    2. every worker of the server follows, before the command returns
    3. rewrap       each place is gone through; both open                          (command root.finish,
    4. complete     root.json names the newer one alone, the key file of the older is gone     or the job)

On PostgreSQL it is announced in the store first (`announcing.py`), sealed like every entry, and inside it the
new root key is wrapped by the old one. The other nodes adopt it within a second or two, and no node wraps by
it before they all had the time: what one wraps the others can open at every moment.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from strongroom.domain.ports import RootKeyError, RootKeyUnavailable, WrappedKeys
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import TamperedRecord
from strongroom.model.secret import SecretBytes
from strongroom.server.errors import OperatorError
from strongroom.server.ports import RootKeys
from strongroom.server.root import kits
from strongroom.server.root.announcing import announce_again, announcement, check_agreed, tidy
from strongroom.server.root.waiting import wait_for_others

log = structlog.get_logger()

HEARD_WITHIN: Final = 5
"""Seconds from the announcement until a root key begins to wrap where there may be several nodes."""

SETTLING: Final = 10
"""Seconds after the announcement in which somebody may still wrap by the older root key: a worker that has
not answered is ended after five, another node looks every second. One that is starting wraps no more than a
store key, which is refused once the older root key may be gone (`store/store_keys.py`)."""

PROBE: Final = 10
"""Seconds between looks whether a root key that stays elsewhere can be used, and whether the nodes agree."""

LOOK: Final = 10
"""Seconds until everything that is wrapped is looked at again where nothing seems to have changed: another
node may have another root key, or another kit."""

_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


class RootKeyChange:
    """A job of `scheduler.timetable`: finishes what was begun. `shared`: other nodes use the store too.

    `spread` has every process of this server follow. `problem` says why the root key cannot be used now, None
    when it can.
    """

    def __init__(
        self, root_key: RootKeys, places: Sequence[WrappedKeys], store: ObjectStore, *, shared: bool
    ) -> None:
        self._root_key = root_key
        self._places = places
        self._store = store
        self._shared = shared
        self._found: object = None  # which root keys there are, and which kit
        self._look_until = self._look_at = self._probe_at = self._compare_at = self._kit_at = _AT_ONCE
        self._problems: dict[str, str] = {}
        self.spread: Callable[[], Awaitable[None]] | None = None

    @property
    def problem(self) -> str | None:
        return "; ".join(dict.fromkeys(self._problems.values())) or None

    async def __call__(self, now: datetime) -> None:
        """Look once. Raises StoreFailure."""
        if self._shared:
            await self._follow_nodes(now)
        with self._noted("root_key_not_read"):
            self._root_key.follow()
        with self._noted("root_key_missed"):
            if self._root_key.sealed:
                raise RootKeyError("a worker has missed a root key; look at: strongroom server status")
        if self._root_key.sealed:
            return
        if not self._root_key.stays_elsewhere:
            self._problems.pop("root_key_lost", None)
            if not self._prove():
                return
        elif now >= self._probe_at:
            self._probe_at = now + timedelta(seconds=PROBE)
            await self._probe()
        if self._shared and now >= self._kit_at:
            self._kit_at = now + timedelta(seconds=PROBE)
            with self._noted("recovery_not_followed"):
                if await kits.follow_nodes(self._root_key, self._store):
                    log.info("recovery_followed", recovery=self._root_key.recovery)
        # Not what `follow` tells: a command may have had it followed before.
        found = self._root_key.state, self._root_key.recovery
        if found != self._found:
            if self._found is not None:  # another worker may not have heard of it yet, and wrap meanwhile
                self._look_until = now + timedelta(seconds=SETTLING)
            self._found, self._look_at = found, _AT_ONCE
        if (now < self._look_at and not self._root_key.changing) or self._root_key.waiting:
            return
        self._look_at = _AT_ONCE
        with self._noted("keys_not_wrapped_again"):
            await self._look(now)

    async def _look(self, now: datetime) -> None:
        """Wrap again what is not current, and let go of the older root key when nothing is under it."""
        judged, changing = self._root_key.state, self._root_key.changing
        left = await rewrap(self._root_key, self._places)
        if left == 0 and (settled(self._root_key, now) or not changing):
            await wait_for_others(self._root_key)
            if changing and not await is_lasting(self._root_key, self._places):
                return
            if not self._root_key.complete(judged):
                return
            if changing:
                log.info("root_key_replaced", generation=self._root_key.generation)
                if self.spread is not None:
                    await self.spread()
        self._tell_left(0 if changing else left)
        if left == 0 and now >= self._look_until:
            self._look_at = now + timedelta(seconds=LOOK)

    def _tell_left(self, left: int) -> None:
        """Say so when keys stay as they are although they should be wrapped anew."""
        with self._noted("keys_left"):
            if left:
                raise RootKeyError(
                    f"{left} keys are not wrapped by the newest root key, or not for the recovery kit, which"
                    " does not open them; look at: strongroom server root status --data DIR"
                )

    def _prove(self) -> bool:
        """Tell whether the recovery kit is the one that the root key knows; no other one counts."""
        with self._noted("recovery_refused"):
            self._root_key.prove_recovery()
        return "recovery_refused" not in self._problems

    async def _probe(self) -> None:
        """Use the root key: a token that is lost is to be known before something needs it."""
        lost = "root_key_lost" in self._problems
        with self._noted("recovery_refused"), self._noted("root_key_lost", only=RootKeyUnavailable):
            # It may take seconds to give up.
            key = SecretBytes(os.urandom(32))
            await asyncio.get_running_loop().run_in_executor(None, self._root_key.wrap, key)
        if lost and "root_key_lost" not in self._problems:
            log.info("root_key_back")

    async def _follow_nodes(self, now: datetime) -> None:
        """Take over what other nodes have announced. Raises StoreFailure."""
        with self._noted("root_key_not_followed"):
            await self._adopt_all()
            if self._root_key.changing:
                await announce_again(self._root_key, self._store, now)
        if now >= self._compare_at:
            self._compare_at = now + timedelta(seconds=PROBE)
            with self._noted("root_key_disputed"):
                await check_agreed(self._root_key, self._store)
                await tidy(self._root_key, self._places, self._store, now)

    async def _adopt_all(self) -> None:
        """Take each root key that was announced, from the next one on: only the one before it opens it."""
        before = self._root_key.generation
        try:
            while True:
                announced = await announcement(self._store, self._root_key.generation + 1)
                if announced is None:
                    break
                await wait_for_others(self._root_key)
                if self._root_key.adopt(announced):
                    log.info("root_key_followed", generation=self._root_key.generation)
        finally:
            if self._root_key.generation != before and self.spread is not None:
                await self.spread()

    @contextmanager
    def _noted(self, event: str, only: type[RootKeyError] = RootKeyError) -> Iterator[None]:
        """Keep what is wrong with the root key until the same goes well."""
        try:
            yield
        except (only, TamperedRecord, OSError, OperatorError) as error:
            if self._problems.get(event) != str(error):
                log.error(event, error=str(error))
            self._problems[event] = str(error)
        else:
            self._problems.pop(event, None)


async def rewrap(root_key: RootKeys, places: Sequence[WrappedKeys]) -> int:
    """Wrap again whatever is not current, and return how many keys are left. Raises StoreFailure and
    RootKeyError."""
    for place in places:
        await place.rewrap(root_key)
    return sum([len(stale) for _, stale in await stale_keys(root_key, places)])


async def is_lasting(root_key: RootKeys, places: Sequence[WrappedKeys]) -> bool:
    """Tell whether everything is current, and nothing can undo it. Raises StoreFailure and RootKeyError."""
    return all([await place.is_lasting(root_key) for place in places])


async def stale_keys(root_key: RootKeys, places: Sequence[WrappedKeys]) -> list[tuple[str, list[bytes]]]:
    """Return, for each place, what lies there and is not current. Raises StoreFailure and RootKeyError."""
    return [
        (place.name, [key for key in await place.wrapped() if not root_key.is_current(key)])
        for place in places
    ]


def settled(root_key: RootKeys, now: datetime) -> bool:
    """Tell whether everybody must have heard of the newest root key."""
    return now.timestamp() - root_key.announced_at >= SETTLING


async def finish(root_key: RootKeys, places: Sequence[WrappedKeys], *, everybody_knows: bool) -> int:
    """Wrap again what is left, let go of the older root key, and return how many keys are left, or -1 when
    it has to be looked at again: time is missing, or another one came meanwhile. Raises StoreFailure and
    RootKeyError."""
    if root_key.waiting:
        return -1
    judged = root_key.state
    left = await rewrap(root_key, places)
    if left == 0 and root_key.changing:
        await wait_for_others(root_key)
        over = everybody_knows and await is_lasting(root_key, places) and root_key.complete(judged)
        return 0 if over else -1
    return left
