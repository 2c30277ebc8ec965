"""`strongroom safeguard`: what a tenant lays down for the day on which somebody errs.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from typing import Annotated, Final, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_record, print_rows

app = typer.Typer(
    help="Keep what is destroyed for a while, and see what needs approval.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List what each tenant has laid down."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "safeguard.list"}))
    for row in rows:
        row["window"] = written(cast(int, row["deletion_window"]))
    columns = {"tenant": "tenant", "deletion window": "window", "approvals": "approvals"}
    print_rows(rows, columns=columns, identifier="tenant", output=output)


@app.command("set")
def set_(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.")],
    deletion_window: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long what is destroyed can be restored: 7d, 12h, 0."),
    ],
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lay down how long what is destroyed is kept.

    What is parked already keeps the end that it has.
    """
    request: dict[str, object] = {
        "command": "safeguard.set",
        "tenant": tenant,
        "deletion_window": seconds(deletion_window),
    }
    answer = cast(dict[str, object], administer(data, request))
    print_record(answer, unique_identifier=tenant, output=output)


def seconds(text: str) -> int:
    """Return the seconds in a time such as 7d; raises BadParameter."""
    number, unit = (text, "s") if text == "0" else (text[:-1], text[-1:])
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()) or len(number) > 9:
        raise typer.BadParameter("write a time such as 7d, 12h, 30m or 45s, or 0")
    return int(number) * _UNITS[unit]


def written(seconds: int) -> str:
    """Return a time as one writes it."""
    for unit, size in reversed(_UNITS.items()):
        if seconds and seconds % size == 0 and unit != "w":
            return f"{seconds // size}{unit}"
    return "none"
