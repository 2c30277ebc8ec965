"""Child processes that cannot outlive their parent.

Rule: every fork of the server is made here. A child starts with default signal handling and never returns
into the code of its parent.
"""

import contextlib
import ctypes
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Final

from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

QUICK_DEATH: Final = 30.0
"""Seconds of life below which a death counts towards the pause before the next start."""

LONGEST_BACK_OFF: Final = 10.0

LONGEST_APART: Final = 30.0
"""Seconds for what is done in a process of its own while the supervisor waits: with a token that does not
answer it would wait for good, and nobody would be started again meanwhile."""

_PIECE: Final = 1 << 16

_PR_SET_PDEATHSIG: Final = 1
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_libc = ctypes.CDLL(None, use_errno=True)


def fork(main: Callable[[], None]) -> int:
    """Run `main` in a child process and return the child's id.

    The child ends with code 0 when `main` returns and 1 when it raises (logged). It is killed when this
    process dies, however that happens. Raises OperatorError when there can be no child.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    # A signal that arrives before the child has handlers of its own must not reach those of the parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        child = os.fork()
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise OperatorError(
            f"no process can be started: {error.strerror}; free memory, or raise the limit of processes"
        ) from error
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return child
    code = 1
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        main()
        code = 0
    except OSError as error:
        log.error("process_failed", error=str(error))
    except BaseException:
        # The edge of the process: nothing above can say it.
        log.exception("process_failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends to speak to a child with; raises OperatorError when there can be none."""
    try:
        return socket.socketpair()
    except OSError as error:
        raise OperatorError(
            f"no process can be started: {error.strerror}; raise the limit of open files"
        ) from error


def run_apart(job: Callable[[], None], leave: Callable[[], None]) -> bool:
    """Run `job` in a child process to its end and tell whether it went well; `leave` lets go, in the child,
    of what is the parent's alone."""

    def work() -> bytes:
        leave()
        job()
        return b""

    return result_apart(work) is not None


def result_apart(job: Callable[[], bytes]) -> bytes | None:
    """Return what `job` returns in a child process of its own, None when it raises there, which is logged,
    or takes longer than `LONGEST_APART`.

    Raises OperatorError when there can be no child.
    """
    reading, writing = os.pipe()

    def main() -> None:
        with open(writing, "wb", closefd=False) as pipe:
            pipe.write(job())

    with open(reading, "rb", buffering=0) as pipe:
        try:
            child = fork(main)
        finally:
            os.close(writing)
        result = _read_in_time(pipe)
    if result is None:
        log.error("process_killed", pid=child, reason=f"it took more than {LONGEST_APART:.0f} s")
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return result if os.waitstatus_to_exitcode(status) == 0 else None


def _read_in_time(pipe: FileIO) -> bytes | None:
    """Return what comes through a pipe until its other end is closed; None when that takes too long."""
    found, give_up = bytearray(), time.monotonic() + LONGEST_APART
    with selectors.PollSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, give_up - time.monotonic())):
            piece = pipe.read(_PIECE)
            if not piece:
                return bytes(found)
            found += piece
    return None


class BackOff:
    """How long to wait before a child that has died is started again."""

    def __init__(self) -> None:
        self._deaths = 0

    def after(self, started_at: float) -> float:
        """Return the seconds, for one that was started then (as `time.monotonic` says it)."""
        if time.monotonic() - started_at > QUICK_DEATH:
            self._deaths = 0
        self._deaths += 1
        return float(min(LONGEST_BACK_OFF, 0.05 * 2 ** min(self._deaths - 1, 10)))


def end(pid: int, *, patience: float) -> None:
    """End a child process: politely, and after `patience` seconds not."""
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + patience
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.005)


def return_freed_memory() -> None:
    """Give memory that was freed back to the system.

    What a thousand TLS connections leave behind is scattered over the heap, and the next thousand do not fit
    into all of it: without this, the process would keep growing for a while. Takes about 3 microseconds for
    each connection that has ended.
    """
    # Only glibc keeps so much, and has this call.
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def keep_freed_memory(most: int) -> None:
    """Keep blocks of up to `most` bytes when they are freed, for the next ones of that size; until
    `return_freed_memory`.

    A long message is copied a few times on its way. Each copy in memory fresh from the system costs more than
    the copying itself: the system clears each page of it first.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_MMAP_THRESHOLD, most)
        _libc.mallopt(_M_TRIM_THRESHOLD, 8 * most)


def resident_memory() -> int:
    """Return how many bytes of this process are in memory; 0 where the system does not tell it so."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def describe_exit(status: int) -> str:
    """Return in words how a child ended, from the status that waitpid gives."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # those for programs' own use have no names
        return f"signal {-code}"
