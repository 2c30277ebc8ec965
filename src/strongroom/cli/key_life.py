"""`strongroom key activate`, `revoke` and `rotate`.

Rule: options and printing; what may follow on what is the server's to say.
"""

from typing import Annotated

import typer

from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.key_options import type_of
from strongroom.cli.output import Output, OutputOption, print_identifier
from strongroom.cli.values import choices, parse_date, parse_enumeration
from strongroom.registry import ObjectType, RevocationReasonCode


def activate(
    key: KeyArgument,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a Pre-Active key Active."""
    with connected(profile, server) as client:
        identifier = resolve(client, key)
        client.activate(identifier)
    print_identifier(identifier, output)


def revoke(
    key: KeyArgument,
    reason: Annotated[
        str, typer.Option(metavar="REASON", help=f"One of: {choices(RevocationReasonCode)}.")
    ] = "Unspecified",
    message: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in your words.")] = None,
    compromised: Annotated[
        str | None, typer.Option(metavar="DATE", help="When it was first compromised, if that is the reason.")
    ] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deactivate a key, or call it compromised.

    It is compromised with Key Compromise as the reason.
    """
    code = parse_enumeration(RevocationReasonCode, reason)
    occurred = None if compromised is None else parse_date(compromised)
    with connected(profile, server) as client:
        identifier = resolve(client, key)
        client.revoke(
            identifier,
            revocation_reason_code=code,
            revocation_message=message,
            compromise_occurrence_date=occurred,
        )
    print_identifier(identifier, output)


def rotate(
    key: KeyArgument,
    offset: Annotated[
        int | None,
        typer.Option(min=0, metavar="SECONDS", help="From the creation of the new key to its activation."),
    ] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Replace a key and print the new one.

    The new one takes over the Name. Of a pair, name the private key.
    """
    with connected(profile, server) as client:
        identifier = resolve(client, key)
        match type_of(client, identifier):
            case ObjectType.SYMMETRIC_KEY:
                made = client.re_key(identifier, offset=offset)
            case ObjectType.PRIVATE_KEY:
                made = client.re_key_key_pair(identifier, offset=offset).private_key_unique_identifier
            case _:
                raise Stop(
                    f"{key!r} is neither a symmetric nor a private key; of a pair, rotate the private key",
                    ExitCode.USAGE,
                )
    print_identifier(made, output)
