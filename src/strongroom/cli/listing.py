"""Objects as rows: what `key list`, `object list` and `locate` print.

Rule: a few attributes of each object, asked for in as few messages as possible.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from strongroom.cli.output import Output, print_rows
from strongroom.cli.showing import shown
from strongroom.client.errors import KMIPError, ObjectNotFound
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.get_attributes import GetAttributesRequest, GetAttributesResponse
from strongroom.registry import BatchErrorContinuationOption, Tag

if TYPE_CHECKING:
    from strongroom.client.sync import Client

COLUMNS: Final = {
    "unique identifier": "unique_identifier",
    "name": "name",
    "object type": "object_type",
    "algorithm": "cryptographic_algorithm",
    "length": "cryptographic_length",
    "state": "state",
}
_TAGS: Final = tuple(Tag[field.upper()] for field in COLUMNS.values() if field != "unique_identifier")
_AT_ONCE: Final = 50


def print_objects(client: "Client", identifiers: Sequence[UniqueIdentifier], output: Output) -> None:
    """Print objects in the order given; those that are gone by now are left out."""
    if output is Output.ID:
        rows: Iterable[dict[str, object]] = ({"unique_identifier": one} for one in identifiers)
    else:
        rows = described(client, identifiers)
    print_rows(list(rows), columns=COLUMNS, identifier="unique_identifier", output=output)


def described(client: "Client", identifiers: Iterable[UniqueIdentifier]) -> Iterator[dict[str, object]]:
    """Yield what a list shows of each object."""
    left = iter(identifiers)
    while group := list(islice(left, _AT_ONCE)):
        requests = [GetAttributesRequest(unique_identifier=one, attribute_reference=_TAGS) for one in group]
        outcomes = client.batch(requests, on_error=BatchErrorContinuationOption.CONTINUE)
        for identifier, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, GetAttributesResponse):
                yield _row(identifier, outcome)
            elif isinstance(outcome, KMIPError) and not isinstance(outcome, ObjectNotFound):
                raise outcome


def _row(identifier: UniqueIdentifier, found: GetAttributesResponse) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS.values())
    names: list[object] = []
    for attribute in found.attributes.attributes:
        if attribute.key is Tag.NAME:
            names.append(shown(attribute.value))
        elif isinstance(attribute.key, Tag):
            row[attribute.key.name.lower()] = shown(attribute.value)
    return row | {"unique_identifier": identifier, "name": names}
