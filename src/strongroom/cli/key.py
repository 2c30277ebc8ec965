"""`strongroom key`: symmetric keys and key pairs.

Rule: options and printing; a key is named by its Unique Identifier or its Name. Keys travel in files, never
in arguments.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from strongroom.cli import object as objects
from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.files import ForceOption, ForceStdoutOption, read_bytes, write_secret
from strongroom.cli.listing import print_objects
from strongroom.cli.material import Format
from strongroom.cli.object import AttributeOption, GroupOption, MaximumOption, NameOption, given_attributes
from strongroom.cli.output import Output, OutputOption, print_identifier, print_rows
from strongroom.cli.values import choices, parse_date, parse_enumeration, parse_mask, parse_span
from strongroom.client.attributes import attribute
from strongroom.client.errors import FeatureNotSupported, InvalidField, KeyFormatTypeNotSupported
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.objects import OBJECT_TYPES, ManagedObjectStruct
from strongroom.model.structures import UsageLimits
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    RecommendedCurve,
    RevocationReasonCode,
    Tag,
    UsageLimitsUnit,
)

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

app = typer.Typer(
    help="Create, import, list, export and retire keys.", rich_markup_mode=None, no_args_is_help=True
)
app.command("show")(objects.show)
app.command("destroy")(objects.destroy)

KEYS: Final = (ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.SPLIT_KEY)
_TYPES: Final = {object_type: cls for cls, object_type in OBJECT_TYPES.items()}
_SUFFIXES: Final = {
    Format.RAW: "key",
    Format.HEX: "hex",
    Format.BASE64: "base64",
    Format.PEM: "pem",
    Format.DER: "der",
}

UsageOption = Annotated[
    str | None,
    typer.Option("--usage", metavar="USES", help=f"Comma-separated, of: {choices(CryptographicUsageMask)}."),
]
RotateEveryOption = Annotated[
    str | None,
    typer.Option(
        "--rotate-every", metavar="SPAN", help="Have the server rotate it when it is so old: 90d, 12h."
    ),
]
RotateAfterOption = Annotated[
    int | None,
    typer.Option(
        "--rotate-after",
        min=1,
        metavar="USES",
        help="Have the server rotate it after so many uses; then it is used no more.",
    ),
]
ActivateOption = Annotated[bool, typer.Option("--activate", help="Make it Active at once.")]


@app.command()
def create(
    name: NameOption = None,
    algorithm: Annotated[
        str, typer.Option(metavar="ALGORITHM", help=f"One of: {choices(CryptographicAlgorithm)}.")
    ] = "AES",
    length: Annotated[
        int | None,
        typer.Option(min=1, metavar="BITS", help="[default: 256 for AES, else the server's choice]"),
    ] = None,
    usage: UsageOption = None,
    activate: ActivateOption = False,
    rotate_every: RotateEveryOption = None,
    rotate_after: RotateAfterOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server make a symmetric key. Uses are Encrypt and Decrypt unless told."""
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    if length is None and chosen is CryptographicAlgorithm.AES:
        length = 256
    given = [*given_attributes(group, attributes), *_active(activate), *_rotated(rotate_every, rotate_after)]
    mask = parse_mask(CryptographicUsageMask, usage or "Encrypt,Decrypt")
    with connected(profile, server) as client:
        made = client.create_symmetric_key(
            name=name,
            cryptographic_algorithm=chosen,
            cryptographic_length=length,
            cryptographic_usage_mask=mask,
            attributes=given,
        )
    print_identifier(made, output)


@app.command()
def pair(
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the private key; the public one is NAME.pub."),
    ] = None,
    algorithm: Annotated[
        str, typer.Option(metavar="ALGORITHM", help=f"One of: {choices(CryptographicAlgorithm)}.")
    ] = "RSA",
    length: Annotated[
        int | None,
        typer.Option(min=1, metavar="BITS", help="[default: 3072 for RSA, else that of the curve]"),
    ] = None,
    curve: Annotated[
        str | None, typer.Option(metavar="CURVE", help=f"One of: {choices(RecommendedCurve)}.")
    ] = None,
    private_usage: Annotated[
        str,
        typer.Option("--private-usage", metavar="USES", help="Uses of the private key; see `key create`."),
    ] = "Sign",
    public_usage: Annotated[
        str, typer.Option("--public-usage", metavar="USES", help="Uses of the public key.")
    ] = "Verify",
    activate: ActivateOption = False,
    rotate_every: RotateEveryOption = None,
    rotate_after: RotateAfterOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server make a private key and its public key. Attributes and groups go to both."""
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    if length is None and chosen is CryptographicAlgorithm.RSA:
        length = 3072
    given = [*given_attributes(group, attributes), *_active(activate), *_rotated(rotate_every, rotate_after)]
    with connected(profile, server) as client:
        made = client.create_key_pair(
            cryptographic_algorithm=chosen,
            cryptographic_length=length,
            recommended_curve=None if curve is None else parse_enumeration(RecommendedCurve, curve),
            private_key_name=name,
            public_key_name=None if name is None else f"{name}.pub",
            private_key_usage_mask=parse_mask(CryptographicUsageMask, private_usage),
            public_key_usage_mask=parse_mask(CryptographicUsageMask, public_usage),
            attributes=given,
        )
    print_rows(
        [
            {"object_type": "Private Key", "unique_identifier": made.private_key_unique_identifier},
            {"object_type": "Public Key", "unique_identifier": made.public_key_unique_identifier},
        ],
        columns={"object type": "object_type", "unique identifier": "unique_identifier"},
        identifier="unique_identifier",
        output=output,
    )


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The key; - reads stdin.")],
    name: NameOption = None,
    key_format: Annotated[
        Format | None, typer.Option("--format", help="How it is written. [default: PEM is recognised]")
    ] = None,
    algorithm: Annotated[
        str, typer.Option(metavar="ALGORITHM", help="Of a symmetric key; PEM and DER tell it themselves.")
    ] = "AES",
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="F", help="File with the passphrase of an encrypted private key.")
    ] = None,
    usage: UsageOption = None,
    activate: ActivateOption = False,
    rotate_every: RotateEveryOption = None,
    rotate_after: RotateAfterOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give the server a key that exists already: symmetric, private or public.

    Uses are Encrypt and Decrypt, Sign, or Verify unless told.
    """
    from strongroom.cli import material

    data = read_bytes(file)
    found = key_format or material.guess_format(data)
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    passphrase = None if passphrase_file is None else read_bytes(str(passphrase_file)).rstrip(b"\r\n")
    given = [*given_attributes(group, attributes), *_active(activate), *_rotated(rotate_every, rotate_after)]
    with connected(profile, server) as client:
        if found in (Format.PEM, Format.DER):
            key = material.read_asymmetric(data, found, passphrase=passphrase)
        else:
            key = material.read_symmetric(data, found, chosen)
        mask = parse_mask(CryptographicUsageMask, usage or _USES[OBJECT_TYPES[type(key)]])
        made = client.register(key, name=name, cryptographic_usage_mask=mask, attributes=given)
    print_identifier(made, output)


_USES: Final = {
    ObjectType.SYMMETRIC_KEY: "Encrypt,Decrypt",
    ObjectType.PRIVATE_KEY: "Sign",
    ObjectType.PUBLIC_KEY: "Verify",
}


@app.command("list")
def list_(
    maximum: MaximumOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the keys that you may see; `strongroom locate` picks from them."""
    with connected(profile, server) as client:
        found: list[UniqueIdentifier] = []
        for object_type in KEYS:
            left = None if maximum is None else maximum - len(found)
            if left != 0:
                found += client.locate(object_type=object_type, maximum_items=left)
        print_objects(client, found, output)


@app.command()
def export(
    key: KeyArgument,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to; - writes stdout. [default: a file named after the key]"),
    ] = None,
    key_format: Annotated[
        Format | None, typer.Option("--format", help="How to write it. [default: PEM for pairs, else raw]")
    ] = None,
    force: ForceOption = False,
    force_stdout: ForceStdoutOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Write key material to a file that only you can read (mode 0600), and print the file's name."""
    from strongroom.cli.material import export_bytes

    with connected(profile, server) as client:
        identifier = resolve(client, key)
        managed_type = _TYPES.get(_object_type(client, identifier), ManagedObjectStruct)
        asymmetric = managed_type in (_TYPES[ObjectType.PRIVATE_KEY], _TYPES[ObjectType.PUBLIC_KEY])
        certificate = managed_type is _TYPES[ObjectType.CERTIFICATE]
        chosen = key_format or (Format.PEM if asymmetric or certificate else Format.RAW)
        data = export_bytes(_fetched(client, identifier, managed_type, chosen), chosen)
    path = out or f"{re.sub(r'[^A-Za-z0-9._-]+', '_', key).lstrip('.') or identifier}.{_SUFFIXES[chosen]}"
    write_secret(path, data, force=force, force_stdout=force_stdout)
    if path != "-":
        print(path)


def _fetched(
    client: "Client", identifier: "UniqueIdentifier", managed_type: type[ManagedObjectStruct], chosen: Format
) -> ManagedObjectStruct:
    """Return the object in the format that fits best, else as the server has it."""
    from strongroom.cli.material import wanted_format_type

    wanted = wanted_format_type(managed_type, chosen)
    try:
        return client.get(identifier, key_format_type=wanted)
    except (KeyFormatTypeNotSupported, FeatureNotSupported, InvalidField):
        if wanted is None:
            raise
        return client.get(identifier)


@app.command()
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


@app.command()
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
    """Deactivate a key; with Key Compromise as the reason, call it compromised."""
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


@app.command()
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
    """Replace a key and print the new one, which takes over the Name. Of a pair, name the private key."""
    with connected(profile, server) as client:
        identifier = resolve(client, key)
        match _object_type(client, identifier):
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


def _object_type(client: "Client", identifier: "UniqueIdentifier") -> ObjectType:
    for one in client.get_attributes(identifier, Tag.OBJECT_TYPE):
        if isinstance(one.value, ObjectType):
            return one.value
    raise Stop(f"the server does not say what {identifier} is")


def _rotated(every: str | None, after: int | None) -> list[AttributeInstance]:
    given = [] if every is None else [attribute(Tag.ROTATE_INTERVAL, parse_span(every))]
    if after is not None:
        limits = UsageLimits(usage_limits_total=after, usage_limits_unit=UsageLimitsUnit.OBJECT)
        given.append(attribute(Tag.USAGE_LIMITS, limits))
    return [*given, attribute(Tag.ROTATE_AUTOMATIC, value=True)] if given else []


def _active(wanted: bool) -> list[AttributeInstance]:
    return [attribute(Tag.ACTIVATION_DATE, parse_date("now"))] if wanted else []
