"""`strongroom server`: what a server says of itself.

Rule: options and printing. `query` and `versions` work with any KMIP server.
"""

import typer

from strongroom.cli.connection import ProfileOption, ServerOption, connected
from strongroom.cli.output import Output, OutputOption, print_record, print_rows
from strongroom.cli.server_ca import app as server_ca
from strongroom.cli.showing import shown

app = typer.Typer(help="Ask what a server can do.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(server_ca, name="ca")


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
