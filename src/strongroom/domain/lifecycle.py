"""Life cycle of managed objects (KMIP 1.x §3.22, 2.1 §4.57 State; NIST SP 800-57).

Rule: every state change in the server goes through this file. It knows no storage and no caller.

                 activate              deactivate            destroy
    Pre-Active ----------> Active ----------------> Deactivated -------> Destroyed
        |  |                  |                          |                   |
        |  | compromise       | compromise               | compromise        | compromise
        |  +----------------> Compromised <--------------+                   v
        |                     |            destroy                  Destroyed Compromised
        +--> Destroyed        +------------------------------------------->
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from strongroom.domain.errors import WrongKeyLifecycleState
from strongroom.registry import RevocationReasonCode, State


class Event(Enum):
    """What can happen to an object."""

    ACTIVATE = "activated"
    DEACTIVATE = "deactivated"
    COMPROMISE = "marked as compromised"
    DESTROY = "destroyed"


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.PRE_ACTIVE, Event.ACTIVATE): State.ACTIVE,
    (State.PRE_ACTIVE, Event.COMPROMISE): State.COMPROMISED,
    (State.PRE_ACTIVE, Event.DESTROY): State.DESTROYED,
    (State.ACTIVE, Event.DEACTIVATE): State.DEACTIVATED,
    (State.ACTIVE, Event.COMPROMISE): State.COMPROMISED,
    (State.DEACTIVATED, Event.COMPROMISE): State.COMPROMISED,
    (State.DEACTIVATED, Event.DESTROY): State.DESTROYED,
    (State.COMPROMISED, Event.DESTROY): State.DESTROYED_COMPROMISED,
    (State.DESTROYED, Event.COMPROMISE): State.DESTROYED_COMPROMISED,
}
"""All of them; a pair that is not here raises WrongKeyLifecycleState."""

REVOCATIONS: Final[Mapping[RevocationReasonCode, Event]] = {
    RevocationReasonCode.UNSPECIFIED: Event.DEACTIVATE,
    RevocationReasonCode.KEY_COMPROMISE: Event.COMPROMISE,
    RevocationReasonCode.CA_COMPROMISE: Event.COMPROMISE,
    RevocationReasonCode.AFFILIATION_CHANGED: Event.DEACTIVATE,
    RevocationReasonCode.SUPERSEDED: Event.DEACTIVATE,
    RevocationReasonCode.CESSATION_OF_OPERATION: Event.DEACTIVATE,
    RevocationReasonCode.PRIVILEGE_WITHDRAWN: Event.DEACTIVATE,
}
"""What each Revocation Reason does (KMIP 2.1 §6.1.51)."""

DESTROYED_STATES: Final = frozenset({State.DESTROYED, State.DESTROYED_COMPROMISED})


def after(state: State, event: Event) -> State:
    """Return the state that `event` leads to; raises WrongKeyLifecycleState."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        name = state.name.replace("_", " ").title()
        raise WrongKeyLifecycleState(f"an object that is {name} cannot be {event.value}") from None


def state_at(
    stored: State, now: datetime, *, activation_date: datetime | None, deactivation_date: datetime | None
) -> State:
    """Return the state at `now`: dates act at the moment they pass (KMIP 2.1 §4.57).

    `store.locate` says the same in SQL.
    """
    state = stored
    if state is State.PRE_ACTIVE and activation_date is not None and activation_date <= now:
        state = State.ACTIVE
    if state is State.ACTIVE and deactivation_date is not None and deactivation_date <= now:
        state = State.DEACTIVATED
    return state
