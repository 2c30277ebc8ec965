"""`strongroom dev`: everything at once, for a first look and for developing against it.

Rule: it does what `init`, `serve` and `client enrol` do, through the same code.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.serve import HttpsOption, ListenOption, WorkersOption
from strongroom.server.processes.loading import for_good

CLIENT: Final = "dev"


def dev(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="The data directory.")] = Path(
        "strongroom-data"
    ),
    listen: ListenOption = None,
    https: HttpsOption = None,
    workers: WorkersOption = None,
) -> None:
    """Serve, with a client enrolled to try it with.

    Makes the data directory if there is none.
    """
    with for_good():
        from strongroom.server.app import StrongroomAdapters
        from strongroom.server.clients.enrolment import keep_enrolled, set_default_profile
        from strongroom.server.data_directory import DataDirectory
        from strongroom.server.installation import create_installation
        from strongroom.server.logs import configure_logs
        from strongroom.server.processes.supervisor import Supervisor

    configure_logs()
    adapters = StrongroomAdapters()
    if not (directory / "strongroom.toml").exists():
        create_installation(directory, adapters, {})
    opened = DataDirectory.open(directory)
    lock = opened.lock()
    supervisor = Supervisor(opened, adapters, listen=listen, https=https, workers=workers)
    listening = supervisor.start()
    if listening is None:
        raise Stop(f"the server is sealed; start it with: strongroom serve {directory}", ExitCode.SEALED)
    profile = keep_enrolled(CLIENT, opened.clients / CLIENT, supervisor.administer)
    print(f"ready {listening}", flush=True)
    _say_what_next(profile, default=set_default_profile(profile))
    supervisor.run()
    os.close(lock)


def _say_what_next(profile: Path, *, default: bool) -> None:
    """Print commands that work in another terminal in the same directory, as they stand."""
    program = shlex.quote(_program())
    option = "" if default else f" --profile {shlex.quote(os.fspath(profile))}"
    print("\nIn a second terminal:")
    for verb in ("create --name first", "show first", "export first"):
        print(f"  {program} key {verb}{option}")
    print("\nStop with Ctrl-C.", flush=True)


def _program() -> str:
    """Return what has to be typed to run this program again."""
    used = Path(sys.argv[0])
    found = shutil.which("strongroom")
    if found is not None and used.exists() and Path(found).samefile(used):
        return "strongroom"
    return os.path.relpath(used)
