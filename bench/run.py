"""Print what each kind of request costs, beside PyKMIP's server and a raw TLS echo.

Rule: the servers take turns in each round, so that other load on the machine falls on all of them
alike; medians are printed. A missed target is marked and is no failure: the exit code is 1 only when
requests failed.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import beside, scale, servers, table
from bench.load import Client, Load, LoadFailed, Measurement, Server, build
from bench.servers import ServerFailed
from bench.table import SCENARIOS, Scenario
from strongroom import testing

KEYS_OF_A_RUN = 16
"""What `kmipload` makes before a scenario that needs keys."""


@dataclass(frozen=True, kw_only=True)
class MainTable:
    """The three servers, and how they are measured."""

    load: Load
    rounds: int
    ours: Server
    pykmip: Server
    echo: Server

    def run(self, scenarios: Sequence[Scenario]) -> int:
        """Print a row for each scenario; return how many requests failed."""
        print(table.HEADER, flush=True)
        failures = keys_at_pykmip = 0
        for scenario in scenarios:
            ours: list[Measurement] = []
            pykmip: list[Measurement] = []
            echo: list[Measurement] = []
            for _ in range(self.rounds):
                ours.append(self._measure(self.ours, scenario))
                if scenario.below_pykmip is not None:
                    keys = max(KEYS_OF_A_RUN, scenario.pykmip_keys - keys_at_pykmip)
                    pykmip.append(self._measure(self.pykmip, scenario, options=("--keys", str(keys))))
                    keys_at_pykmip += keys
                echo.append(
                    self.load.measure(
                        self.echo, "echo", connections=scenario.connections, options=scenario.echo_options
                    )
                )
            total = table.combined(ours)
            failures += total.errors
            theirs = table.combined(pykmip) if pykmip else None
            print(table.row(scenario, total, theirs, table.combined(echo)), flush=True)
        return failures

    def _measure(self, server: Server, scenario: Scenario, *, options: Sequence[str] = ()) -> Measurement:
        return self.load.measure(server, scenario.scenario, connections=scenario.connections, options=options)


def running(target: str, folder: Path) -> Server:
    """Return the server that somebody else started: PORT:PID, and what `client enrol` wrote."""
    port, _, pid = target.partition(":")
    client = Client(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    return Server("Strongroom", int(port), int(pid), client)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, a tenth of the keys")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="length of one measurement")
    parser.add_argument("--kmip", default="1.4", help="protocol version of the requests")
    parser.add_argument(
        "--scenarios", default=",".join(s.name for s in SCENARIOS), help="rows of the main table"
    )
    parser.add_argument("--keys", type=int, default=100_000, help="keys of the large store; 0 leaves it out")
    parser.add_argument("--target", metavar="PORT:PID", help="measure this running server instead")
    parser.add_argument("--client", type=Path, metavar="DIR", help="with it: ca.pem, cert.pem and key.pem")
    parsed = parser.parse_args(arguments)
    if (parsed.target is None) != (parsed.client is None):
        parser.error("--target and --client belong together")
    unknown = set(parsed.scenarios.split(",")) - {s.name for s in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if parsed.quick:
        parsed.rounds, parsed.seconds, parsed.keys = 1, 1, parsed.keys // 10
    return parsed


def measure_all(options: argparse.Namespace, folder: Path) -> int:
    build(folder)
    client = servers.make_certificates(folder / "certs")
    load = Load(program=folder / "kmipload", seconds=options.seconds, version=options.kmip)
    chosen = set(options.scenarios.split(","))
    with ExitStack() as stack:
        echo = stack.enter_context(
            servers.echo(folder, program=folder / "tlsecho", certs=folder / "certs", client=client)
        )
        pykmip = stack.enter_context(servers.pykmip(folder / "pykmip", certs=folder / "certs", client=client))
        if options.target:
            ours = running(options.target, options.client)
        else:
            ours = stack.enter_context(servers.strongroom(folder / "strongroom"))
        main_table = MainTable(load=load, rounds=options.rounds, ours=ours, pykmip=pykmip, echo=echo)
        failures = main_table.run([s for s in SCENARIOS if s.name in chosen])
        print(f"\n{table.COMPARISON_HEADER}", flush=True)
        failures += beside.signing(load, ours, rounds=options.rounds)
        large_echo = stack.enter_context(
            servers.echo(
                folder,
                program=folder / "tlsecho",
                certs=folder / "certs",
                client=client,
                answer=beside.MEBIBYTE,
            )
        )
        failures += beside.much_data(load, ours, large_echo, rounds=options.rounds)
    if options.keys and not options.target:
        failures += scale.run(load, folder, rounds=options.rounds, many_keys=options.keys)
    print(f"\n{table.FOOTER}")
    return failures


def main() -> int:
    options = parse(sys.argv[1:])
    # A thousand idle connections need as many descriptors, here and in the load generator.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        try:
            return 1 if measure_all(options, Path(folder)) else 0
        except (LoadFailed, ServerFailed, testing.ServerFailed) as failed:
            print(f"bench: {failed}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
