"""`strongroom serve`: run the server in the foreground.

Rule: options and the ready line; the server is `server/processes/supervisor.py`.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.init import DirectoryArgument
from strongroom.server.address import Listening
from strongroom.server.processes.loading import for_good

ListenOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT|off", help="Where KMIP listens; port 0 takes a free one."),
]
HttpsOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT|off", help="Where KMIP over HTTPS listens.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, max=256, metavar="N", help="Worker processes. [default: one a core]")
]


def serve(
    directory: DirectoryArgument,
    listen: ListenOption = None,
    https: HttpsOption = None,
    workers: WorkersOption = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(metavar="F", help="File (or /dev/fd/N) with the passphrase of the root key."),
    ] = None,
) -> None:
    """Serve KMIP until SIGTERM.

    Options beat the configuration. SIGHUP reloads it, and the certificates. A server whose root key somebody
    has to bring starts sealed, and prints the ready line once it is opened.
    """
    with for_good():
        from strongroom.server.app import StrongroomAdapters
        from strongroom.server.data_directory import DataDirectory
        from strongroom.server.logs import configure_logs
        from strongroom.server.processes.supervisor import Supervisor

    configure_logs()
    opened = DataDirectory.open(directory)
    lock = opened.lock()
    adapters = StrongroomAdapters(passphrase_file=passphrase_file)
    supervisor = Supervisor(
        opened, adapters, listen=listen, https=https, workers=workers, on_ready=_say_ready
    )
    listening = supervisor.start()
    if listening is not None:
        _say_ready(listening)
    supervisor.run()
    os.close(lock)


def _say_ready(listening: Listening) -> None:
    print(f"ready {listening}", flush=True)
