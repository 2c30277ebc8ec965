"""A root key that never comes here: another machine or a token seals and opens with it.

Rule: what this process holds is the way there, made when it is first needed and made anew after a failure, so
that a token that was lost and found works again without a restart. Whatever goes wrong on the way is
RootKeyUnavailable.
"""

import concurrent.futures
import os
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from strongroom.domain.ports import RootKeyUnavailable
from strongroom.model.secret import SecretBytes

T = TypeVar("T")

PATIENCE: Final = 4.0
"""Seconds that one use of the key may take."""


class Way(Protocol):
    """The way to a key elsewhere: an open session, a connection. Any method may raise Unreachable."""

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        """Return `key` encrypted and authenticated together with `associated`."""

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        """Return what `seal` was given. Raises RootKeyError when it is damaged."""

    def close(self) -> None:
        """Let go of it; raises nothing."""


class Unreachable(Exception):
    """The key cannot be used now; the message says why, in the words of whatever failed."""


class ElsewhereRoot:
    """A root key behind a `Way`. `find` makes one; `place` says where, for errors."""

    def __init__(self, generation: int, root_id: bytes, place: str, find: Callable[[], Way]) -> None:
        self.generation = generation
        self.id = root_id
        self._place = place
        self._find = find
        self._way: Way | None = None
        self._process = 0
        self._thread: concurrent.futures.ThreadPoolExecutor
        self._one_at_a_time = threading.Lock()

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        return self._use(lambda way: way.seal(key, associated))

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        return self._use(lambda way: way.open(sealed, associated))

    def _use(self, job: Callable[[Way], T]) -> T:
        with self._one_at_a_time:
            if self._process != os.getpid():
                # Neither a session nor a thread survives a fork.
                self._way, self._process = None, os.getpid()
                self._thread = concurrent.futures.ThreadPoolExecutor(1, "root key")
            try:
                return self._thread.submit(self._run, job).result(PATIENCE)
            except TimeoutError:
                # The thread may hang for good: it is left to itself, the next use gets another.
                self._thread.shutdown(wait=False)
                self._way, self._process = None, 0
                raise self._lost(f"no answer within {PATIENCE:.0f} s") from None

    def _run(self, job: Callable[[Way], T]) -> T:
        # A session that was lost is noticed by using it, so one failure is not yet the end.
        fresh = self._way is None
        try:
            return job(self._ready())
        except Unreachable as error:
            self._let_go()
            if fresh:
                raise self._lost(str(error)) from error
        try:
            return job(self._ready())
        except Unreachable as error:
            self._let_go()
            raise self._lost(str(error)) from error

    def _ready(self) -> Way:
        if self._way is None:
            self._way = self._find()
        return self._way

    def _let_go(self) -> None:
        way, self._way = self._way, None
        if way is not None:
            way.close()

    def _lost(self, why: str) -> RootKeyUnavailable:
        return RootKeyUnavailable(
            f"the root key in {self._place} cannot be used: {why}; nothing was changed, "
            "and it goes on by itself once the key is back"
        )

    def __repr__(self) -> str:
        return f"ElsewhereRoot({self.id.hex()}, generation {self.generation}, {self._place})"
