"""`strongroom approval`: what waits for people, and what needs how many.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer, print_list
from strongroom.cli.output import Output, OutputOption, print_record

app = typer.Typer(
    help="Approve or reject what needs more than one person.", rich_markup_mode=None, no_args_is_help=True
)

ApprovalArgument = Annotated[str, typer.Argument(metavar="APPROVAL", help="As `approval list` names it.")]


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the requests that wait for approval."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "approval.list"}))
    columns = {
        "approval": "approval",
        "acts": "acts",
        "operation": "operation",
        "requester": "requester",
        "objects": "objects",
        "names": "names",
        "approved by": "approved_by",
        "needed": "needed",
        "state": "state",
        "expires": "expires_at",
    }
    print_list(rows, columns=columns, identifier="approval", output=output)


@app.command()
def show(approval: ApprovalArgument, data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show one request: who wants what, and who has approved it."""
    _print(administer(data, {"command": "approval.show", "approval": approval}), approval, output)


@app.command()
def approve(approval: ApprovalArgument, data: DataOption = None, output: OutputOption = Output.ID) -> None:
    """Say yes, as a person with the role approver: --profile FILE.

    Nobody approves what they asked for themselves.
    """
    _print(administer(data, {"command": "approval.approve", "approval": approval}), approval, output)


@app.command()
def reject(approval: ApprovalArgument, data: DataOption = None, output: OutputOption = Output.ID) -> None:
    """Say no, which ends the request."""
    _print(administer(data, {"command": "approval.reject", "approval": approval}), approval, output)


@app.command()
def require(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ACT=VOTES",
            help="destroy, revoke-compromised, export, restore, policy or root, and how many people have to"
            " approve it; 0 for none.",
        ),
    ],
    tenant: Annotated[
        str,
        typer.Option("--tenant", metavar="NAME", help="The tenant; `system` for what concerns the server."),
    ],
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how many people have to approve an act.

    That is policy: it needs as many votes as the strictest act of the tenant needs.
    """
    act, separator, votes = what.partition("=")
    if not separator or not votes.isascii() or not votes.isdecimal():
        raise typer.BadParameter("write ACT=VOTES, such as destroy=2")
    request: dict[str, object] = {
        "command": "approval.require",
        "act": act,
        "votes": int(votes),
        "tenant": tenant,
    }
    _print(administer(data, request), tenant, output)


def _print(answer: object, identifier: str, output: Output) -> None:
    print_record(cast(dict[str, object], answer), unique_identifier=identifier, output=output)
