"""`strongroom server ca`: the authorities that issue clients and the server's own certificate.

Rule: options and printing. A live server on this machine is told to load what has changed before the command
returns.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer, is_here
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(help="The internal authorities.", rich_markup_mode=None, no_args_is_help=True)

_COLUMNS = {
    "authority": "authority",
    "name": "name",
    "state": "state",
    "server": "server",
    "clients": "clients",
    "ends": "ends_at",
}


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the authorities that are trusted.

    The current one issues clients. The one marked as the server's has issued the server's own certificate.
    """
    _print(administer(data, {"command": "server.ca.list"}), output)


@app.command()
def rotate(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Make a new authority beside the old one; both are trusted until the old one is retired."""
    _print(_changed(data, {"command": "server.ca.rotate"}), output)


@app.command()
def retire(
    authority: Annotated[
        str, typer.Argument(metavar="AUTHORITY", help="Its identity, or the beginning of it.")
    ],
    data: DataOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if clients still have certificates of it.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Trust an older authority no more; its key is destroyed."""
    request = {"command": "server.ca.retire", "authority": authority, "force": force}
    _print(_changed(data, request), output)


def _changed(data: Path | None, request: dict[str, object]) -> object:
    found = cast(list[dict[str, object]], administer(data, request))
    # From elsewhere nobody is told: the server looks for itself, every 15 seconds.
    if data is not None and is_here(data) and any(one["live"] for one in found):
        administer(data, {"command": "reload"})
    return found


def _print(found: object, output: Output) -> None:
    print_rows(cast(list[dict[str, object]], found), columns=_COLUMNS, identifier="authority", output=output)
