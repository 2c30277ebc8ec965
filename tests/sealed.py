"""Servers whose root key somebody has to bring, as their users run them.

Rule: as in `strongroom.testing`, which these extend: another process, real TLS, a store on disk.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from strongroom import testing
from tests import preloaded

PASSPHRASE: Final = "correct horse battery staple"
START_WITHIN: Final = 60.0


class Vault(testing.Server):
    """A server on a data directory that `init` has made with these options, not started yet."""

    def __init__(
        self, folder: Path, *init: str, workers: int = 1, command: Sequence[str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        known = {} if command is None else {"command": command}
        super().__init__(folder, options=["--workers", str(workers)], **known)
        self.passphrase_file = secret_file(folder / "passphrase", PASSPHRASE)
        self.shares = folder / "shares"
        self.kit = folder / "kit"
        self.run("init", str(self.directory), *init)

    def start_sealed(self) -> None:
        """Start it and return once it answers; it must not be ready."""
        where = ["--listen", self.address or "127.0.0.1:0", "--https", "off"]
        with self.log.open("ab") as log:
            process = preloaded.Popen(
                [*self._command, "serve", str(self.directory), *where, *self._options],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._process = process  # type: ignore[assignment]
        give_up = time.monotonic() + START_WITHIN
        while self.on("status").returncode:
            assert time.monotonic() < give_up, self.log_text()
            assert process.poll() is None, self.log_text()
            time.sleep(0.1)
        assert not self.said_ready(0.0)

    def said_ready(self, within: float = 60.0) -> bool:
        """Tell whether the ready line comes, and take the address from it."""
        assert self.process.stdout is not None
        if not preloaded.readable(self.process.stdout, within):
            return False
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.address = dict(part.split("=", 1) for part in line.split()[1:])["kmip"]
        return True

    def on(self, *verb: str) -> "subprocess.CompletedProcess[str]":
        """Run `strongroom server VERB ... --data DIR -o json` to its end."""
        return self.try_run("server", *verb, "--data", str(self.directory), "-o", "json")

    def ok(self, *verb: str) -> dict[str, Any]:
        """Run it and return what it printed."""
        done = self.on(*verb)
        assert done.returncode == 0, done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def status(self) -> dict[str, Any]:
        return self.ok("status")

    def share(self, number: int) -> Path:
        """Return the file of a share that `init` or `rotate` wrote."""
        return self.shares / f"share-{number}.txt"

    def unseal(self, *numbers: int) -> dict[str, Any]:
        """Bring shares."""
        return self.ok("unseal", *(f"--share={self.share(number)}" for number in numbers))


def secret_file(path: Path, content: str) -> Path:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(content)
    return path
