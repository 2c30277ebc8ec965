"""`strongroom client`: who may connect.

Rule: options and printing; where it is done, `cli/administration.py` decides. Other ways in are
in the modules beside this one.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli import client_group, client_invitation, client_rules
from strongroom.cli.administration import DataOption, administer
from strongroom.cli.client_options import NameArgument, ProductOption, TenantOption, finish
from strongroom.cli.output import Output, OutputOption, print_rows

app = typer.Typer(help="Enrol, list, renew and revoke clients.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(client_group.app, name="group")

OutOption = Annotated[Path, typer.Option(metavar="OUT", help="Directory for key, certificates and profile.")]


@app.command()
def enrol(
    name: NameArgument,
    out: OutOption,
    data: DataOption = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP", help="A group that the client is in, for rules (grant add); repeatable."
        ),
    ] = None,
    tenant: TenantOption = None,
    username: Annotated[
        str | None,
        typer.Option(metavar="U", help="Demand this user name, too, in the header of each request."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="F", help="File with the password of the user name.")
    ] = None,
    csr: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A certificate request (PKCS#10); its key stays where it is."),
    ] = None,
    product: ProductOption = None,
) -> None:
    """Let a client in: write its key, certificate and profile.

    With --for also what a product wants: vcenter, mongodb, mysql, ceph, veeam, synology, netapp, postgresql
    and more; a name that there is none for is answered with the list.
    """
    from strongroom.server.certificates.ca import new_key
    from strongroom.server.clients.bundles import find_product
    from strongroom.server.clients.enrolment import (
        Credential,
        enrol_by_request,
        enrol_client,
        set_default_profile,
    )

    if (username is None) != (password_file is None):
        raise typer.BadParameter("--username and --password-file belong together; give both or none")
    credential = (
        None
        if username is None or password_file is None
        else Credential(username=username, password_file=password_file)
    )
    wanted = None if product is None else find_product(product)
    groups = group or ()
    if csr is not None:
        profile = enrol_by_request(
            name,
            csr,
            out,
            lambda request: administer(data, request),
            groups=groups,
            credential=credential,
            tenant=tenant,
        )
    else:
        profile = enrol_client(
            name,
            out,
            lambda request: administer(data, request),
            groups=groups,
            credential=credential,
            tenant=tenant,
            make_key=new_key if wanted is None else wanted.new_key,
        )
    finish(profile, product, name)
    if csr is None:
        set_default_profile(profile)


@app.command()
def renew(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The client's name; without, it renews itself.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Directory for key, certificates and profile.")
    ] = None,
    data: DataOption = None,
    now: Annotated[
        bool, typer.Option("--now", help="The old key stops working at once, not at its end.")
    ] = False,
    product: ProductOption = None,
) -> None:
    """Give a client a new key and certificate before the old one ends.

    An administrator does it with NAME and --out. Without NAME the client of --profile renews itself, in the
    files of the profile and over its own connection; its old key stops working then.
    """
    if name is None:
        if out is not None or now or product is not None:
            raise typer.BadParameter("without NAME a client renews itself, and takes --profile alone")
        from strongroom.client.profile import find_profile
        from strongroom.client.renewal import renew_profile

        print(f"valid until {renew_profile(find_profile(data)):%Y-%m-%d}")
        return
    if out is None:
        raise typer.BadParameter("say with --out where key and certificate go")
    from strongroom.server.certificates.ca import new_key
    from strongroom.server.clients.bundles import find_product
    from strongroom.server.clients.enrolment import renew_client

    make_key = new_key if product is None else find_product(product).new_key
    written = renew_client(name, out, lambda request: administer(data, request), now=now, make_key=make_key)
    finish(written, product, name)


@app.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List every client, revoked ones too.

    A seal that is not whole is a record that somebody changed in the database.
    """
    records = cast(list[dict[str, object]], administer(data, {"command": "client.list"}))
    columns = {
        "name": "name",
        "groups": "groups",
        "username": "username",
        "enrolled": "enrolled_at",
        "ends": "ends_at",
        "revoked": "revoked_at",
        "seal": "seal",
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


for _function in (
    client_invitation.invite,
    client_invitation.invitations,
    client_invitation.withdraw,
    client_invitation.join,
):
    app.command()(_function)
app.add_typer(client_rules.pending, name="pending")
app.command("map")(client_rules.map_)
app.command()(client_rules.unmap)
app.command()(client_rules.rules)
