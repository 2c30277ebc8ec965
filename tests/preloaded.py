"""Processes of the program without the second in which Python loads it: what tests start a thousand times.

Rule: `python -m MODULE ...` is a fork of a process that has imported the program and has done nothing else.
It gets arguments, environment, folder and files as a new process does, and ends as one. What is about the
process itself, its memory or how it is loaded, is tested with real ones (`subprocess`).
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from subprocess import DEVNULL, PIPE, CompletedProcess, TimeoutExpired
from typing import IO, Any, Final

MODULES: Final = (
    "alembic.command",
    "strongroom.cli.administration",
    "strongroom.cli.backup",
    "strongroom.cli.client",
    "strongroom.cli.init",
    "strongroom.cli.main",
    "strongroom.cli.server",
    "strongroom.rootkey.making",
    "strongroom.server.app",
    "strongroom.server.application",
    "strongroom.server.audit_reading",
    "strongroom.server.clients.enrolment",
    "strongroom.server.installation",
    "strongroom.server.access.rehearsal",
    "strongroom.server.processes.supervisor",
    "strongroom.store.migrate",
    "strongroom.store.postgres",
    "strongroom.store.schema",
    "typer._adapters",
)
"""Imported in advance, with all that they need themselves."""

LARGEST: Final = 1 << 17
"""Bytes of a request: arguments and environment."""


def readable(file: socket.socket | IO[str], timeout: float | None) -> bool:
    """Tell whether there is something to read within so many seconds, however many files are open."""
    looking = select.poll()
    looking.register(file, select.POLLIN)
    return bool(looking.poll(None if timeout is None else timeout * 1000))


class Popen:
    """A process that runs, with what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: int = DEVNULL,
        stdout: int | IO[Any] = DEVNULL,
        stderr: int | IO[Any] = DEVNULL,
        text: bool = True,
    ) -> None:
        assert list(arguments[:2]) == [sys.executable, "-m"], arguments
        assert stdin == DEVNULL
        assert text
        self.args = list(arguments)
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        nothing = os.open(os.devnull, os.O_RDWR)
        given = [nothing if file == DEVNULL else file for file in (stdin, stdout, stderr)]
        writing: int | None = None
        if stdout == PIPE:
            reading, writing = os.pipe()
            self.stdout = os.fdopen(reading, encoding="utf-8")
            given[1] = writing
        self._line, theirs = socket.socketpair()
        files = [file if isinstance(file, int) else file.fileno() for file in given]
        request = {"arguments": self.args[2:], "environment": dict(env), "folder": os.getcwd()}
        socket.send_fds(_loaded(), [json.dumps(request).encode()], [theirs.fileno(), *files])
        theirs.close()
        for file in (nothing, writing):
            if file is not None:
                os.close(file)
        self._said = self._line.makefile()
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        if self.returncode is None and readable(self._line, 0.0):
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises TimeoutExpired."""
        if self.returncode is None:
            if not readable(self._line, timeout):
                raise TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(self._said.readline())
            self._said.close()
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float,
    capture_output: bool = True,
    text: bool = True,
    check: bool = False,
) -> "CompletedProcess[str]":
    """Run a command to its end, as `subprocess.run` does; raises TimeoutExpired."""
    assert (capture_output, text, check) == (True, True, False)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        process = Popen(arguments, env=env, stdout=out, stderr=error)
        try:
            code = process.wait(timeout)
        except TimeoutExpired:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        error.seek(0)
        return CompletedProcess(process.args, code, out.read(), error.read())


@functools.cache
def _loaded() -> socket.socket:
    """Return the line to the process that has everything loaded, which ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
            stdin=DEVNULL,
            stdout=DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# What follows runs in the process that has everything loaded, and in its forks.


def _become_a_command(asked: socket.socket) -> str:
    """Fork for each request; return in a fork, which is the new process by then, the module to be run."""
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, files, _, _ = socket.recv_fds(asked, LARGEST, 4)
        if not data:
            sys.exit()
        if not os.fork():
            break
        for file in files:
            os.close(file)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line, *files = files
    process = os.fork()
    if process:
        _wait_for(process, line)
    signal.signal(signal.SIGINT, interrupt)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, line + len(files) + 1)
    request = json.loads(data)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    module, *sys.argv[1:] = request["arguments"]
    return str(module)


def _wait_for(process: int, line: int) -> None:
    """Tell who asked which process it is, and how it has ended."""
    with socket.socket(fileno=line) as told:
        told.sendall(f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        told.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    runpy.run_module(
        _become_a_command(socket.socket(fileno=int(sys.argv[1]))), run_name="__main__", alter_sys=True
    )
