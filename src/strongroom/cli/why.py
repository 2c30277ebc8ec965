"""`strongroom why`: the reasons for a decision, in sentences.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

import json
from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, printable


def why(
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="The client's name.")],
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="An operation, such as Get, or a permission.")
    ],
    unique_identifier: Annotated[
        str, typer.Argument(metavar="OBJECT", help="The Unique Identifier of the object.")
    ],
    data: DataOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Explain whether a client may do something with an object, and why.

    Nothing is done, and the client is told nothing.
    """
    request: dict[str, object] = {
        "command": "access.explain",
        "client": client,
        "operation": operation,
        "object": unique_identifier,
    }
    found = cast(dict[str, object], administer(data, request))
    verdict = "yes" if found["allowed"] else "no"
    match output:
        case Output.JSON:
            print(json.dumps(found, indent=2))
        case Output.ID:
            print(verdict)
        case Output.TABLE:
            print(f"{verdict}: {printable(client)}, {found['permission']}")
            for sentence in cast(list[str], found["reasons"]):
                print(f"  {printable(sentence)}")
