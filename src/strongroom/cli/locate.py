"""`strongroom locate`: find objects by what they are.

Rule: options and printing; every condition becomes a filter of Locate, and the server combines them.
"""

from datetime import datetime
from typing import Annotated

import typer

from strongroom.attributes.catalogue import all_attributes
from strongroom.cli.connection import ProfileOption, ServerOption, connected
from strongroom.cli.listing import print_objects
from strongroom.cli.object import MaximumOption, OffsetOption
from strongroom.cli.output import Output, OutputOption
from strongroom.cli.values import (
    choices,
    parse_attribute,
    parse_enumeration,
    parse_instance,
    parse_key,
    parse_mask,
)
from strongroom.client.attributes import attribute
from strongroom.model.attribute_list import AttributeInstance
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    State,
    StorageStatusMask,
    Tag,
)
from strongroom.registry.names import enumeration_title

_RANGE = ".."


def locate(
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Exactly this Name.")] = None,
    object_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"One of: {choices(ObjectType)}.")
    ] = None,
    state: Annotated[str | None, typer.Option(metavar="STATE", help=f"One of: {choices(State)}.")] = None,
    algorithm: Annotated[
        str | None, typer.Option(metavar="ALGORITHM", help=f"One of: {choices(CryptographicAlgorithm)}.")
    ] = None,
    length: Annotated[int | None, typer.Option(metavar="BITS", help="Cryptographic Length.")] = None,
    usage: Annotated[
        str | None,
        typer.Option(metavar="USES", help=f"All of these uses: {choices(CryptographicUsageMask)}."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="In this Object Group; repeatable.")
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME=VALUE",
            help="Any attribute; x-NAME or x-NAME@TYPE for your own; a date may be FROM..TO; repeatable.",
        ),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="WHERE", help=f"Any of: {choices(StorageStatusMask)}.")
    ] = None,
    maximum: MaximumOption = None,
    offset: OffsetOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find the objects that meet every condition."""
    filters = [attribute(Tag.OBJECT_GROUP, one) for one in group or ()]
    for cls, text in ((ObjectType, object_type), (State, state), (CryptographicAlgorithm, algorithm)):
        if text is not None:
            filters.append(attribute(enumeration_title(cls), parse_enumeration(cls, text)))
    for text in attributes or ():
        filters += _filters(text)
    uses = None if usage is None else parse_mask(CryptographicUsageMask, usage)
    where = None if storage is None else parse_mask(StorageStatusMask, storage)
    with connected(profile, server) as client:
        found = client.locate(
            name=name,
            cryptographic_length=length,
            cryptographic_usage_mask=uses,
            attributes=filters,
            storage_status_mask=where,
            maximum_items=maximum,
            offset_items=offset,
        )
        print_objects(client, found, output)


def _filters(text: str) -> list[AttributeInstance]:
    """Return the filters of one `--attribute`: two for a range of dates, which is how KMIP says it."""
    name, _, value = text.partition("=")
    first, dots, last = value.partition(_RANGE)
    if dots:
        key = parse_key(name)
        if isinstance(key, Tag) and all_attributes()[key].kind is datetime:
            return [parse_instance(key, first), parse_instance(key, last)]
    return [parse_attribute(text)]
