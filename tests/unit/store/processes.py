"""The writer process of an SQLite store, as the supervisor would start it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import resource, sys
from pathlib import Path
from strongroom.store import writer
if sys.argv[3] != "-":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
writer.serve(Path(sys.argv[1]), Path(sys.argv[2]), ready=lambda: print("ready", flush=True))
"""


class WriterProcess:
    """A writer in a process of its own; `file_size` limits what it may write, as a full disk would."""

    def __init__(self, database: Path, address: Path, *, file_size: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, database, address, "-" if file_size is None else str(file_size)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    @property
    def pid(self) -> int:
        return self._process.pid

    def lift_limit(self) -> None:
        """Give it all the space there is."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self._process.send_signal(how)
        code = self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
