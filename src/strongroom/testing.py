"""A throw-away key manager for tests, of this project and of others.

Rule: it is the real server, run as its users run it: another process, real TLS, a store on disk. Nothing of
it is imported here, so that a test may use it beside any client.

    from strongroom import Client, testing

    with testing.server() as server, Client.from_profile(server.profile) as client:
        ...

The pytest plugin (`strongroom.pytest_plugin`) offers the same as the fixture `strongroom_server`.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import strongroom

START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 15.0
CLIENT: Final = "test"

_COMMAND: Final = (sys.executable, "-m", "strongroom.cli")


class ServerFailed(Exception):
    """The server did not do what was asked; the message ends with what it said."""


class Server:
    """A server on a data directory, running or not. Made by `server`."""

    def __init__(
        self, folder: Path, *, options: Sequence[str] = (), command: Sequence[str] = _COMMAND
    ) -> None:
        self.folder = folder
        self.directory = folder / "data"
        self.log = folder / "server.log"
        self.address = ""
        """Where KMIP over TLS is, as HOST:PORT; known once it has started."""
        self.https_address = ""
        """Where KMIP over HTTPS is."""
        self._options = tuple(options)
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None

    @property
    def profile(self) -> Path:
        """Return the profile of the client that was enrolled at the start."""
        return self.folder / CLIENT / "profile.toml"

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def process(self) -> subprocess.Popen[str]:
        """Return the running process; raises ServerFailed when there is none."""
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process

    def run(self, *arguments: str) -> str:
        """Run a `strongroom` command and return what it printed; raises ServerFailed when it fails."""
        done = self.try_run(*arguments)
        if done.returncode:
            raise ServerFailed(f"strongroom {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def try_run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a `strongroom` command to its end, whatever that is."""
        return subprocess.run(  # noqa: S603 (our own program)
            [*self._command, *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
        )

    def enrol(
        self,
        name: str,
        *,
        groups: Sequence[str] = (),
        username: str | None = None,
        password: str | None = None,
    ) -> Path:
        """Enrol another client and return its profile."""
        out = self.folder / name
        arguments = ["client", "enrol", name, "--data", str(self.directory), "--out", str(out)]
        for group in groups:
            arguments += ["--group", group]
        if username is not None:
            file = self.folder / f"{name}.password"
            file.touch(mode=0o600)
            file.write_text(password or "")
            arguments += ["--username", username, "--password-file", str(file)]
        self.run(*arguments)
        return out / "profile.toml"

    def start(self) -> None:
        """Start the server and wait until it accepts; raises ServerFailed.

        It keeps its ports over a restart.
        """
        free = "127.0.0.1:0"
        where = ["--listen", self.address or free, "--https", self.https_address or free]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                [*self._command, "serve", str(self.directory), *where, *self._options],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        saying = select.poll()
        saying.register(self._process.stdout, select.POLLIN)
        line = self._process.stdout.readline() if saying.poll(START_TIMEOUT * 1000) else ""
        if not line.startswith("ready "):
            self.kill()
            raise ServerFailed(f"the server did not start:\n{self.log_text()[-2000:]}")
        ready = dict(part.split("=", 1) for part in line.split()[1:])
        self.address, self.https_address = ready.get("kmip", ""), ready.get("https", "")

    def stop(self) -> int:
        """Send SIGTERM, wait for the end and return the exit code; raises TimeoutExpired."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.process.kill()
        self._ended()

    def log_text(self) -> str:
        """Return what the server has logged so far, over all its starts."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def wait_for_log(self, text: str, *, timeout: float = 60.0) -> None:
        """Return once `text` is in the log; raises ServerFailed."""
        give_up = time.monotonic() + timeout
        while text not in self.log_text():
            if time.monotonic() > give_up:
                raise ServerFailed(f"{text!r} is not in the log:\n{self.log_text()[-2000:]}")
            time.sleep(0.02)

    def _ended(self) -> int:
        process = self.process
        code = process.wait(STOP_TIMEOUT)
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def _environment(self) -> dict[str, str]:
        # The same Strongroom that is imported here, installed or not; and no traces in the user's home.
        path = os.pathsep.join([str(Path(strongroom.__file__).parents[1]), *sys.path])
        return {**os.environ, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(self.folder / "config")}


@contextmanager
def server(
    folder: Path | None = None,
    *,
    workers: int = 1,
    store: str | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    command: Sequence[str] = _COMMAND,
) -> Iterator[Server]:
    """Run a server with one enrolled client until the block ends.

    `folder` keeps its files; None means a temporary one. `store` is a store URL, None for SQLite. `settings`
    are sections of the configuration file.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-")))
        folder.mkdir(parents=True, exist_ok=True)
        made = Server(folder, options=["--workers", str(workers)], command=command)
        made.run("init", str(made.directory), *(["--store", store] if store is not None else []))
        with (made.directory / "strongroom.toml").open("a", encoding="utf-8") as file:
            file.write(_sections(settings or {}))
        made.start()
        try:
            made.enrol(CLIENT)
            yield made
        finally:
            if made._process is not None:
                try:
                    made.stop()
                except subprocess.TimeoutExpired:
                    made.kill()


def _sections(settings: Mapping[str, Mapping[str, object]]) -> str:
    lines = []
    for name, section in settings.items():
        lines += ["", f"[{name}]"]
        lines += [f'{key} = "{v}"' if isinstance(v, str) else f"{key} = {v}" for key, v in section.items()]
    return "\n".join([*lines, ""])
