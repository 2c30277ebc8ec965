"""What the commands on keys have in common.

Rule: options and what they mean as attributes; no command.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from strongroom.cli.exit import Stop
from strongroom.cli.values import choices, parse_date, parse_mask, parse_span
from strongroom.client.attributes import attribute
from strongroom.domain.usual_use import usual_use
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.structures import UsageLimits
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Tag,
    UsageLimitsUnit,
)

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

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


def rotated(every: str | None, after: int | None) -> list[AttributeInstance]:
    """Return the attributes of `--rotate-every` and `--rotate-after`; raises BadParameter."""
    given = [] if every is None else [attribute(Tag.ROTATE_INTERVAL, parse_span(every))]
    if after is not None:
        limits = UsageLimits(usage_limits_total=after, usage_limits_unit=UsageLimitsUnit.OBJECT)
        given.append(attribute(Tag.USAGE_LIMITS, limits))
    return [*given, attribute(Tag.ROTATE_AUTOMATIC, value=True)] if given else []


def usage_of(
    usage: str | None, object_type: ObjectType, algorithm: CryptographicAlgorithm
) -> CryptographicUsageMask:
    """Return the mask of `--usage`, else that of the algorithm; raises BadParameter."""
    return usual_use(object_type, algorithm) if usage is None else parse_mask(CryptographicUsageMask, usage)


def active(wanted: bool) -> list[AttributeInstance]:
    """Return the attributes of `--activate`."""
    return [attribute(Tag.ACTIVATION_DATE, parse_date("now"))] if wanted else []


def type_of(client: "Client", identifier: "UniqueIdentifier") -> ObjectType:
    """Return what an object is; raises Stop when the server does not say."""
    for one in client.get_attributes(identifier, Tag.OBJECT_TYPE):
        if isinstance(one.value, ObjectType):
            return one.value
    raise Stop(f"the server does not say what {identifier} is")
