"""Child processes that cannot be had, and keys that are forgotten whatever else fails."""

import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.server import process
from strongroom.server.errors import OperatorError, Unreachable, raise_for, to_answer
from strongroom.server.messages import decode, encode
from strongroom.server.process import describe_exit, fork, result_apart, run_apart
from strongroom.server.processes import control, edge
from strongroom.server.processes import supervisor as supervisor_module
from strongroom.server.processes import timers as timers_module
from strongroom.server.processes.control import State, WorkerHandle, ask_all, await_start
from strongroom.server.processes.delegation import Delegation
from strongroom.server.processes.supervisor import Supervisor
from strongroom.server.processes.timers import Timers


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


def test_a_child_that_does_not_come_to_its_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token may never answer, and the supervisor does nothing else meanwhile."""

    def hang() -> None:
        while True:
            signal.pause()

    made: list[int] = []

    def noting(main: Callable[[], None]) -> int:
        made.append(fork(main))
        return made[0]

    monkeypatch.setattr(process, "LONGEST_APART", 0.1)
    monkeypatch.setattr(process, "fork", noting)
    assert not run_apart(hang, lambda: None)
    assert not Path("/proc", str(made[0])).exists()


def test_what_a_child_returns_may_be_long() -> None:
    assert result_apart(lambda: bytes(1 << 20)) == bytes(1 << 20)
    assert run_apart(lambda: None, lambda: None)


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


def test_what_takes_longer_than_its_pause_leaves_the_loop_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that does not answer, say: nobody would be reaped, or hear SIGTERM, until it answers again."""
    clock, done = [0.0], list[str]()
    monkeypatch.setattr(timers_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    timers = Timers()

    def hang() -> None:
        if len(done) < 10:
            timers.add(1.0, hang)
        clock[0] += 30.0
        done.append("hung")

    timers.add(0.0, hang)
    timers.run()
    assert done == ["hung"]
    timers.run()
    assert done == ["hung", "hung"]


def test_a_token_that_hangs_is_asked_again_after_as_long_and_by_nobody_who_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, pauses = [0.0], list[float]()

    def hang() -> None:
        clock[0] += 30.0
        raise RuntimeError("and whatever comes of it")

    supervisor = cast(Any, Supervisor.__new__(Supervisor))
    supervisor._open, supervisor._stopping = True, False
    supervisor._timers = SimpleNamespace(add=lambda pause, _: pauses.append(pause))
    supervisor._delegation = SimpleNamespace(follow_root_key=hang)
    monkeypatch.setattr(supervisor_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with pytest.raises(RuntimeError):
        supervisor._follow_root_key()
    supervisor._stopping = True
    supervisor._follow_root_key()
    assert pauses == [30.0, supervisor_module.FOLLOW_INTERVAL]


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


def test_a_command_that_no_worker_answers_is_not_said_to_be_undone() -> None:
    """A worker that was stopped for a while does what it was told then."""
    crew = SimpleNamespace(ask_one=lambda *_: None)
    with pytest.raises(Unreachable, match="look before you repeat") as told:
        Delegation(cast(Any, crew), cast(Any, None)).do({"command": "tenant.create", "name": "blue"})
    with pytest.raises(Unreachable):
        raise_for(to_answer(told.value))


def test_a_worker_that_starts_is_told_of_a_change_and_has_its_time() -> None:
    ours, theirs = socket.socketpair()
    worker, replaced = WorkerHandle(pid=1, row=0, slot=0, generation=1, sock=ours), list[object]()
    crew = SimpleNamespace(workers=[worker], ask=lambda *_: {}, replace=replaced.append)
    Delegation(cast(Any, crew), cast(Any, None)).restrict("what is forbidden")
    assert replaced == []
    theirs.sendall(encode({"event": "ready"}))
    assert worker.receive()
    told = [decode(line) for line in theirs.recv(4096).splitlines()]
    assert told == [{"ask": "restrict", "text": "what is forbidden"}, {"ask": "serve"}]
    for end in (ours, theirs):
        end.close()


@pytest.mark.parametrize("starting", [True, False])
def test_a_pause_of_the_machine_is_nobodys_silence(monkeypatch: pytest.MonkeyPatch, starting: bool) -> None:
    """Whoever was asked before it answers after it, when whoever asked may be awake already."""
    ours, theirs = socket.socketpair()
    worker = WorkerHandle(pid=1, row=0, slot=0, generation=1, sock=ours)
    clock, turns = [0.0], iter(range(100))
    monkeypatch.setattr(control, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def meanwhile() -> None:
        if next(turns) == 0:
            clock[0] += 120.0
        else:
            number = None if starting else decode(theirs.recv(4096))["id"]
            theirs.sendall(encode({"event": "ready", "id": number} if starting else {"id": number}))

    if starting:
        assert await_start([worker], 5.0, meanwhile=meanwhile) is None
    else:
        assert list(ask_all([worker], {"ask": "refresh"}, 5.0, meanwhile=meanwhile)) == [worker]
    for end in (ours, theirs):
        end.close()


def test_a_worker_that_does_not_answer_is_waited_for_no_longer_than_it_was_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    worker = WorkerHandle(pid=1, row=0, slot=0, generation=1, sock=ours)
    clock = [0.0]
    monkeypatch.setattr(control, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def meanwhile() -> None:
        clock[0] += 0.25

    assert ask_all([worker], {"ask": "refresh"}, 5.0, meanwhile=meanwhile) == {}
    assert clock[0] == 5.0
    for end in (ours, theirs):
        end.close()
