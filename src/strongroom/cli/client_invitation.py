"""`strongroom client invite` and `join`: becoming a client from another host.

Rule: a token is a secret, so it goes through files and pipes, never through arguments that others see.
"""

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.client_options import NameArgument, ProductOption, TenantOption, finish
from strongroom.cli.exit import Stop
from strongroom.cli.files import read_bytes
from strongroom.cli.output import Output, OutputOption, print_rows

_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = 1 << 16


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter("write a time as 30m, 12h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def invite(
    name: NameArgument,
    data: DataOption = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group of the client; repeatable.")
    ] = None,
    tenant: TenantOption = None,
    lifetime: Annotated[
        str, typer.Option("--valid", metavar="TIME", help="How long it is good: 30m, 12h, 7d.")
    ] = "24h",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the token to this file instead of printing it.")
    ] = None,
) -> None:
    """Let somebody join from another host, once: print a token.

    The token is a secret until it was used. On the other host: strongroom client join TOKEN_FILE --out OUT
    """
    from strongroom.server.clients.enrolment import invite_client
    from strongroom.server.data_directory import write_private

    if out is not None:
        _check_free(out)
    token, shown = invite_client(
        name,
        lambda request: administer(data, request),
        groups=group or (),
        lifetime=_duration(lifetime),
        tenant=tenant,
    )
    if out is not None:
        write_private(out, f"{token}\n".encode())
    else:
        print(token)
    print(f"server       {shown['https']}", file=sys.stderr)
    print(f"fingerprint  {shown['server_fingerprint']}", file=sys.stderr)
    print(f"good until   {shown['ends_at']}, once", file=sys.stderr)


def _check_free(out: Path) -> None:
    """Return if a token may be written there: over nothing, or over an older token. Raises Stop."""
    from strongroom.server.clients.tokens import PREFIX

    if not out.exists():
        return
    if not out.is_file() or not read_bytes(str(out)).startswith(PREFIX.encode()):
        raise Stop(f"{out} exists already, and is no token; name another file")


def invitations(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the invitations that nobody has used yet."""
    found = cast(list[dict[str, object]], administer(data, {"command": "client.invitations"}))
    columns = {
        "name": "name",
        "groups": "groups",
        "ends": "ends_at",
        "ended": "ended",
        "fingerprint": "fingerprint",
    }
    print_rows(found, columns=columns, identifier="name", output=output)


def withdraw(name: NameArgument, data: DataOption = None) -> None:
    """Withdraw the invitations for a name."""
    administer(data, {"command": "client.withdraw", "name": name})


def join(
    token: Annotated[
        Path, typer.Argument(metavar="TOKEN_FILE", help="File with the token; - is standard input.")
    ],
    out: Annotated[Path, typer.Option(metavar="OUT", help="Directory for key, certificates and profile.")],
    server: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The server's HTTPS address, instead of the token's."),
    ] = None,
    product: ProductOption = None,
) -> None:
    """Become a client with a token: make a key here and fetch its certificate.

    The server has to prove that it is the one that the token is from.
    """
    from strongroom.server.certificates.ca import new_key
    from strongroom.server.clients.bundles import find_product
    from strongroom.server.clients.enrolment import set_default_profile, write_client
    from strongroom.server.clients.guest import joining
    from strongroom.server.clients.tokens import read_token
    from strongroom.server.errors import OperatorError

    try:
        text = sys.stdin.read(_LONGEST) if str(token) == "-" else token.read_text(encoding="ascii")
    except OSError as error:
        raise OperatorError(f"cannot read the token in {token}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{token} holds no token: give the file that client invite wrote") from error
    make_key = new_key if product is None else find_product(product).new_key
    profile = write_client(out, joining(read_token(text), server, out), make_key=make_key)
    finish(profile, product, out.name)
    set_default_profile(profile)
