"""`strongroom attr`: attributes of objects.

Rule: options and printing; which attributes there are, and who may change them, is the server's to say.
"""

from typing import Annotated

import typer

from strongroom.cli.connection import ObjectArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.object import record_of
from strongroom.cli.output import Output, OutputOption, print_identifier, print_record, print_rows
from strongroom.cli.showing import shown_key
from strongroom.cli.values import CUSTOM_TYPES, parse_instance, parse_key
from strongroom.registry import V2_0

app = typer.Typer(help="Read and change attributes.", rich_markup_mode=None, no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The specification's name, x-NAME, or VENDOR:NAME.")
]
ValueArgument = Annotated[
    str,
    typer.Argument(
        metavar="VALUE",
        help="Names for numbers, ISO 8601 for dates, hexadecimal for bytes, field=value,... for structures.",
    ),
]
TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help=f"Of a custom attribute: {', '.join(CUSTOM_TYPES)}.")
]
IndexOption = Annotated[
    int | None, typer.Option("--index", min=0, metavar="N", help="Which of several values (KMIP 1.x).")
]


@app.command()
def get(
    object_: ObjectArgument,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="[default: all]")] = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print attributes with their values."""
    keys = [parse_key(name) for name in names or ()]
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        record = record_of(client.get_attributes(identifier, *keys))
    if not record:
        wanted = ", ".join(map(shown_key, keys)) or "attributes"
        raise Stop(
            f"{object_!r} has no {wanted}; `strongroom attr list` shows what it has", ExitCode.NOT_FOUND
        )
    print_record(record, unique_identifier=identifier, output=output)


@app.command("list")
def list_(
    object_: ObjectArgument,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the names of the attributes that an object has."""
    with connected(profile, server) as client:
        names = [shown_key(key) for key in client.get_attribute_list(resolve(client, object_))]
    print_rows([{"name": name} for name in names], columns={"name": "name"}, identifier="name", output=output)


@app.command()
def add(
    object_: ObjectArgument,
    name: NameArgument,
    value: ValueArgument,
    custom: TypeOption = "text",
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Add an attribute, or one more value of it."""
    instance = parse_instance(parse_key(name), value, custom=custom)
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        client.add_attribute(identifier, instance)
    print_identifier(identifier, output)


@app.command("set")
def set_(
    object_: ObjectArgument,
    name: NameArgument,
    value: ValueArgument,
    custom: TypeOption = "text",
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give an attribute its only value, had it one or not."""
    instance = parse_instance(parse_key(name), value, custom=custom)
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        if client.negotiate() >= V2_0:
            client.set_attribute(identifier, instance)
        elif client.get_attributes(identifier, instance.key):
            client.modify_attribute(identifier, instance)
        else:
            client.add_attribute(identifier, instance)
    print_identifier(identifier, output)


@app.command()
def modify(
    object_: ObjectArgument,
    name: NameArgument,
    value: ValueArgument,
    index: IndexOption = None,
    before: Annotated[
        str | None,
        typer.Option("--from", metavar="VALUE", help="Which of several values (KMIP 2.0 and later)."),
    ] = None,
    custom: TypeOption = "text",
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change the value of an attribute that the object has."""
    key = parse_key(name)
    instance = parse_instance(key, value, custom=custom)._replace(index=index)
    current = None if before is None else parse_instance(key, before, custom=custom)
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        client.modify_attribute(identifier, instance, current=current)
    print_identifier(identifier, output)


@app.command()
def delete(
    object_: ObjectArgument,
    name: NameArgument,
    index: IndexOption = None,
    value: Annotated[
        str | None,
        typer.Option("--value", metavar="VALUE", help="Which of several values (KMIP 2.0 and later)."),
    ] = None,
    custom: TypeOption = "text",
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete an attribute, or one of its values."""
    key = parse_key(name)
    current = None if value is None else parse_instance(key, value, custom=custom)
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        client.delete_attribute(identifier, key, attribute_index=index, current=current)
    print_identifier(identifier, output)
