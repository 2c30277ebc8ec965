"""`strongroom backup`: make, prove and restore backups.

Rule: options and printing; `server/backup/` does it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.administration import DirectoryOption, open_here
from strongroom.cli.output import Output, OutputOption, print_record
from strongroom.cli.progress import progress

if TYPE_CHECKING:
    from strongroom.server.backup.unpack import Contents

app = typer.Typer(help="Make, prove and restore backups.", rich_markup_mode=None, no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
IdentityOption = Annotated[
    list[Path],
    typer.Option(
        "--identity",
        metavar="KIT",
        help="File with the age identity that opens it, such as the recovery kit; repeatable, for shares.",
    ),
]

SignerOption = Annotated[
    Path | None,
    typer.Option(
        "--signer",
        metavar="AUDIT_PUB",
        help="Copy of audit.pub of the server that has to have made it. [default: whoever made it]",
    ),
]


@app.command()
def create(
    data: DirectoryOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where the backup goes.")],
    recipient: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AGE_RECIPIENT",
            help="Who can open it (age1...); repeatable. [default: the recovery kit, DIR/recovery.pub]",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a backup, encrypted.

    The server may go on running: the backup is of one moment.
    """
    from strongroom.server.admin import call
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.backup.create import create_backup
    from strongroom.server.backup.encryption import check_recipients

    directory, adapters = open_here(data), StrongroomAdapters()
    recipients = check_recipients(recipient) if recipient else ()
    with progress("backup") as report:
        made = create_backup(
            directory,
            adapters,
            to,
            recipients,
            call=lambda request: call(directory, adapters, request),
            report=report,
        )
    record = {
        "backup": made.header.backup,
        "file": str(to),
        "size": made.size,
        "sha256": made.sha256,
        "created_at": made.header.created_at,
        "schema": made.header.schema,
        "objects": made.header.counts.get("objects", 0),
        "recipients": list(made.recipients),
    }
    print_record(record, unique_identifier=made.header.backup, output=output)


@app.command()
def verify(
    file: FileArgument,
    identity: IdentityOption,
    everything: Annotated[bool, typer.Option("--all", help="Open every record, not a sample.")] = False,
    signer: SignerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Prove that a backup can be restored.

    It is restored into a store that is thrown away; no server is needed. This also proves the recovery kit.
    """
    from strongroom.cli.exit import Stop
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.backup.identities import read_identities
    from strongroom.server.backup.signature import read_signer
    from strongroom.server.backup.verify import verify_backup
    from strongroom.server.logs import configure_logs

    configure_logs()
    identities = read_identities(identity)
    key = None if signer is None else read_signer(signer)
    with progress("verify") as report:
        found = verify_backup(
            file, StrongroomAdapters(), identities, everything=everything, report=report, signer=key
        )
    if found.problems:
        most = "; ".join(found.problems[:5])
        more = f"; and {len(found.problems) - 5} more" if len(found.problems) > 5 else ""
        raise Stop(f"{file} is whole, but: {most}{more}")
    backup = found.contents.header.backup
    print_record({**_contents(found.contents), "result": "good"}, unique_identifier=backup, output=output)


@app.command()
def restore(
    file: FileArgument,
    data: Annotated[Path, typer.Option("--data", metavar="NEWDIR", help="The data directory to make.")],
    identity: IdentityOption,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The empty store to fill. [default: an SQLite file in the directory]"
        ),
    ] = None,
    signer: SignerOption = None,
    drill: Annotated[
        bool,
        typer.Option(
            "--drill", help="The original server lives on: rotate nothing, tell nobody of keys and events."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a data directory of a backup, on an empty host.

    It gets a root key and a server certificate of its own; clients keep theirs. Nothing is made when anything
    fails.
    """
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.backup.identities import read_identities
    from strongroom.server.backup.restore import restore_backup
    from strongroom.server.backup.signature import read_signer
    from strongroom.server.logs import configure_logs

    configure_logs()
    identities = read_identities(identity)
    key = None if signer is None else read_signer(signer)
    with progress("restore") as report:
        made = restore_backup(
            file,
            data,
            StrongroomAdapters(),
            identities,
            store=store,
            report=report,
            signer=key,
            drill=drill,
        )
    for warning in made.warnings:
        typer.echo(f"strongroom: warning: {warning}", err=True)
    record = {**_contents(made.contents), "directory": str(made.directory.path), "store": made.settings.store}
    print_record(record, unique_identifier=made.contents.header.backup, output=output)
    if output is Output.TABLE:
        print(f"Next:\n  strongroom serve {data}")


def _contents(contents: "Contents") -> dict[str, object]:
    header, opened = contents.header, contents.opened
    return {
        "backup": header.backup,
        "created_at": header.created_at,
        "server": header.server,
        "schema": header.schema,
        "objects": contents.rows.get("objects", 0),
        "entries": contents.rows.get("entries", 0),
        "clients": contents.rows.get("clients", 0),
        "opened": opened.objects + opened.entries + opened.clients,
        "refused": len(opened.refused),
        "audit_events": contents.audit_end.position,
        "audit_head": contents.audit_end.hash,
        "signed_by": contents.signed_by or "not compared: give --signer",
    }
