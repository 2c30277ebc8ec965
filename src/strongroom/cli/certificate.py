"""`strongroom certificate`: certificates that the server issues, judges and renews.

Rule: options and printing; the keys that sign are objects of whoever asks.
"""

from typing import Annotated

import typer

from strongroom.cli import key_files, key_life
from strongroom.cli import object as objects
from strongroom.cli.connection import ProfileOption, ServerOption, connected, resolve
from strongroom.cli.files import read_bytes
from strongroom.cli.key_options import ActivateOption, active
from strongroom.cli.listing import print_objects
from strongroom.cli.object import AttributeOption, GroupOption, MaximumOption, NameOption, given_attributes
from strongroom.cli.output import Output, OutputOption, print_identifier
from strongroom.cli.values import parse_date
from strongroom.registry import CertificateRequestType, CryptographicUsageMask, ObjectType

app = typer.Typer(
    help="Issue, list, show, validate and renew certificates.", rich_markup_mode=None, no_args_is_help=True
)

_AUTHORITY = CryptographicUsageMask.CERTIFICATE_SIGN | CryptographicUsageMask.CRL_SIGN
_PEM = b"-----BEGIN "

CertificateArgument = Annotated[str, typer.Argument(metavar="CERTIFICATE", help="Unique Identifier or Name.")]


@app.command()
def certify(
    key: Annotated[
        str | None,
        typer.Argument(metavar="[KEY]", help="A public key of the server, by Unique Identifier or Name."),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A PKCS #10 request, PEM or DER, instead; - reads stdin."),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(
            metavar="CERTIFICATE",
            help="Whom to sign under. [default: the server's issuer; an authority signs for itself]",
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject-cn", metavar="NAME", help="The common name, as www.example.org.")
    ] = None,
    authority: Annotated[
        bool, typer.Option("--authority", help="May sign certificates and revocation lists itself.")
    ] = False,
    name: NameOption = None,
    activate: ActivateOption = False,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have a certificate issued for a key or a request."""
    if (key is None) == (request is None):
        raise typer.BadParameter("name a public KEY, or a file with --request")
    data = None if request is None else read_bytes(request)
    pem = data is not None and data.lstrip().startswith(_PEM)
    given = [*given_attributes(group, attributes), *active(activate)]
    with connected(profile, server) as client:
        made = client.certify(
            None if key is None else resolve(client, key),
            certificate_request=data,
            certificate_request_type=CertificateRequestType.PEM if pem else CertificateRequestType.PKCS_10,
            issuer=None if issuer is None else resolve(client, issuer),
            name=name,
            certificate_subject_cn=subject,
            cryptographic_usage_mask=_AUTHORITY if authority else None,
            attributes=given,
        )
    print_identifier(made, output)


@app.command("list")
def list_(
    maximum: MaximumOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the certificates that you may see."""
    with connected(profile, server) as client:
        found = client.locate(object_type=ObjectType.CERTIFICATE, maximum_items=maximum)
        print_objects(client, found, output)


@app.command()
def validate(
    certificates: Annotated[
        list[str] | None, typer.Argument(metavar="[CERTIFICATE]...", help="Unique Identifiers or Names.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="FILE", help="A certificate in PEM or DER; repeatable."),
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="DATE", help="At this date. [default: now]")] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Ask the server whether certificates are a valid chain.

    Prints `valid`; whatever is not valid is an error, with exit code 1.
    """
    from strongroom.cli.material import certificate_der

    if not certificates and not files:
        raise typer.BadParameter("name a CERTIFICATE, or a file with --file")
    ders = [certificate_der(read_bytes(file)) for file in files or ()]
    moment = None if at is None else parse_date(at)
    with connected(profile, server) as client:
        identifiers = [resolve(client, certificate) for certificate in certificates or ()]
        client.validate(*identifiers, certificates=ders, validity_date=moment)
    print("valid")


@app.command()
def renew(
    certificate: CertificateArgument,
    offset: Annotated[
        int | None,
        typer.Option(min=0, metavar="SECONDS", help="From now to the beginning of the new one."),
    ] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have a certificate issued anew for the same key.

    Prints the new one, which takes over the Name.
    """
    with connected(profile, server) as client:
        made = client.re_certify(resolve(client, certificate), offset=offset)
    print_identifier(made, output)


app.command("show")(objects.show)
app.command("export", help="Write a certificate to a PEM file, and print its name.")(key_files.export)
app.command("activate", help="Make a Pre-Active certificate Active.")(key_life.activate)
app.command("revoke", help="Deactivate a certificate; whoever validates it is told.")(key_life.revoke)
app.command("destroy")(objects.destroy)
