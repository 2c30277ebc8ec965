"""How the costs change with what the server carries: many keys, idle connections, a second worker.

Rule: each line compares Strongroom with itself, in turns; no other product is involved.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import servers, table
from bench.load import Load, Measurement, Server

FEW_KEYS = 10
IDLE_CONNECTIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scenario on one server, as `kmipload` runs it."""

    server: Server
    scenario: str
    connections: int = 8
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`burdened` may cost at most `target` times what `base` costs."""

    title: str
    unit: str
    cost: Callable[[Measurement], float]
    target: float
    base: Case
    burdened: Case


def cpu(measured: Measurement) -> float:
    return measured.cpu_us


def p99(measured: Measurement) -> float:
    return measured.p99_us


def fill(load: Load, server: Server, keys: int, names: Path) -> None:
    """Create `keys` keys through the server, as a client does, and note them in `names`."""
    load.measure(server, "create", connections=64, options=("--count", str(keys), "--uids-out", str(names)))


def first_of(names: Path, count: int) -> Path:
    """Return a file with the first lines of another, beside it."""
    some = names.with_name(f"{names.name}-{count}")
    some.write_text("".join(names.read_text().splitlines(keepends=True)[:count]))
    return some


def comparisons(
    *, one: Server, two: Server, large: Server, names: Path, many_keys: int
) -> tuple[Comparison, ...]:
    """Return what to measure: servers with one and two workers, and one that holds `many_keys`."""
    few = Case(server=one, scenario="locate", options=("--keys", str(FEW_KEYS)))
    return (
        *(
            Comparison(
                title=f"Locate by name, CPU: {asked} of {many_keys:,} keys against {FEW_KEYS} of {FEW_KEYS}",
                unit="us",
                cost=cpu,
                target=1.5,
                base=few,
                burdened=Case(server=large, scenario="locate", options=("--uids-in", str(some))),
            )
            # The second is for answers that are made, where those of the few keys are remembered.
            for asked, some in ((str(FEW_KEYS), first_of(names, FEW_KEYS)), ("any", names))
        ),
        Comparison(
            title=f"Get, p99: {IDLE_CONNECTIONS:,} idle connections beside it",
            unit="us",
            cost=p99,
            target=1.5,
            base=Case(server=one, scenario="get"),
            burdened=Case(server=one, scenario="get", options=("--idle", str(IDLE_CONNECTIONS))),
        ),
        Comparison(
            title="Get, CPU: two workers against one, 32 connections",
            unit="us",
            cost=cpu,
            target=1.15,
            base=Case(server=one, scenario="get", connections=32),
            burdened=Case(server=two, scenario="get", connections=32),
        ),
    )


def run(load: Load, folder: Path, *, rounds: int, many_keys: int) -> int:
    """Print a line for each comparison and the memory in use; return how many requests failed."""
    print(f"\n{table.COMPARISON_HEADER}", flush=True)
    failures = 0
    with ExitStack() as stack:
        one, two, large = (
            stack.enter_context(servers.strongroom(folder / name, workers=workers))
            for name, workers in (("one", 1), ("two", 2), ("large", 1))
        )
        names = folder / "names"
        fill(load, large, many_keys, names)
        for item in comparisons(one=one, two=two, large=large, names=names, many_keys=many_keys):
            rows: dict[Case, list[Measurement]] = {item.base: [], item.burdened: []}
            for _ in range(rounds):
                for case, measured in rows.items():
                    measured.append(
                        load.measure(
                            case.server, case.scenario, connections=case.connections, options=case.options
                        )
                    )
            base, burdened = table.combined(rows[item.base]), table.combined(rows[item.burdened])
            failures += base.errors + burdened.errors
            print(
                table.comparison(item.title, item.unit, item.cost(base), item.cost(burdened), item.target),
                flush=True,
            )
        resident = load.measure(large, "discover", connections=8).rss_mib
        print(
            f"Resident with {many_keys:,} keys, all processes together: {resident:.0f} MiB (a worker <= 120)"
        )
    return failures
