"""`strongroom init`: make a data directory.

Rule: options and printing; what a data directory is made of is in `server/installation.py`.
"""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.root_options import KitShares, Providers, RootOptions, with_root_options

DirectoryArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The data directory.")]


@with_root_options
def init(
    directory: DirectoryArgument,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where KMIP will listen. [default: 127.0.0.1:5696]"),
    ] = None,
    https: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|off",
            help="Where KMIP over HTTPS will listen. [default: the host of --listen, port 5697]",
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME_OR_IP",
            help="A name or address of this server, for its certificate; repeatable. "
            "[default: localhost, 127.0.0.1, ::1]",
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="The store. [default: sqlite:///strongroom.db]")
    ] = None,
    root_key: Providers = "file",
    *,
    root: RootOptions,
    recovery: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a recovery kit there, to be kept elsewhere."),
    ] = None,
    recovery_shares: KitShares = None,
) -> None:
    """Make a data directory.

    It holds the configuration, certificates, a root key and an empty store.
    """
    import sys

    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.installation import create_installation
    from strongroom.server.root.files import Kit

    if recovery is None and recovery_shares is not None:
        raise typer.BadParameter("--recovery-shares needs --recovery OUT")
    choice = root.choose(root_key)
    settings = {"listen": listen, "https": https, "hosts": host, "store": store}
    made = create_installation(
        directory,
        StrongroomAdapters(passphrase_file=root.passphrase_file),
        {key: value for key, value in settings.items() if value is not None},
        root_key=choice,
        recovery=None if recovery is None else Kit(out=recovery, split=recovery_shares),
    )
    if recovery is None:
        print(
            "strongroom: no recovery kit was made: whoever loses the root key loses every key. "
            f"Make one: strongroom server recovery create --data {directory} --out OUT",
            file=sys.stderr,
        )
    print(f"{made.path} is ready. Next:")
    print(f"  strongroom serve {directory}")
    print(f"  strongroom client enrol NAME --data {directory} --out OUT")
