"""`strongroom object`: managed objects of every type.

Rule: options and printing. The verbs that keys share with other objects are written here and `key.py` adopts
them.
"""

import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strongroom.attributes.catalogue import all_attributes
from strongroom.cli import object_files, parked
from strongroom.cli.connection import ObjectArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import Stop
from strongroom.cli.files import confirm, read_bytes
from strongroom.cli.listing import print_objects
from strongroom.cli.output import Output, OutputOption, print_identifier, print_record
from strongroom.cli.showing import shown, shown_key
from strongroom.cli.values import choices, parse_attribute, parse_enumeration
from strongroom.client.attributes import attribute
from strongroom.client.errors import PermissionDenied, WrongKeyLifecycleState
from strongroom.model.attribute_list import AttributeInstance, Attributes, VendorAttribute
from strongroom.registry import ObjectType, SecretDataType, State, Tag

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

app = typer.Typer(
    help="List, show, register, move and destroy objects.", rich_markup_mode=None, no_args_is_help=True
)

app.command("export")(object_files.export)
app.command("import")(object_files.import_)
app.command("restore")(parked.restore)
app.command("parked")(parked.parked)

NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Its Name, by which commands find it.")
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", metavar="GROUP", help="An Object Group; repeatable.")
]
AttributeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="NAME=VALUE",
        help="Any other attribute; x-NAME or x-NAME@TYPE for your own; repeatable.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
MaximumOption = Annotated[int | None, typer.Option("--maximum", min=0, metavar="N", help="At most so many.")]
OffsetOption = Annotated[
    int | None, typer.Option("--offset", min=0, metavar="N", help="Skip so many (KMIP 1.3 and later).")
]


def given_attributes(groups: list[str] | None, attributes: list[str] | None) -> list[AttributeInstance]:
    """Return the attributes of `--group` and `--attribute`; raises BadParameter."""
    return [
        *(attribute(Tag.OBJECT_GROUP, group) for group in groups or ()),
        *(parse_attribute(text) for text in attributes or ()),
    ]


@app.command("list")
def list_(
    object_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"Only one of: {choices(ObjectType)}.")
    ] = None,
    maximum: MaximumOption = None,
    offset: OffsetOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the objects that you may see."""
    wanted = None if object_type is None else parse_enumeration(ObjectType, object_type)
    with connected(profile, server) as client:
        found = client.locate(object_type=wanted, maximum_items=maximum, offset_items=offset)
        print_objects(client, found, output)


@app.command()
def show(
    object_: ObjectArgument,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show every attribute of an object, never its material."""
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        record = record_of(client.get_attributes(identifier))
    print_record(record, unique_identifier=identifier, output=output)


def record_of(attributes: Attributes) -> dict[str, object]:
    """Return attributes by name; a list where an attribute may have several values."""
    record: dict[str, Any] = {}
    several: defaultdict[str, list[object]] = defaultdict(list)
    for one in attributes:
        name = shown_key(one.key)
        if isinstance(one.key, VendorAttribute) or all_attributes()[one.key].multiple:
            several[name].append(shown(one.value))
            record[name] = several[name]
        else:
            record[name] = shown(one.value)
    return record


@app.command()
def register(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="secret-data, opaque-object or certificate (X.509, PEM or DER)."),
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="What to keep; - reads stdin.")],
    name: NameOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    secret_type: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help=f"One of: {choices(SecretDataType)}. [default: Password]"),
    ] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give the server an object to keep. Keys go in with `strongroom key import`.

    The bytes of a secret are taken as they are: a line end at the end is part of it.
    """
    kinds = (ObjectType.SECRET_DATA, ObjectType.OPAQUE_OBJECT, ObjectType.CERTIFICATE)
    object_type = parse_enumeration(ObjectType, kind)
    if object_type not in kinds:
        raise typer.BadParameter(f"{kind!r} is neither secret-data nor opaque-object nor certificate")
    secret_data_type = (
        SecretDataType.PASSWORD if secret_type is None else parse_enumeration(SecretDataType, secret_type)
    )
    given = given_attributes(group, attributes)
    data = read_bytes(file)
    with connected(profile, server) as client:
        match object_type:
            case ObjectType.SECRET_DATA:
                made = client.register_secret_data(
                    data, name=name, secret_data_type=secret_data_type, attributes=given
                )
            case ObjectType.CERTIFICATE:
                from strongroom.cli.material import certificate_der

                made = client.register_certificate(certificate_der(data), name=name, attributes=given)
            case _:
                made = client.register_opaque_object(data, name=name, attributes=given)
    print_identifier(made, output)


@app.command()
def destroy(
    object_: ObjectArgument,
    yes: YesOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete the material for good; the attributes stay. An Active object is revoked first."""
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        confirm(f"Destroy {called(client, identifier)}? Nothing brings its material back", yes=yes)
        try:
            client.destroy(identifier)
        except (WrongKeyLifecycleState, PermissionDenied) as exc:
            if State.ACTIVE not in [one.value for one in client.get_attributes(identifier, Tag.STATE)]:
                raise
            raise Stop(
                f"{object_!r} is Active; revoke it first: strongroom key revoke {shlex.quote(object_)}"
            ) from exc
    print_identifier(identifier, output)


def called(client: "Client", identifier: "UniqueIdentifier") -> str:
    """Return how to call an object in a question."""
    names = [shown(one.value) for one in client.get_attributes(identifier, Tag.NAME)]
    return f"{', '.join(map(repr, names))} ({identifier})" if names else identifier
