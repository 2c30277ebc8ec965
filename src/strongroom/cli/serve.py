"""`strongroom serve`: run the server in the foreground.

Rule: options and the ready line; the server is `server/supervisor.py`.
"""

import os
from typing import Annotated

import typer

from strongroom.cli.init import DirectoryArgument

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
) -> None:
    """Serve KMIP until SIGTERM.

    Options beat the configuration. SIGHUP reloads it, and the certificates.
    """
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.data_directory import DataDirectory
    from strongroom.server.logs import configure_logs
    from strongroom.server.supervisor import Supervisor

    configure_logs()
    opened = DataDirectory.open(directory)
    lock = opened.lock()
    supervisor = Supervisor(opened, StrongroomAdapters(), listen=listen, https=https, workers=workers)
    listening = supervisor.start()
    print(f"ready {listening}", flush=True)
    supervisor.run()
    os.close(lock)
