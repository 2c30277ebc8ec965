"""Where an administration command is done.

Rule: the one place of that choice, for every noun. A command takes `DataOption` and calls `administer`.
"""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The server's data directory.")
]


def administer(where: Path | None, request: dict[str, object]) -> object:
    """Return the result of an administration request; raises OperatorError."""
    from strongroom.server.admin import call
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.data_directory import DataDirectory
    from strongroom.server.errors import InvalidOption
    from strongroom.server.logs import configure_logs

    if where is None:
        raise InvalidOption("--data: name the server's data directory")
    configure_logs()
    return call(DataDirectory.open(where), StrongroomAdapters(), request)
