"""Dates of listings that were fixed when they were printed.

Rule: a listing is played as printed unless a date that was in the future then would be in the past
now; only then all its dates move by the time that has passed since.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from strongroom.conformance.cases import Case, Step
from strongroom.conformance.trees import child, children, find, leaves
from strongroom.registry import ResultStatus, Tag
from strongroom.wire.item import DATE_TIME, STRUCTURE, Item

_LIFE_CYCLE: Final = frozenset(
    {Tag.ACTIVATION_DATE, Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE}
)
_LIFE_CYCLE_NAMES: Final = frozenset(
    {"Activation Date", "Process Start Date", "Protect Stop Date", "Deactivation Date"}
)


def moved_to(case: Case, now: int) -> Case:
    """Return the case with its dates as they would be printed at `now` (seconds)."""
    printed = _printed_at(case.steps[0])
    if printed is None or not any(_outdated(step) for step in case.steps):
        return case
    delta = now - printed
    steps = tuple(
        replace(step, request=_move(step.request, delta), response=_move(step.response, delta))
        for step in case.steps
    )
    return replace(case, steps=steps)


def fixed_dates(message: Item) -> frozenset[int]:
    """Return the dates that a template spells out."""
    return frozenset(
        value for _, kind, value in leaves(message) if kind == DATE_TIME and isinstance(value, int)
    )


def all_refused(response: Item) -> bool:
    """Tell whether a template expects that every operation of the batch fails."""
    statuses = [item[2] for item in find(response, Tag.RESULT_STATUS)]
    return bool(statuses) and all(status == ResultStatus.OPERATION_FAILED for status in statuses)


def _outdated(step: Step) -> bool:
    printed = _printed_at(step)
    return printed is not None and any(date > printed for date in _life_cycle_dates(step.request))


def _printed_at(step: Step) -> int | None:
    header = child(step.response, Tag.RESPONSE_HEADER)
    stamp = child(header, Tag.TIME_STAMP) if header is not None else None
    return stamp[2] if stamp is not None and isinstance(stamp[2], int) else None


def _life_cycle_dates(message: Item) -> Iterator[int]:
    for tag in _LIFE_CYCLE:
        yield from (item[2] for item in find(message, tag) if isinstance(item[2], int))
    for attribute in find(message, Tag.ATTRIBUTE):
        names = [item[2] for item in children(attribute, Tag.ATTRIBUTE_NAME)]
        if names and names[0] in _LIFE_CYCLE_NAMES:
            values = children(attribute, Tag.ATTRIBUTE_VALUE)
            yield from (item[2] for item in values if isinstance(item[2], int))


def _move(item: Item, delta: int) -> Item:
    tag, kind, value = item
    if kind == STRUCTURE:
        return (tag, kind, [_move(inner, delta) for inner in value])
    return (tag, kind, value + delta) if kind == DATE_TIME and isinstance(value, int) else item
