"""What is measured, what is aimed at, and how a row is printed.

Rule: pure data and text; the targets are those of the design and are never asserted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.load import Measurement


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row: at least `below_pykmip` times cheaper, at most `over_echo` times the echo's cost."""

    name: str  # how the command line calls the row
    title: str
    scenario: str  # how kmipload calls what it sends
    below_pykmip: float | None
    over_echo: float
    connections: int = 8
    echo_options: tuple[str, ...] = ()
    pykmip_keys: int = 0  # the cost of PyKMIP's Locate grows with its store; fill it up to this first


SCENARIOS: Final = (
    Scenario(name="discover", title="Discover Versions", scenario="discover", below_pykmip=25, over_echo=4),
    Scenario(name="query", title="Query", scenario="query", below_pykmip=25, over_echo=4),
    Scenario(name="get", title="Get", scenario="get", below_pykmip=60, over_echo=4.5),
    Scenario(name="getattrs", title="Get Attributes", scenario="getattrs", below_pykmip=60, over_echo=6),
    Scenario(
        name="locate",
        title="Locate by name",
        scenario="locate",
        below_pykmip=400,
        over_echo=6,
        pykmip_keys=100,
    ),
    Scenario(name="encrypt", title="Encrypt 64 B", scenario="encrypt", below_pykmip=50, over_echo=5),
    Scenario(name="create", title="Create, durable", scenario="create", below_pykmip=15, over_echo=30),
    Scenario(
        name="create64",
        title="... 64 connections",
        scenario="create",
        below_pykmip=None,
        over_echo=20,
        connections=64,
    ),
    Scenario(
        name="handshake",
        title="handshake + Get",
        scenario="handshake",
        below_pykmip=3,
        over_echo=1.35,
        echo_options=("--reconnect",),
    ),
)

HEADER: Final = (
    f"{'':18s} {'server CPU, us a request':^26s} {'Strongroom':^25s} {'':>4s}\n"
    f"{'':18s} {'Strongr.':>8s} {'PyKMIP':>8s} {'echo':>8s} {'req/s':>8s} {'p50 us':>8s} {'p99 us':>8s}"
    f"  {'below PyKMIP':17s} {'over echo':17s}"
)
COMPARISON_HEADER: Final = f"{'Strongroom beside itself':58s} {'without':>8s} {'with':>8s}"
FOOTER: Final = "! marks a target that this run did not reach."


def combined(rows: Sequence[Measurement]) -> Measurement:
    """Return the median of each number over several runs; errors are added up."""
    return Measurement(
        cpu_us=median(row.cpu_us for row in rows),
        rate=median(row.rate for row in rows),
        p50_us=median(row.p50_us for row in rows),
        p99_us=median(row.p99_us for row in rows),
        rss_mib=median(row.rss_mib for row in rows),
        errors=sum(row.errors for row in rows),
        first_error=next((row.first_error for row in rows if row.errors), ""),
    )


def at_least(ratio: float, target: float) -> str:
    return f"{' ' if ratio >= target else '!'}{ratio:6.1f}x (>= {target:g})"


def at_most(ratio: float, target: float) -> str:
    return f"{' ' if ratio <= target else '!'}{ratio:6.2f}x (<= {target:g})"


def row(scenario: Scenario, ours: Measurement, pykmip: Measurement | None, echo: Measurement) -> str:
    """Return one line of the table; `pykmip` is None where no comparison is aimed at."""
    theirs, below = "-", ""
    if pykmip is not None and scenario.below_pykmip is not None:
        theirs, below = f"{pykmip.cpu_us:.0f}", at_least(pykmip.cpu_us / ours.cpu_us, scenario.below_pykmip)
    over = at_most(ours.cpu_us / echo.cpu_us, scenario.over_echo)
    failed = f"  {ours.errors} failed: {ours.first_error}" if ours.errors else ""
    return (
        f"{scenario.title:18s} {ours.cpu_us:8.1f} {theirs:>8s} {echo.cpu_us:8.1f} {ours.rate:8.0f}"
        f" {ours.p50_us:8.0f} {ours.p99_us:8.0f}  {below:17s} {over:17s}{failed}"
    )


def delay(title: str, base: float, other: float, target: float) -> str:
    """Return one line that sets a time under some burden beside the time without it, in microseconds."""
    mark = " " if other - base <= target else "!"
    return f"{title:58s} {base:8.1f} {other:8.1f} us     {mark}{other - base:+8.0f} (<= {target:+.0f})"


def comparison(title: str, unit: str, base: float, other: float, target: float) -> str:
    """Return one line that sets a cost under some burden beside the cost without it."""
    ratio = at_most(other / base, target)
    return f"{title:58s} {base:8.1f} {other:8.1f} {unit:6s} {ratio}"
