"""The load generator: builds the two C programs and runs one measurement.

Rule: knows nothing of which servers there are or of how their numbers compare.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent


class Client(NamedTuple):
    """PEM files of one client, and of the CA that it trusts."""

    ca: Path
    cert: Path
    key: Path


class Server(NamedTuple):
    """A server on loopback; what `pid` and its descendants use is what a request costs."""

    name: str
    port: int
    pid: int
    client: Client


class LoadFailed(Exception):
    """The load generator could not run at all, or no request of it succeeded."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run; `cpu_us` is server CPU in microseconds per request, user and system."""

    cpu_us: float
    rate: float
    p50_us: float
    p99_us: float
    rss_mib: float
    errors: int
    first_error: str


def build(folder: Path) -> None:
    """Compile `kmipload` and `tlsecho` into `folder`; installs the compiler where root may."""
    subprocess.run([HERE.parent / "tools" / "debian.sh", "gcc", "libc6-dev", "libssl-dev"], check=True)
    for name in ("kmipload", "tlsecho"):
        source = HERE / f"{name}.c"
        subprocess.run(
            ["gcc", "-O2", "-Wall", "-Wextra", "-o", folder / name, source, "-lssl", "-lcrypto", "-lpthread"],
            check=True,
        )


@dataclass(frozen=True, kw_only=True)
class Load:
    """How `kmipload` is run; `version` is the KMIP version of its requests."""

    program: Path
    seconds: float
    version: str

    def measure(
        self, server: Server, scenario: str, *, connections: int, options: Sequence[str] = ()
    ) -> Measurement:
        """Run `scenario` against `server` for the set time.

        Raises LoadFailed if nothing could be measured; single failed requests are counted in `errors`.
        """
        arguments = [str(self.program), "--scenario", scenario, "--port", str(server.port)]
        arguments += ["--server-pid", str(server.pid), "--connections", str(connections)]
        arguments += ["--ca", str(server.client.ca), "--cert", str(server.client.cert)]
        arguments += ["--key", str(server.client.key), "--kmip", self.version, "--json"]
        arguments += ["--seconds", str(self.seconds), *options]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise LoadFailed(f"{scenario} against {server.name}: {done.stderr.strip()}")
        row = json.loads(done.stdout)
        if not row["requests"]:
            raise LoadFailed(f"{scenario} against {server.name}: no request succeeded: {row['first_error']}")
        return Measurement(
            cpu_us=row["cpu_us_per_req"],
            rate=row["rps"],
            p50_us=row["p50_us"],
            p99_us=row["p99_us"],
            rss_mib=row["rss_mb"],
            errors=row["errors"],
            first_error=row["first_error"],
        )
