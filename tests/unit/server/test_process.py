"""Child processes that cannot be had, and keys that are forgotten whatever else fails."""

import errno
import os
import signal
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.server import edge
from strongroom.server.control import State, WorkerHandle
from strongroom.server.delegation import Delegation
from strongroom.server.errors import OperatorError
from strongroom.server.process import describe_exit, fork, result_apart
from strongroom.server.supervisor import Supervisor
from strongroom.server.timers import Timers


def test_signals_arrive_as_before_when_there_can_be_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fail)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(OperatorError, match="raise the limit of processes"):
        fork(lambda: None)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize(
    ("status", "words"),
    [(3 << 8, "exit code 3"), (signal.SIGKILL, "signal SIGKILL"), (signal.SIGRTMIN + 6, "signal 40")],
)
def test_every_end_of_a_child_has_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


def test_what_a_child_returns_arrives_and_what_it_raises_is_no_result() -> None:
    parent = os.getpid()

    def work() -> bytes:
        assert os.getpid() != parent
        return b"done"

    def fail() -> bytes:
        raise ValueError

    assert result_apart(work) == b"done"
    assert result_apart(fail) is None


@pytest.mark.parametrize("fails", ["crew", "ports"])
def test_the_root_key_is_forgotten_though_something_else_cannot_be_closed(fails: str) -> None:
    """Another program may have taken the port meanwhile."""
    done: list[str] = []

    def close(what: str) -> None:
        done.append(what)
        if what == fails:
            raise OperatorError("it is in use")

    supervisor = cast(Any, Supervisor.__new__(Supervisor))
    supervisor._crew = SimpleNamespace(dismiss=lambda _: close("crew"))
    supervisor._ports = SimpleNamespace(stop_listening=lambda: close("ports"))
    supervisor._root_key = SimpleNamespace(close=lambda: close("root key"))
    with pytest.raises(OperatorError):
        supervisor._close_down()
    assert done[-1] == "root key"
    assert not supervisor._open


def test_what_fails_in_the_loop_ends_neither_it_nor_what_is_due_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(edge.log, "exception", lambda event, **_: alarms.append(event))
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("a mistake")

    timers = Timers()
    timers.add(0.0, fail)
    timers.add(0.0, lambda: done.append("the next"))
    timers.run()
    assert done == ["the next"]
    assert alarms == ["supervisor_failed"]


@pytest.mark.parametrize(
    ("state", "hung_up", "ended"),
    [(State.RETIRING, True, False), (State.RETIRING, False, True), (State.SERVING, True, True)],
)
def test_a_worker_that_was_on_its_way_out_and_is_gone_is_no_worker_that_does_not_follow(
    state: State, hung_up: bool, ended: bool
) -> None:
    ours, theirs = socket.socketpair()
    worker, replaced = WorkerHandle(pid=1, row=0, slot=0, generation=1, sock=ours), list[object]()
    worker.state, worker.hung_up = state, hung_up
    crew = SimpleNamespace(workers=[worker], ask=lambda *_: {}, replace=replaced.append)
    Delegation(cast(Any, crew), cast(Any, None)).restrict("")
    assert replaced == ([worker] if ended else [])
    for end in (ours, theirs):
        end.close()
