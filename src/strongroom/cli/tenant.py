"""`strongroom tenant`: who shares a server without seeing each other.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_record, print_rows

app = typer.Typer(help="Make, list and show tenants.", rich_markup_mode=None, no_args_is_help=True)

_CONFIGURED = "configured"

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")]


@app.command()
def create(name: NameArgument, data: DataOption = None) -> None:
    """Make a tenant: clients in it see nothing of other tenants, and nobody sees them."""
    made = cast(dict[str, object], administer(data, {"command": "tenant.create", "name": name}))
    print(made["name"])


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List every tenant."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "tenant.list"}))
    columns = {"name": "name", "number": "number", "clients": "clients"}
    print_rows(rows, columns=columns, identifier="name", output=output)


@app.command()
def show(name: NameArgument, data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show a tenant: its clients, groups, policies."""
    record = cast(dict[str, object], administer(data, {"command": "tenant.show", "name": name}))
    print_record(record, unique_identifier=name, output=output)


def _limit(text: str) -> int | None:
    """Return a limit as it is asked for: a number, or None for what the configuration says."""
    if text == _CONFIGURED:
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither a number nor {_CONFIGURED}")
    return int(text)


LimitOption = Annotated[
    list[str],
    typer.Option("--set", metavar="LIMIT=N", help="0: no limit; configured: as in strongroom.toml."),
]


@app.command()
def limit(
    name: NameArgument,
    limits: LimitOption,
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Limit what a tenant may have: objects, client_objects, bytes, connections, requests, streams."""
    wanted: dict[str, object] = {}
    for one in limits:
        limit_, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} is not LIMIT=N")
        wanted[limit_] = _limit(value)
    request: dict[str, object] = {"command": "tenant.limit", "name": name, "limits": wanted}
    record = cast(dict[str, object], administer(data, request))
    print_record(record, unique_identifier=name, output=output)
