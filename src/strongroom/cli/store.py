"""`strongroom store`: the database under a data directory.

Rule: options and printing; needs the data directory's lock, so no server runs on it meanwhile.
"""

import os

import typer

from strongroom.cli.init import DirectoryArgument

app = typer.Typer(help="Look after the store.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `migrate` a verb of its own although it is alone."""


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
        StrongroomAdapters().create_store(settings, opened)
    finally:
        os.close(lock)
    print(f"the store of {directory} has the newest schema")
