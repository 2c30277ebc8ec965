"""`strongroom client`: who may connect.

Rule: options and printing; where it is done, `cli/administration.py` decides.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli import client_group
from strongroom.cli.administration import DataOption, administer
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(help="Enrol, list and revoke clients.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(client_group.app, name="group")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The client's name.")]


@app.command()
def enrol(
    name: NameArgument,
    out: Annotated[Path, typer.Option(metavar="OUT", help="Directory for key, certificates and profile.")],
    data: DataOption = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP", help="A group that the client is in, for rules (grant add); repeatable."
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="The tenant that the client is in.")
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(metavar="U", help="Demand this user name, too, in the header of each request."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="F", help="File with the password of the user name.")
    ] = None,
) -> None:
    """Let a client in: write its key, certificate and profile."""
    from strongroom.server.enrolment import Credential, enrol_client, set_default_profile

    if (username is None) != (password_file is None):
        raise typer.BadParameter("--username and --password-file belong together; give both or none")
    credential = (
        None
        if username is None or password_file is None
        else Credential(username=username, password_file=password_file)
    )
    profile = enrol_client(
        name,
        out,
        lambda request: administer(data, request),
        groups=group or (),
        credential=credential,
        tenant=tenant,
    )
    print(profile)
    set_default_profile(profile)


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List every client, revoked ones too."""
    records = cast(list[dict[str, object]], administer(data, {"command": "client.list"}))
    columns = {
        "name": "name",
        "groups": "groups",
        "username": "username",
        "enrolled": "enrolled_at",
        "revoked": "revoked_at",
        "fingerprint": "fingerprint",
    }
    print_rows(records, columns=columns, identifier="name", output=output)


@app.command()
def revoke(name: NameArgument, data: DataOption = None) -> None:
    """Shut a client out at once, live connections included."""
    administer(data, {"command": "client.revoke", "name": name})


@app.command()
def ask(
    name: NameArgument,
    data: DataOption = None,
    version: Annotated[str, typer.Option(metavar="V", help="The KMIP version to ask in.")] = "1.4",
    function: Annotated[
        list[str] | None,
        typer.Option(metavar="F", help="A Query Function, such as QueryOperations; repeatable."),
    ] = None,
) -> None:
    """Ask a client at its endpoint what it speaks.

    That is, which versions, or with functions, what it can do.
    The server asks soon and as often as it takes; the answer is in its log.
    """
    administer(data, {"command": "client.ask", "name": name, "version": version, "functions": function or []})
