"""Signals, for a loop around `select`.

Rule: a handler does nothing; the signal is read from a socket when the loop gets there.
"""

import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from functools import partial

from strongroom.server.processes.edge import carry_on


class Signals:
    """The signals of this process from now on; `act` is called with each of them, out of the loop."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        numbers: Iterable[signal.Signals],
        act: Callable[[signal.Signals], None],
    ) -> None:
        self._act = act
        self._woken, waker = socket.socketpair()
        for end in (self._woken, waker):
            end.setblocking(False)
        signal.set_wakeup_fd(waker.detach(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda _number, _frame: None)
        selector.register(self._woken, selectors.EVENT_READ, self._read)

    def leave(self) -> None:
        """In a child: signals are the parent's alone."""
        self._woken.close()

    def _read(self) -> None:
        for number in self._woken.recv(4096):
            # One that fails must not swallow those that came with it.
            carry_on(partial(self._act, signal.Signals(number)))
