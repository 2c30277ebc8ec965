"""The process that writes the store, as the supervisor sees it.

Rule: there is one as long as there is something to write to; one that dies or hangs is followed by another,
after a pause that grows with each death.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.ports import WriterMain
from strongroom.server.process import LONGEST_BACK_OFF, BackOff, describe_exit, end, fork, socket_pair
from strongroom.server.processes.pulses import LONGEST_SILENCE, Pulse
from strongroom.server.processes.timers import Timers

log = get_logger()

START_TIMEOUT: Final = 30.0
RESTART_TIMEOUT: Final = 3.0
"""Seconds for a writer that is started again: whoever asks for something waits meanwhile."""


class WriterProcess:
    """None for a store that needs none, or one process at a time."""

    def __init__(self, pulse: Pulse, timers: Timers, leave: Callable[[], None]) -> None:
        """`leave` lets go, in the child, of what is the parent's alone."""
        self._pulse = pulse
        self._timers = timers
        self._leave = leave
        self._main: WriterMain | None = None
        self._pid: int | None = None
        self._started_at = 0.0
        self._due = 0.0  # when one that died is started again
        self._back_off = BackOff()
        self._patience = LONGEST_SILENCE

    def start(self, main: WriterMain | None, timeout: float = START_TIMEOUT) -> None:
        """Start it, if the store needs one; raises OperatorError."""
        self._main = main
        if main is None:
            return
        reading, writing = socket_pair()

        def run() -> None:
            reading.close()
            self._leave()
            # A signal to the whole group must not take the writer away before the workers have finished.
            os.setpgid(0, 0)
            main(lambda: writing.sendall(b"."), self._pulse.show)

        with reading:
            try:
                self._pid = fork(run)
            finally:
                writing.close()
            self._started_at = time.monotonic()
            reading.settimeout(timeout)
            try:
                ready = reading.recv(1)
            except TimeoutError:
                ready = b""
        if not ready:
            self._kill()
            raise OperatorError("the process that writes the store did not start; the log says why")

    def tend(self) -> None:
        """Start one again that has died: the workers that are waited for may be waiting for it."""
        if self._pid is not None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.lost(pid, status)
        elif time.monotonic() >= self._due:
            self._restart()

    def lost(self, pid: int, status: int) -> bool:
        """Take note that a child has ended; False when it was not this one."""
        if pid != self._pid:
            return False
        log.error("store_writer_died", pid=pid, how=describe_exit(status))
        self._gone()
        pause = self._back_off.after(self._started_at)
        self._due = time.monotonic() + pause
        # Also while stopping: the last requests may still need it.
        self._timers.add(pause, self._restart)
        return True

    @property
    def silence(self) -> int:
        """Return for how many seconds it has shown no sign of life."""
        return self._pulse.silence

    def watch(self) -> None:
        """End it if it hangs; its death starts another.

        That one gets twice the time: it may be long at work on the log that the last one has left.
        """
        self._pulse.look()
        if self._pid is not None and self.silence >= self._patience:
            log.error("store_writer_hangs", pid=self._pid, seconds=self.silence)
            self._patience *= 2
            self._kill()

    def dismiss(self) -> None:
        """End it after it has written what waits. No other one follows until the next start."""
        pid, self._main = self._pid, None
        if pid is not None:
            self._gone()
            end(pid, patience=1.0)
        self._patience = LONGEST_SILENCE

    def _restart(self) -> None:
        if self._main is None or self._pid is not None:
            # The server was sealed meanwhile.
            return
        try:
            self.start(self._main, RESTART_TIMEOUT)
        except OperatorError as error:
            # If there is one its death is noticed, and it is tried again after a longer pause.
            log.error("store_writer_failed", error=str(error))
            if self._pid is None:
                self._due = time.monotonic() + LONGEST_BACK_OFF
                self._timers.add(LONGEST_BACK_OFF, self._restart)

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _gone(self) -> None:
        self._pid = None
        self._pulse.clear()
