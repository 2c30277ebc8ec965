"""`strongroom conform`: replay published test cases against a server.

Rule: options, exit codes and printing; what a case is and when it passes is in `conformance`.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from strongroom.client.address import parse_address
from strongroom.client.errors import InvalidSettings
from strongroom.conformance.cases import load, version_in_name, with_predecessors
from strongroom.conformance.connection import ServerFault, TlsChannel
from strongroom.conformance.endpoint import Endpoint
from strongroom.conformance.player import Settings
from strongroom.conformance.report import BadReport, check_path, print_result, print_summary, write
from strongroom.conformance.results import CaseResult
from strongroom.conformance.runner import Bench, run
from strongroom.conformance.target import BadProfile, Target, load_target
from strongroom.registry.versions import Version, parse_version

_FAILED = 1
_USAGE = 2
_UNREACHABLE = 6


def conform(
    *,
    profile: Annotated[
        list[Path],
        typer.Option(envvar="STRONGROOM_PROFILE", help="Who connects; a second one plays the second client."),
    ],
    vectors: Annotated[
        Path, typer.Option(envvar="STRONGROOM_VECTORS", help="Folder with the test cases (*.xml).")
    ],
    version: Annotated[
        list[str] | None, typer.Option(help="Only cases of this KMIP version (1.0 to 3.0); repeatable.")
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option(help="Only cases of this name, such as 'SKLC-*'; repeatable.")
    ] = None,
    report: Annotated[
        list[Path] | None, typer.Option(help="Write the report to a .json or .html file; repeatable.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Listen here for messages that the server sends (Put, Notify, Query)."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for one answer.")] = 30.0,
    wait: Annotated[float, typer.Option(help="Seconds to wait for dates to pass and polls to end.")] = 180.0,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every case, and failing steps with their bytes.")
    ] = False,
) -> None:
    """Replay OASIS test cases against any KMIP server.

    Exit code 0: every case was played and passed; 1: not so; 2: the options are wrong; 6: no server answers.
    """
    console = Console(soft_wrap=True)
    try:
        targets = [load_target(path) for path in profile]
        chosen = [parse_version(text) for text in version or ()]
        for path in report or ():
            check_path(path)
        listening = parse_address(endpoint) if endpoint is not None else None
    except (BadProfile, BadReport, InvalidSettings, ValueError) as exc:
        _stop(str(exc), _USAGE)
    if len(targets) > 2:
        _stop("at most two profiles can be given", _USAGE)
    if not vectors.is_dir():
        _stop(f"there is no folder {vectors}", _USAGE)
    cases, unreadable = load(vectors)
    fitting = [entry for entry in cases if _fits(entry.name, entry.version, chosen, case)]
    bad = [entry for entry in unreadable if _fits(entry.name, version_in_name(entry.name), chosen, case)]
    if not fitting and not bad:
        _stop(f"no case in {vectors} fits the options", _USAGE)
    _reach(targets[0], timeout)

    def show(result: CaseResult) -> None:
        print_result(result, console, verbose=verbose)

    listener = Endpoint(targets[0], listening, timeout=timeout) if listening is not None else None
    try:
        done = run(
            with_predecessors(fitting, cases),
            bad,
            Bench(
                first=targets[0],
                second=targets[1] if len(targets) > 1 else None,
                settings=Settings(timeout=timeout, longest_wait=wait),
                listener=listener,
            ),
            vectors=str(vectors),
            on_result=show,
        )
    finally:
        if listener is not None:
            listener.close()
    print_summary(done, console)
    try:
        for path in report or ():
            write(done, path)
    except BadReport as exc:
        _stop(str(exc), _FAILED)
    if not done.conforms:
        raise typer.Exit(_FAILED)


def _fits(name: str, version: Version | None, chosen: list[Version], globs: list[str] | None) -> bool:
    """Tell whether a case is asked for; one whose version is not known fits any."""
    return (not chosen or version is None or version in chosen) and (
        not globs or any(fnmatchcase(name, glob) for glob in globs)
    )


def _reach(target: Target, timeout: float) -> None:
    """Stop with one plain line if no server answers at all, before every case says so."""
    channel = TlsChannel(target, timeout=timeout)
    try:
        channel.connect()
    except ServerFault as exc:
        _stop(str(exc), _UNREACHABLE)
    finally:
        channel.close()


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"strongroom conform: {message}", err=True)
    raise typer.Exit(code)
