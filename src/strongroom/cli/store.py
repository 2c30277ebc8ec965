"""`strongroom store`: the database under a data directory.

Rule: options and printing. `migrate` needs the data directory's lock, so no server runs on it meanwhile; the
rest is asked of the live server.
"""

import os
from typing import Annotated, Any, cast

import typer

from strongroom.cli.administration import DataOption, administer, print_list
from strongroom.cli.init import DirectoryArgument
from strongroom.cli.output import Output, OutputOption, printable

app = typer.Typer(help="Look after the store.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def migrate(directory: DirectoryArgument) -> None:
    """Bring the store to the newest schema.

    Back it up first. Nothing is changed when anything fails.
    """
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.config import load_settings
    from strongroom.server.data_directory import DataDirectory

    opened = DataDirectory.open(directory)
    settings = load_settings(opened.configuration)
    lock = opened.lock()
    try:
        StrongroomAdapters().migrate_store(settings, opened)
    finally:
        os.close(lock)
    print(f"the store of {directory} has the newest schema")


@app.command()
def reindex(directory: DirectoryArgument) -> None:
    """Make the index anew from the records.

    For what `store doubts` says of the index. No server may run on the directory.
    """
    import asyncio

    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.config import load_settings
    from strongroom.server.data_directory import DataDirectory

    opened = DataDirectory.open(directory)
    settings = load_settings(opened.configuration)
    adapters = StrongroomAdapters()
    lock = opened.lock()
    try:
        counted = asyncio.run(adapters.reindex(settings, opened, adapters.open_root_key(opened)))
    finally:
        os.close(lock)
    for name in counted.refused:
        print(f"not found by anything but its identifier, since its record does not open: {name}")
    print(f"the index of {counted.objects} objects is made anew")


@app.command()
def verify(data: DataOption = None) -> None:
    """Have the server compare the store with itself now.

    It does so at its start and once a day; `store doubts` says what it found.
    """
    administer(data, {"command": "store.verify"})
    print("it has begun; when it is over, and what it found: strongroom store doubts")


@app.command()
def doubts(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show what the last verification found, and which objects are refused for it."""
    found = cast(dict[str, Any], administer(data, {"command": "store.doubts"}))
    if output is Output.TABLE:
        when = found["finished"] or ("not yet: it runs" if found["started"] else "never")
        print(f"verified: {when}; doubts: {found['count']}")
        for doubt in found["doubts"]:
            print(f"  {printable(doubt)}")
    columns = {name: name for name in ("unique_identifier", "tenant", "since", "reason")}
    print_list(found["refused"], columns=columns, identifier="unique_identifier", output=output)


@app.command()
def trust(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The object's Unique Identifier.")],
    data: DataOption = None,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="The tenant it is in.")] = "default",
) -> None:
    """Let what is stored of a doubted object count.

    Only you can know that it was put back on purpose; a backup is the other way.
    """
    administer(data, {"command": "store.trust", "object": identifier, "tenant": tenant})


@app.command()
def accept(data: DataOption = None) -> None:
    """Let a store count that was put back on purpose.

    For a server that says that its store is older than its audit log was signed for.
    """
    found = cast(list[dict[str, object]], administer(data, {"command": "store.accept"}))
    for mark in found:
        print(f"accepted: {printable(str(mark['place']))} was at {mark['position']} changes")
