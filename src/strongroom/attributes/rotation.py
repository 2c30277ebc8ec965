"""Automatic rotation (KMIP 2.1 §4.48-4.54).

Rule: declarations only; `due.py` says when they act, and the scheduler acts.
"""

from datetime import datetime
from typing import Final

from strongroom.attributes.declaration import (
    CLIENT,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    attribute,
)
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.model.struct import Seconds
from strongroom.model.structures import RotateName
from strongroom.registry import V2_1, ItemType, Tag

SHORTEST: Final = Seconds(3600)
"""A policy goes on to the successor, so a shorter interval would fill the store with keys."""


def _check_interval(value: Seconds) -> None:
    if value < SHORTEST:
        raise InvalidAttributeValue(f"a Rotate Interval is {SHORTEST} seconds at least")


# Each declaration keeps the rows of the rule table.
# fmt: off
ROTATE_NAME = attribute(
    Tag.ROTATE_NAME, RotateName, since=V2_1, spec="2.1 §4.53",
    always_has_value=False, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)

ROTATE_AUTOMATIC = attribute(
    Tag.ROTATE_AUTOMATIC, bool, since=V2_1, spec="2.1 §4.48",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

ROTATE_INTERVAL = attribute(
    Tag.ROTATE_INTERVAL, Seconds, since=V2_1, spec="2.1 §4.51",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    check=_check_interval,
)

ROTATE_OFFSET = attribute(
    Tag.ROTATE_OFFSET, Seconds, since=V2_1, spec="2.1 §4.54",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

ROTATE_DATE = attribute(
    Tag.ROTATE_DATE, datetime, since=V2_1, spec="2.1 §4.49",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

ROTATE_GENERATION = attribute(
    Tag.ROTATE_GENERATION, int, marker=ItemType.INTEGER, since=V2_1, spec="2.1 §4.50",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

ROTATE_LATEST = attribute(
    Tag.ROTATE_LATEST, bool, since=V2_1, spec="2.1 §4.52",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)
