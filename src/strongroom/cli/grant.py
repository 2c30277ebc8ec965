"""`strongroom grant`: what clients may do with objects that are not theirs.

Rule: options and printing. `KIND:NAME` is cut at its first colon, here and once: everything behind it is the
name, whatever it looks like.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(
    help="Let clients use what others own, permission by permission.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="NAME", help="The tenant, where neither side names a client."),
]
PermissionOption = Annotated[
    list[str],
    typer.Option("--permission", metavar="P[,P...]", help="A permission, or several; repeatable."),
]


@app.command()
def add(
    to: Annotated[
        str,
        typer.Option("--to", metavar="WHOM", help="client:NAME, group:NAME, or everyone in the tenant."),
    ],
    on: Annotated[
        str,
        typer.Option(
            "--on", metavar="WHAT", help="object:ID, group:NAME, owner:CLIENT, policy:NAME, or everything."
        ),
    ],
    permission: PermissionOption,
    tenant: TenantOption = None,
    data: DataOption = None,
) -> None:
    """Add a rule, or permissions to the one that there is.

    Nothing implies anything: with get alone a client can get what it cannot find.
    """
    request: dict[str, object] = {
        "command": "grant.add",
        "to": typed(to),
        "on": typed(on),
        "permissions": listed(permission),
        "tenant": tenant,
    }
    print(cast(dict[str, object], administer(data, request))["id"])


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Of one tenant.")] = None,
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the rules."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "grant.list", "tenant": tenant}))
    columns = {"id": "id", "tenant": "tenant", "to": "to", "permissions": "permissions", "on": "on"}
    print_rows(rows, columns=columns, identifier="id", output=output)


@app.command()
def remove(
    rule: Annotated[str, typer.Argument(metavar="ID", help="The rule, as grant list shows it.")],
    permission: Annotated[
        list[str] | None,
        typer.Option("--permission", metavar="P[,P...]", help="Only this permission; repeatable."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Remove a rule, or permissions from it; in force at once, on live connections too."""
    administer(data, {"command": "grant.remove", "id": rule, "permissions": listed(permission or [])})


def typed(text: str) -> dict[str, str]:
    """Return what `KIND:NAME`, or `KIND` alone, says."""
    kind, colon, name = text.partition(":")
    return {"kind": kind, "name": name} if colon else {"kind": kind}


def listed(given: list[str]) -> list[str]:
    """Return the words of options that may each hold several, with commas between them."""
    return [word.strip() for text in given for word in text.split(",") if word.strip()]
