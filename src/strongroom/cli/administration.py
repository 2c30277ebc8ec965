"""Where an administration command is done: here, through the data directory, or elsewhere, by a person.

Rule: the one place of that choice, for every noun. A command takes `DataOption` and calls `administer`.
"""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--profile",
        metavar="DIR|FILE",
        help="The server's data directory on this machine, or the profile of a person who administers it"
        " from another. [default: STRONGROOM_PROFILE]",
    ),
]


def administer(where: Path | None, request: dict[str, object]) -> object:
    """Return the result of an administration request; raises OperatorError and KMIPError.

    `where` is a data directory or the file of a profile; None looks for a profile as other commands do.
    """
    if where is None or where.is_file() or where.suffix == ".toml":
        return _from_afar(where, request)
    from strongroom.server.admin import call
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.data_directory import DataDirectory
    from strongroom.server.logs import configure_logs

    configure_logs()
    return call(DataDirectory.open(where), StrongroomAdapters(), request)


def _from_afar(profile: Path | None, request: dict[str, object]) -> object:
    from strongroom.client import administration
    from strongroom.client.profile import find_profile, load_profile
    from strongroom.server.errors import raise_for

    answer = administration.administer(load_profile(find_profile(profile)), request)
    raise_for(answer)
    return answer.get("result")
