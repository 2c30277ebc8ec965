"""`strongroom client pending` and `map`: certificates of authorities that are not ours.

Rule: options and printing. What a certificate says of itself is printed as the server has escaped it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from strongroom.cli.administration import DataOption, administer
from strongroom.cli.client_options import NameArgument, TenantOption
from strongroom.cli.output import Output, OutputOption, print_rows

pending = typer.Typer(
    help="Certificates that TLS took and that no client has.", rich_markup_mode=None, no_args_is_help=True
)

FingerprintArgument = Annotated[
    str, typer.Argument(metavar="FINGERPRINT", help="The certificate's fingerprint, or its beginning.")
]
SanOption = Annotated[
    str | None,
    typer.Option(metavar="TYPE:NAME", help="A name in it: dns:HOST, ip:ADDRESS, email:ADDRESS or uri:URI."),
]
SubjectOption = Annotated[
    str | None, typer.Option(metavar="SUBJECT", help="Its whole subject, as in CN=db1,O=Example (RFC 4514).")
]


@pending.command("list")
def list_(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the certificates that wait, the last seen first. What they say of themselves may be a lie."""
    found = cast(list[dict[str, object]], administer(data, {"command": "client.pending"}))
    for one in found:
        for field in ("first_seen", "last_seen"):
            one[field] = datetime.fromtimestamp(cast(int, one[field]), UTC).isoformat()
    columns = {
        "fingerprint": "fingerprint",
        "subject": "subject",
        "names": "names",
        "issuer": "issuer",
        "address": "address",
        "seen": "count",
        "last": "last_seen",
    }
    print_rows(found, columns=columns, identifier="fingerprint", output=output)


@pending.command()
def accept(
    fingerprint: FingerprintArgument,
    name: NameArgument,
    data: DataOption = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group of the client; repeatable.")
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Enrol the key of a certificate that waits, under a name of yours."""
    administer(
        data,
        {
            "command": "client.accept",
            "fingerprint": fingerprint,
            "name": name,
            "groups": group or [],
            "tenant": tenant,
        },
    )


@pending.command()
def reject(fingerprint: FingerprintArgument, data: DataOption = None) -> None:
    """Forget a certificate; it waits again when it comes again."""
    administer(data, {"command": "client.reject", "fingerprint": fingerprint})


def map_(
    name: NameArgument,
    issuer: Annotated[
        Path, typer.Option(metavar="CA.pem", help="The authority that issues the certificates.")
    ],
    data: DataOption = None,
    san: SanOption = None,
    subject: SubjectOption = None,
    tenant: TenantOption = None,
) -> None:
    """Let a client in by a name that its own authority vouches for, whatever its key.

    The name is compared whole and as it is. A client that does not exist is made.
    """
    from strongroom.server.errors import OperatorError

    try:
        pem = issuer.read_text(encoding="ascii")
    except OSError as error:
        raise OperatorError(f"cannot read {issuer}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{issuer} is no certificate in PEM") from error
    administer(
        data,
        {
            "command": "client.map",
            "name": name,
            "issuer": pem,
            "san": san,
            "subject": subject,
            "tenant": tenant,
        },
    )


def unmap(
    name: NameArgument, data: DataOption = None, san: SanOption = None, subject: SubjectOption = None
) -> None:
    """Remove a rule of a client; without a name in the certificate, all of them."""
    administer(data, {"command": "client.unmap", "name": name, "san": san, "subject": subject})


def rules(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """List which names of which authorities are which clients."""
    found = cast(list[dict[str, object]], administer(data, {"command": "client.rules"}))
    columns = {"client": "client", "type": "type", "name": "name", "issuer": "issuer", "key": "issuer_key"}
    print_rows(found, columns=columns, identifier="client", output=output)
