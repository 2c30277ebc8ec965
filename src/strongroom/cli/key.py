"""`strongroom key`: symmetric keys and key pairs.

Rule: options and printing; a key is named by its Unique Identifier or its Name. What makes and lists keys is
here; the verbs of `key_files.py`, `key_life.py` and `key_parts.py` are adopted.
"""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from strongroom.cli import key_files, key_life, key_parts
from strongroom.cli import object as objects
from strongroom.cli.connection import ProfileOption, ServerOption, connected
from strongroom.cli.key_options import (
    ActivateOption,
    RotateAfterOption,
    RotateEveryOption,
    UsageOption,
    active,
    rotated,
    usage_of,
)
from strongroom.cli.listing import print_objects
from strongroom.cli.object import AttributeOption, GroupOption, MaximumOption, NameOption, given_attributes
from strongroom.cli.output import Output, OutputOption, print_identifier, print_rows
from strongroom.cli.values import parse_enumeration
from strongroom.registry import CryptographicAlgorithm, ObjectType, RecommendedCurve

if TYPE_CHECKING:
    from strongroom.model.identifiers import UniqueIdentifier

app = typer.Typer(
    help="Create, import, list, export, split and retire keys.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

KEYS: Final = (ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.SPLIT_KEY)


@app.command()
def create(
    name: NameOption = None,
    algorithm: Annotated[
        str, typer.Option(metavar="ALGORITHM", help="AES, ChaCha20, HMAC-SHA256 and others.")
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
    """Have the server make a symmetric key.

    Unless told, its uses are those of its algorithm: Encrypt and Decrypt, or MAC Generate and MAC Verify.
    """
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    if length is None and chosen is CryptographicAlgorithm.AES:
        length = 256
    given = [*given_attributes(group, attributes), *active(activate), *rotated(rotate_every, rotate_after)]
    mask = usage_of(usage, ObjectType.SYMMETRIC_KEY, chosen)
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
        str, typer.Option(metavar="ALGORITHM", help="RSA, ECDSA, Ed25519, ECDH, ML-DSA-65 and others.")
    ] = "RSA",
    length: Annotated[
        int | None,
        typer.Option(min=1, metavar="BITS", help="[default: 3072 for RSA, else that of the curve]"),
    ] = None,
    curve: Annotated[
        str | None, typer.Option(metavar="CURVE", help="Of EC keys: P-256, P-384, P-521 and others.")
    ] = None,
    private_usage: Annotated[
        str | None,
        typer.Option("--private-usage", metavar="USES", help="Uses of the private key; see `key create`."),
    ] = None,
    public_usage: Annotated[
        str | None, typer.Option("--public-usage", metavar="USES", help="Uses of the public key.")
    ] = None,
    activate: ActivateOption = False,
    rotate_every: RotateEveryOption = None,
    rotate_after: RotateAfterOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server make a private key and its public key.

    Attributes and groups go to both. Unless told, uses are Sign and Verify, or Key Agreement where the
    algorithm is for that.
    """
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    if length is None and chosen is CryptographicAlgorithm.RSA:
        length = 3072
    given = [*given_attributes(group, attributes), *active(activate), *rotated(rotate_every, rotate_after)]
    with connected(profile, server) as client:
        made = client.create_key_pair(
            cryptographic_algorithm=chosen,
            cryptographic_length=length,
            recommended_curve=None if curve is None else parse_enumeration(RecommendedCurve, curve),
            private_key_name=name,
            public_key_name=None if name is None else f"{name}.pub",
            private_key_usage_mask=usage_of(private_usage, ObjectType.PRIVATE_KEY, chosen),
            public_key_usage_mask=usage_of(public_usage, ObjectType.PUBLIC_KEY, chosen),
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


@app.command("list")
def list_(
    maximum: MaximumOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the keys that you may see.

    `strongroom locate` picks from them.
    """
    with connected(profile, server) as client:
        found: list[UniqueIdentifier] = []
        for object_type in KEYS:
            left = None if maximum is None else maximum - len(found)
            if left != 0:
                found += client.locate(object_type=object_type, maximum_items=left)
        print_objects(client, found, output)


app.command("show")(objects.show)
app.command("import")(key_files.import_)
app.command("export")(key_files.export)
app.command("derive")(key_parts.derive)
app.command("split")(key_parts.split)
app.command("join")(key_parts.join)
app.command("activate")(key_life.activate)
app.command("revoke")(key_life.revoke)
app.command("rotate")(key_life.rotate)
app.command("destroy")(objects.destroy)
