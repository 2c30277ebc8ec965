"""`strongroom hold`: what nobody may destroy, whatever their rights.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(help="Put objects under a legal hold.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def add(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is shown in the list.")],
    unique_identifier: Annotated[
        str | None, typer.Argument(metavar="ID", help="The Unique Identifier of an object.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="G", help="Hold every object of this Object Group instead.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="The tenant it is in. [default: default]")
    ] = None,
    data: DataOption = None,
) -> None:
    """Hold an object, or all of a group, those that come into it later included.

    Nobody can destroy or replace it, or take it out of the group, until every hold on it is removed.
    """
    request: dict[str, object] = {
        "command": "hold.add",
        "unique_identifier": unique_identifier,
        "group": group,
        "tenant": tenant,
        "reason": reason,
    }
    placed = cast(dict[str, object], administer(data, request))
    reached = placed["reached"]
    while reached is not None:  # a large group takes more than one answer
        further = {"command": "hold.overtake", "group": group, "tenant": tenant, "after": reached}
        reached = cast(dict[str, object], administer(data, further))["reached"]
    print(placed["hold"])


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List every hold, with its reason."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "hold.list"}))
    columns = {
        "hold": "hold",
        "tenant": "tenant",
        "object": "unique_identifier",
        "group": "group",
        "reason": "reason",
        "since": "placed_at",
        "by": "placed_by",
    }
    print_rows(rows, columns=columns, identifier="hold", output=output)


@app.command()
def remove(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="As `hold list` names it.")],
    data: DataOption = None,
) -> None:
    """Remove one hold; it needs as many approvals as a change of policy."""
    administer(data, {"command": "hold.remove", "hold": hold})
