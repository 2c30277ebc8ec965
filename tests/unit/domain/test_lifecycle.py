"""The life cycle of managed objects (KMIP 2.1 §4.57)."""

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.domain.errors import WrongKeyLifecycleState
from strongroom.domain.lifecycle import REVOCATIONS, TRANSITIONS, Event, after, state_at
from strongroom.registry import RevocationReasonCode, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

# The ten numbered transitions of KMIP 2.1 §4.57, typed from the text.
SPECIFIED = {
    (State.PRE_ACTIVE, State.DESTROYED),
    (State.PRE_ACTIVE, State.COMPROMISED),
    (State.PRE_ACTIVE, State.ACTIVE),
    (State.ACTIVE, State.COMPROMISED),
    (State.ACTIVE, State.DEACTIVATED),
    (State.DEACTIVATED, State.DESTROYED),
    (State.DEACTIVATED, State.COMPROMISED),
    (State.COMPROMISED, State.DESTROYED_COMPROMISED),
    (State.DESTROYED, State.DESTROYED_COMPROMISED),
}


def test_only_the_specified_transitions_are_permitted() -> None:
    assert {(before, to) for (before, _), to in TRANSITIONS.items()} == SPECIFIED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_any_other_event_is_refused(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(WrongKeyLifecycleState):
            after(state, event)


def test_only_compromise_reasons_compromise() -> None:
    compromising = {r for r, event in REVOCATIONS.items() if event is Event.COMPROMISE}
    assert compromising == {RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE}
    assert set(REVOCATIONS) == set(RevocationReasonCode)


@pytest.mark.parametrize(
    ("stored", "activation", "deactivation", "expected"),
    [
        (State.PRE_ACTIVE, None, None, State.PRE_ACTIVE),
        (State.PRE_ACTIVE, NOW, None, State.ACTIVE),
        (State.PRE_ACTIVE, NOW + HOUR, None, State.PRE_ACTIVE),
        (State.PRE_ACTIVE, NOW - HOUR, NOW, State.DEACTIVATED),
        (State.PRE_ACTIVE, None, NOW - HOUR, State.PRE_ACTIVE),
        (State.ACTIVE, NOW, NOW + HOUR, State.ACTIVE),
        (State.ACTIVE, None, NOW, State.DEACTIVATED),
        (State.COMPROMISED, NOW, NOW, State.COMPROMISED),
        (State.DESTROYED, NOW, NOW, State.DESTROYED),
    ],
)
def test_dates_act_when_they_pass(
    stored: State, activation: datetime | None, deactivation: datetime | None, expected: State
) -> None:
    assert state_at(stored, NOW, activation_date=activation, deactivation_date=deactivation) is expected
