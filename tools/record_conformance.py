"""Record in `data/conformance.json` which OASIS test cases pass on the server of this tree.

`python tools/record_conformance.py` plays every case of the folder (STRONGROOM_VECTORS, or
`../shared/kmip/oasis`) once, those of each version on a new server whose policy lets 3DES and the like be
used, as some cases do; some cases wait for a date to pass, so the versions are played side by side. The file
changes only when a result does: what differs from run to run is taken out of the reasons, and the date stays
that of the run that first gave these results.
"""

import argparse
import json
import os
import re
import shlex
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from strongroom import testing
from strongroom.conformance.results import CaseResult
from strongroom.conformance.session import Options, play
from strongroom.registry import VERSIONS, Version

ROOT = Path(__file__).resolve().parent.parent

RECORD: Final = ROOT / "data" / "conformance.json"
VECTORS: Final = Path(os.environ.get("STRONGROOM_VECTORS", ROOT.parent / "shared" / "kmip" / "oasis"))
FORMAT: Final = "strongroom-conformance-record-1"

SETTINGS: Final[dict[str, dict[str, object]]] = {"policy": {"legacy": "on"}}
"""What is not as `init` leaves it, beside the endpoint of the first client; docs/conformance.md says so."""

AT_ONCE: Final = 4
"""Versions that are played at the same time."""

CHANGING: Final = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "(identifier)"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+]00:00|Z)?"), "(time)"),
    (re.compile(r"\b[0-9a-f]{24,}\b(\.\.\. \(\d+ bytes\))?"), "(bytes)"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "(server)"),
)
"""What another run makes different, and what stands for it."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Record which OASIS test cases pass.")
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="folder of the cases")
    arguments = parser.parse_args()
    if not arguments.vectors.is_dir():
        print(f"there is no folder {arguments.vectors}; set STRONGROOM_VECTORS", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        plays = pool.map(lambda version: played(arguments.vectors, version), VERSIONS)
        results = {result.name: result for run in plays for result in run}
    cases = sorted(
        (entry(result) for result in results.values()), key=lambda row: (row["version"], row["name"])
    )
    print(f"wrote {RECORD.name}" if record(cases) else f"{RECORD.name} is current")
    return 0


def played(vectors: Path, version: Version) -> list[CaseResult]:
    """Return what came of the cases of a version, and of the files that tell none."""
    endpoint = free_address()
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-") as folder,
        testing.server(Path(folder), settings=SETTINGS | told(endpoint)) as server,
    ):
        options = Options(
            vectors=vectors,
            profiles=[server.profile],
            versions=[str(version)],
            endpoint=endpoint,
            prompt=shlex.join(ask(server)),
        )
        done = play(options, lambda text: print(text, flush=True))
    return [result for result in done.results if result.version in (version, None)]


def told(endpoint: str) -> dict[str, dict[str, object]]:
    """Return the settings that make the server tell the first client of its objects, at this endpoint."""
    return {f"client.{testing.CLIENT}": {"endpoint": endpoint, "put": "on", "notify": "on"}}


def ask(server: testing.Server) -> list[str]:
    """Return the command that makes the server ask the first client."""
    command = [sys.executable, "-m", "strongroom.cli", "client", "ask", testing.CLIENT]
    return [*command, "--data", str(server.directory)]


def free_address() -> str:
    """Return a HOST:PORT of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host, port = probe.getsockname()
    return f"{host}:{port}"


def entry(result: CaseResult) -> dict[str, Any]:
    """Return the row of one case; `why` is the first failing step, or why it was not played."""
    row: dict[str, Any] = {
        "name": result.name,
        "profile": result.family,
        "version": str(result.version),
        "outcome": result.outcome.value,
    }
    if result.failure is not None:
        failure = result.failure
        row["why"] = lasting(f"step {failure.step} ({failure.operations}): {failure.reason}")
    elif result.reason is not None:
        row["why"] = lasting(result.reason)
    return row


def lasting(text: str) -> str:
    """Return a reason as the next run will give it, on one line."""
    for pattern, stand_in in CHANGING:
        text = pattern.sub(stand_in, text)
    return " ".join(text.split())


def record(cases: list[dict[str, Any]]) -> bool:
    """Write the rows, one a line, unless the file holds them; tell whether it was written."""
    if RECORD.exists() and json.loads(RECORD.read_text())["cases"] == cases:
        return False
    head = {"format": FORMAT, "recorded": datetime.now(UTC).date().isoformat()}
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in cases)
    RECORD.write_text(f'{json.dumps(head)[:-1]},\n "cases": [\n{lines}\n]}}\n')
    return True


if __name__ == "__main__":
    sys.exit(main())
