"""`strongroom person`: who administers, and as what.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.grant import listed
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(help="Say who administers, and as what.", rich_markup_mode=None, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person's name.")]
RoleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--role", metavar="R[,R...]", help="administrator, operator, auditor or approver; repeatable."
    ),
]
ClientOption = Annotated[
    list[str] | None,
    typer.Option("--client", metavar="CLIENT", help="A client that is theirs; repeatable."),
]


@app.command()
def add(
    name: NameArgument, role: RoleOption = None, client: ClientOption = None, data: DataOption = None
) -> None:
    """Name a person who may administer with their own clients."""
    request: dict[str, object] = {
        "command": "person.add",
        "name": name,
        "roles": listed(role or []),
        "clients": client or [],
    }
    print(cast(dict[str, object], administer(data, request))["name"])


@app.command("set")
def set_(
    name: NameArgument,
    role: RoleOption = None,
    client: ClientOption = None,
    without_role: Annotated[
        list[str] | None, typer.Option("--without-role", metavar="R[,R...]", help="Take a role away.")
    ] = None,
    without_client: Annotated[
        list[str] | None, typer.Option("--without-client", metavar="CLIENT", help="Take a client away.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Give a person roles and clients, or take them away."""
    request: dict[str, object] = {
        "command": "person.set",
        "name": name,
        "roles": listed(role or []),
        "clients": client or [],
        "without_roles": listed(without_role or []),
        "without_clients": without_client or [],
    }
    administer(data, request)


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the people who administer."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "person.list"}))
    columns = {"name": "name", "roles": "roles", "clients": "clients"}
    print_rows(rows, columns=columns, identifier="name", output=output)


@app.command()
def remove(name: NameArgument, data: DataOption = None) -> None:
    """Take a person all roles; their clients stay enrolled."""
    administer(data, {"command": "person.remove", "name": name})
