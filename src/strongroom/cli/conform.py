"""`strongroom conform`: replay published test cases against a server.

Rule: options and exit codes; what a case is and when it passes is in `conformance`.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.exit import ExitCode, Stop
from strongroom.wire.encodings import Encoding


def conform(
    vectors: Annotated[
        Path,
        typer.Option(metavar="DIR", envvar="STRONGROOM_VECTORS", help="Folder with the test cases (*.xml)."),
    ],
    profile: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Who connects; a second one plays the second client."),
    ] = None,
    version: Annotated[
        list[str] | None, typer.Option(metavar="V", help="Only cases of this KMIP version; repeatable.")
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only cases of this name, such as 'SKLC-*'; repeatable."),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(metavar="OUT", help="Write the report to a .json or .html file; repeatable."),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Listen here for messages that the server sends."),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this to make the server ask its client; it is given --version V and --function F.",
        ),
    ] = None,
    encoding: Annotated[
        Encoding | None,
        typer.Option(help="Send every case over HTTPS in this encoding; without it, as the case says."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for one answer.")] = 30.0,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for dates to pass and for polls to end.")
    ] = 180.0,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every case, and failing steps with their bytes.")
    ] = False,
) -> None:
    """Replay OASIS test cases against any KMIP server.

    Exit code 0 means that every case was played and passed.
    """
    from strongroom.conformance.connection import ServerFault
    from strongroom.conformance.report import BadReport
    from strongroom.conformance.session import InvalidOptions, Options, play

    options = Options(
        vectors=vectors,
        profiles=profile or (),
        versions=version or (),
        cases=case or (),
        reports=report or (),
        endpoint=endpoint,
        prompt=prompt,
        timeout=timeout,
        wait=wait,
        encoding=encoding,
        verbose=verbose,
    )
    try:
        done = play(options, partial(print, flush=True))
    except InvalidOptions as exc:
        raise Stop(str(exc), ExitCode.USAGE) from exc
    except ServerFault as exc:
        raise Stop(str(exc), ExitCode.UNREACHABLE) from exc
    except BadReport as exc:
        raise Stop(str(exc)) from exc
    if not done.conforms:
        raise typer.Exit(ExitCode.FAILURE)
