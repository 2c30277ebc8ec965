"""Where an administration command is done: here, through the data directory, or elsewhere, by a person.

Rule: the one place of that choice, for every noun. A command takes `DataOption` and calls `administer`; one
that is never done elsewhere takes `DirectoryOption` and calls `open_here`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from strongroom.cli.exit import Stop
from strongroom.cli.output import Output, print_rows

if TYPE_CHECKING:
    from strongroom.server.data_directory import DataDirectory

_DAMAGED: Final = "damaged"
"""The field of a row that stands for a record which cannot be read."""

_MOST_NAMED: Final = 16

DirectoryOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The server's data directory.")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--profile",
        metavar="DIR|FILE",
        help="The server's data directory on this machine, or the profile of a person who administers it"
        " from another. [default: STRONGROOM_PROFILE, then what `strongroom dev` left]",
    ),
]


def administer(where: Path | None, request: dict[str, object]) -> object:
    """Return the result of an administration request; raises OperatorError and KMIPError.

    `where` is a data directory or the file of a profile; None looks for a profile as other commands do.
    """
    if where is None or not is_here(where):
        return _from_afar(where, request)
    from strongroom.server.admin import call
    from strongroom.server.app import StrongroomAdapters

    return call(open_here(where), StrongroomAdapters(), request)


def print_list(
    rows: Sequence[Mapping[str, object]], *, columns: Mapping[str, str], identifier: str, output: Output
) -> None:
    """Print the rows of a list; raises Stop after them where some of its records cannot be read."""
    damaged = [str(row[_DAMAGED]) for row in rows if _DAMAGED in row]
    whole = [row for row in rows if _DAMAGED not in row]
    print_rows(whole, columns=columns, identifier=identifier, output=output)
    if damaged:
        raise Stop(
            f"{len(damaged)} records are not in the list, since they cannot be read; restore a backup: "
            + "; ".join(damaged[:_MOST_NAMED])
        )


def is_here(where: Path) -> bool:
    """Tell whether it is a data directory on this machine, and no profile. Raises NotFound for neither."""
    if where.suffix == ".toml" or where.is_file():
        return False
    if not os.path.lexists(where):
        from strongroom.server.errors import NotFound

        raise NotFound(
            f"there is no {where}: give a data directory (strongroom init makes one), or a profile"
        )
    return True


def open_here(directory: Path) -> "DataDirectory":
    """Return a data directory to work on in this process, which logs from now on; raises OperatorError."""
    from strongroom.server.data_directory import DataDirectory
    from strongroom.server.logs import configure_logs

    configure_logs()
    return DataDirectory.open(directory)


def _from_afar(profile: Path | None, request: dict[str, object]) -> object:
    from strongroom.client import administration
    from strongroom.client.profile import find_profile, load_profile
    from strongroom.server.errors import raise_for

    answer = administration.administer(load_profile(find_profile(profile)), request)
    raise_for(answer)
    return answer.get("result")
