"""When a client may change an attribute that it may change at all.

Rule: each condition of the rule tables ("only while in Pre-Active state") is one function here, which returns
or raises the KmipError that says when the change would be possible.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from strongroom.domain.attribute_errors import AttributeReadOnly
from strongroom.domain.errors import InvalidField, WrongKeyLifecycleState
from strongroom.domain.lifecycle import state_at
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeKey
from strongroom.registry import State, Tag

_NAMES: Final[Mapping[AttributeKey, str]] = {
    Tag.ACTIVATION_DATE: "Activation Date",
    Tag.PROCESS_START_DATE: "Process Start Date",
    Tag.PROTECT_STOP_DATE: "Protect Stop Date",
    Tag.DEACTIVATION_DATE: "Deactivation Date",
}
_OPEN: Final = frozenset({State.PRE_ACTIVE, State.ACTIVE})

# Looked up once: every Get Attributes asks for the state.
_ACTIVE: Final = State.ACTIVE
_ACTIVATION_DATE: Final = Tag.ACTIVATION_DATE
_DEACTIVATION_DATE: Final = Tag.DEACTIVATION_DATE


def effective_state(obj: ManagedObject, now: datetime) -> State | None:
    """Return the state that the dates give an object at `now`; None for a Template."""
    state = obj.state
    if state is None or state > _ACTIVE:
        return state
    activation, deactivation = obj.value(_ACTIVATION_DATE), obj.value(_DEACTIVATION_DATE)
    return state_at(state, now, activation_date=activation, deactivation_date=deactivation)


def _require_state(obj: ManagedObject, now: datetime, tag: Tag, allowed: frozenset[State]) -> None:
    state = effective_state(obj, now)
    if state is not None and state not in allowed:
        wanted = " or ".join(_title(s) for s in sorted(allowed))
        raise WrongKeyLifecycleState(
            f"the {_NAMES[tag]} can be changed only while the object is {wanted}; it is {_title(state)}"
        )


def _require_future(obj: ManagedObject, now: datetime, tag: Tag) -> None:
    date = obj.value(tag)
    if date is not None and date <= now:
        raise WrongKeyLifecycleState(f"the {_NAMES[tag]} has passed, so it cannot be changed any more")


def _title(state: State) -> str:
    return state.name.replace("_", "-" if state is State.PRE_ACTIVE else " ").title()


def activation_date_is_open(obj: ManagedObject, now: datetime) -> None:
    """KMIP 2.1 §4.1: only while Pre-Active."""
    _require_state(obj, now, Tag.ACTIVATION_DATE, frozenset({State.PRE_ACTIVE}))


def process_start_date_is_open(obj: ManagedObject, now: datetime) -> None:
    """KMIP 2.1 §4.40: only while Pre-Active or Active, and until it is reached."""
    _require_state(obj, now, Tag.PROCESS_START_DATE, _OPEN)
    _require_future(obj, now, Tag.PROCESS_START_DATE)


def protect_stop_date_is_open(obj: ManagedObject, now: datetime) -> None:
    """KMIP 2.1 §4.41: only while Pre-Active or Active, and until it is reached."""
    _require_state(obj, now, Tag.PROTECT_STOP_DATE, _OPEN)
    _require_future(obj, now, Tag.PROTECT_STOP_DATE)


def deactivation_date_is_open(obj: ManagedObject, now: datetime) -> None:
    """KMIP 2.1 §4.18: only while Pre-Active or Active."""
    _require_state(obj, now, Tag.DEACTIVATION_DATE, _OPEN)


def usage_limits_are_unused(obj: ManagedObject, now: datetime) -> None:
    """KMIP 2.1 §4.59: as long as nothing was taken from them."""
    limits = obj.value(Tag.USAGE_LIMITS)
    if limits is None or limits.usage_limits_count is None:
        return
    if limits.usage_limits_count != limits.usage_limits_total:
        raise AttributeReadOnly("the Usage Limits are in use, so they cannot be changed any more")


def not_yet_sensitive(obj: ManagedObject, now: datetime) -> None:
    """A key that was protected stays protected: server policy, narrower than KMIP 2.1 §4.55."""
    if obj.value(Tag.SENSITIVE):
        raise AttributeReadOnly("the object is Sensitive, and stays so")


def still_extractable(obj: ManagedObject, now: datetime) -> None:
    """A key that was locked in stays locked in: server policy, narrower than KMIP 2.1 §4.23."""
    if obj.value(Tag.EXTRACTABLE) is False:
        raise AttributeReadOnly("the object is not Extractable, and stays so")


def check_dates(
    obj: ManagedObject,
    now: datetime,
    changed: AbstractSet[AttributeKey] = _NAMES.keys(),
    value: datetime | None = None,
) -> None:
    """Raise InvalidField unless the dates that change are in the order that the life cycle needs.

    With `value`, as if they had that value already (KMIP 2.1 §4.40 and §4.41). A date that stays as it is may
    have been overtaken: an object may be activated after its Process Start Date, and ended before its Protect
    Stop Date. What has been activated ends with any Deactivation Date in the past (§4.57, transition 6).
    """
    if changed.isdisjoint(_NAMES):
        return
    dates = {known: value if value and known in changed else obj.value(known) for known in _NAMES}
    activation, deactivation = dates[Tag.ACTIVATION_DATE], dates[Tag.DEACTIVATION_DATE]
    if obj.state is not None and obj.state > _ACTIVE:
        deactivation = None
    for known, date in dates.items():
        if date is None or known is Tag.ACTIVATION_DATE:
            continue
        if known is Tag.DEACTIVATION_DATE and activation is not None and activation <= now:
            continue
        if activation is not None and date < activation and changed & {known, Tag.ACTIVATION_DATE}:
            raise InvalidField(f"the {_NAMES[known]} is before the Activation Date")
        if deactivation is not None and date > deactivation and changed & {known, Tag.DEACTIVATION_DATE}:
            raise InvalidField(f"the {_NAMES[known]} is after the Deactivation Date")
