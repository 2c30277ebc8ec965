"""`strongroom server`: what a server says of itself, and opening, sealing and protecting it.

Rule: options and printing. `query` and `versions` work with any KMIP server, `status` also from afar; the
rest is for whoever has the data directory, and `server/root` does it.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, DirectoryOption, administer, is_here, open_here
from strongroom.cli.connection import ProfileOption, ServerOption, connected
from strongroom.cli.output import Output, OutputOption, print_record, print_rows
from strongroom.cli.root_options import (
    KitShares,
    PassphraseFile,
    Providers,
    RootOptions,
    with_root_options,
)
from strongroom.cli.server_ca import app as server_ca
from strongroom.cli.showing import shown

app = typer.Typer(
    help="Ask what a server can do; open it, seal it, and look after its root key.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
root_app = typer.Typer(help="Replace or recover the root key.", rich_markup_mode=None, no_args_is_help=True)
recovery = typer.Typer(help="Look after the recovery kit.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(server_ca, name="ca")
app.add_typer(root_app, name="root")
app.add_typer(recovery, name="recovery")

KitOption = Annotated[
    list[Path], typer.Option("--kit", metavar="FILE", help="The recovery kit, or shares of it; repeatable.")
]


@app.command()
def query(
    profile: ProfileOption = None, server: ServerOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Show what a server can do, and who made it."""
    with connected(profile, server) as client:
        version = client.negotiate()
        found = client.query()
    record = {"protocol_version": str(version), **shown(found)}
    print_record(record, unique_identifier=str(record.get("vendor_identification", "")), output=output)


@app.command()
def versions(
    profile: ProfileOption = None, server: ServerOption = None, output: OutputOption = Output.TABLE
) -> None:
    """List the KMIP versions that a server speaks.

    In its order of preference.
    """
    with connected(profile, server) as client:
        found = [{"version": str(version)} for version in client.discover_versions()]
    print_rows(found, columns={"version": "version"}, identifier="version", output=output)


@app.command()
def status(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show how a server is.

    Whether it is sealed, what its root key comes from, whether there is a recovery kit, and its workers.
    """
    if data is None or not is_here(data):
        _show(administer(data, {"command": "server.status"}), output)
        return
    from strongroom.server.admin import call_server
    from strongroom.server.data_directory import DataDirectory

    _show(call_server(DataDirectory.open(data), {"command": "status"}), output)


@app.command()
def unseal(
    data: DirectoryOption,
    share: Annotated[
        list[Path] | None,
        typer.Option("--share", metavar="FILE", help="File with a share; `-` is stdin; repeatable."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Open a sealed server.

    Bring shares, one or several at a time, or the passphrase. Without any, it is asked for at a terminal.
    """
    from strongroom.server.data_directory import DataDirectory
    from strongroom.server.root.commands import unseal

    _show(unseal(DataDirectory.open(data), shares=share or (), passphrase_file=passphrase_file), output)


@app.command()
def seal(data: DirectoryOption, output: OutputOption = Output.TABLE) -> None:
    """Close a server at once: the opened keys are forgotten.

    It refuses every connection until it is unsealed, or started again where nobody has to bring anything.
    """
    from strongroom.server.admin import call_server
    from strongroom.server.data_directory import DataDirectory

    _show(call_server(DataDirectory.open(data), {"command": "seal"}), output)


@root_app.command("status")
def root_status(data: DirectoryOption, output: OutputOption = Output.TABLE) -> None:
    """Show which root keys there are, and what is not under the newest yet."""
    record = cast(dict[str, object], administer(data, {"command": "root.status"}))
    print_record(record, unique_identifier=str(record["generation"]), output=output)


@root_app.command()
@with_root_options
def rotate(
    data: DirectoryOption,
    to: Annotated[
        str | None, typer.Option(metavar="PROVIDER", help="Where it is to come from. [default: as now]")
    ] = None,
    *,
    root: RootOptions,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a new root key in the place of the one there is, also from another provider.

    Everything stays readable meanwhile. The old root key is needed until this returns.
    When it is interrupted, the server finishes it by itself.
    """
    from strongroom.server.root import commands

    directory = open_here(data)
    record = commands.rotate(directory, root.choose(to or commands.provider_now(directory)))
    print_record(record, unique_identifier=str(record["generation"]), output=output)


@root_app.command()
@with_root_options
def recover(
    data: DirectoryOption,
    kit: KitOption,
    root_key: Providers = "file",
    *,
    root: RootOptions,
    output: OutputOption = Output.TABLE,
) -> None:
    """Open the data with the recovery kit and put it under a new root key.

    For when the root key is lost. No server may run; run it again when it was interrupted.
    """
    from strongroom.server.root import commands

    choice = root.choose(root_key)
    record = commands.recover(open_here(data), kit, choice)
    print_record(record, unique_identifier=str(record["generation"]), output=output)


@recovery.command()
def create(
    data: DirectoryOption,
    out: Annotated[Path, typer.Option(metavar="OUT", help="Where the kit is written.")],
    shares: KitShares = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a recovery kit; one that was made before is good for nothing from then on."""
    from strongroom.server.root import commands
    from strongroom.server.root.files import Kit

    record = commands.create_recovery(open_here(data), Kit(out=out, split=shares))
    print_record(record, unique_identifier=str(record["recovery"]), output=output)


def _show(found: object, output: Output) -> None:
    record = cast(dict[str, object], found)
    print_record(record, unique_identifier="sealed" if record["sealed"] else "open", output=output)
