"""`strongroom tenant`: who shares a server without seeing each other.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_record, print_rows

app = typer.Typer(help="Make, list and show tenants.", rich_markup_mode=None, no_args_is_help=True)

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
