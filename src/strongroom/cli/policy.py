"""`strongroom policy`: operation policies of KMIP 1.x, and trying out changed rules.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(
    help="Name operation policies (KMIP 1.x), and try out changed rules.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The policy's name.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="The tenant.")]


@app.command()
def create(
    name: NameArgument,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    tenant: TenantOption = None,
    data: DataOption = None,
) -> None:
    """Make a name that clients may give to objects; rules on policy:NAME say what it allows."""
    request: dict[str, object] = {
        "command": "policy.create",
        "name": name,
        "description": description,
        "tenant": tenant,
    }
    print(cast(dict[str, object], administer(data, request))["name"])


@app.command("list")
def list_(tenant: TenantOption = None, data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the policies of a tenant."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "policy.list", "tenant": tenant}))
    columns = {"name": "name", "description": "description"}
    print_rows(rows, columns=columns, identifier="name", output=output)


@app.command()
def remove(name: NameArgument, tenant: TenantOption = None, data: DataOption = None) -> None:
    """Remove a policy that no object and no rule names."""
    administer(data, {"command": "policy.remove", "name": name, "tenant": tenant})


@app.command("test")
def rehearse(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="TOML: [[add]] and [[remove]] of rules.")
    ] = None,
    cedar: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Try this file in place of policy.cedar, the restrictions."),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What audit export wrote, - for stdin. [default: the audit log of the data directory]",
        ),
    ] = None,
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show which recorded requests changed rules or restrictions would decide otherwise.

    Nothing is changed. Objects are taken as they are now.
    """
    from strongroom.cli import rehearsal

    changes = rehearsal.changes(file, cedar)
    rows: list[dict[str, object]] = []
    lines = rehearsal.recorded(data) if records is None else rehearsal.lines_of(records)
    for page in rehearsal.pages(rehearsal.requests(lines)):
        request = {"command": "policy.test", "requests": page, **changes}
        rows += cast(list[dict[str, object]], administer(data, request))
    columns = {
        "client": "client",
        "operation": "operation",
        "object": "object",
        "recorded": "recorded",
        "times": "times",
        "would be": "would_be",
    }
    print_rows(rows, columns=columns, identifier="object", output=output)
