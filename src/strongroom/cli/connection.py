"""The options with which a command reaches a server, and the objects that it names.

Rule: a profile says who connects and where; `--server` replaces the where. What goes wrong is raised.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.exit import ExitCode, Stop

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="Who connects, and where. [default: STRONGROOM_PROFILE, then what `strongroom dev` left]",
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        help="Ask this server instead of the profile's; https://HOST:PORT is KMIP over HTTPS.",
    ),
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Unique Identifier or Name.")]
ObjectArgument = Annotated[str, typer.Argument(metavar="OBJECT", help="Unique Identifier or Name.")]


@contextmanager
def connected(profile: Path | None, server: str | None) -> "Iterator[Client]":
    """Give a client; raises KMIPError."""
    from strongroom.client.profile import find_profile, load_profile
    from strongroom.client.sync import Client

    chosen = load_profile(find_profile(profile))
    if server is not None:
        chosen = chosen.at(server)
    with Client.with_profile(chosen) as client:
        yield client


def resolve(client: "Client", wanted: str) -> "UniqueIdentifier":
    """Return the identifier of the object that a person means.

    An identifier goes before a name, so that no other object can take its place by that name.
    Raises Stop when nothing fits, AmbiguousName when several objects have the name.
    """
    from strongroom.client.errors import ObjectNotFound
    from strongroom.model.identifiers import UniqueIdentifier
    from strongroom.registry import Tag

    with suppress(ObjectNotFound):  # then it is a name
        client.get_attributes(wanted, Tag.OBJECT_TYPE)
        return UniqueIdentifier(wanted)
    try:
        return client.find(wanted)
    except ObjectNotFound:
        raise Stop(
            f"no object has the identifier or the name {wanted!r}; "
            "`strongroom object list` shows what there is",
            ExitCode.NOT_FOUND,
        ) from None
