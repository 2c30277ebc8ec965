"""`strongroom object restore` and `object parked`: what was destroyed and can still come back.

Rule: options and printing; administration, unlike the other verbs of `object`, which any client may use.
"""

from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer, print_list
from strongroom.cli.output import Output, OutputOption, print_record


def restore(
    unique_identifier: Annotated[str, typer.Argument(metavar="ID", help="Its Unique Identifier.")],
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="The tenant it is in. [default: default]")
    ] = None,
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring back a destroyed object within its deletion window.

    It is as it was, but for Names that other objects have taken since, which are reported.
    """
    request: dict[str, object] = {
        "command": "object.restore",
        "unique_identifier": unique_identifier,
        "tenant": tenant,
    }
    answer = cast(dict[str, object], administer(data, request))
    print_record(answer, unique_identifier=unique_identifier, output=output)


def parked(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List destroyed objects that can be restored, and until when."""
    rows = cast(list[dict[str, object]], administer(data, {"command": "object.parked"}))
    columns = {
        "object": "unique_identifier",
        "tenant": "tenant",
        "destroyed": "destroyed_at",
        "until": "until",
    }
    print_list(rows, columns=columns, identifier="unique_identifier", output=output)
