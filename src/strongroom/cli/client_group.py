"""`strongroom client group`: which groups a client is in.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated

import typer

from strongroom.cli.administration import DataOption, administer

app = typer.Typer(
    help="Put clients into groups, which rules may grant something to.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The client's name.")]
GroupsArgument = Annotated[list[str], typer.Argument(metavar="GROUP...", help="The groups.")]


@app.command()
def add(name: NameArgument, groups: GroupsArgument, data: DataOption = None) -> None:
    """Put a client into groups."""
    administer(data, {"command": "client.group", "name": name, "add": groups, "remove": []})


@app.command()
def remove(name: NameArgument, groups: GroupsArgument, data: DataOption = None) -> None:
    """Take a client out of groups; in force at once, on live connections too."""
    administer(data, {"command": "client.group", "name": name, "add": [], "remove": groups})
