"""The life cycle of managed objects (KMIP 2.1 §4.57)."""

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.domain.errors import WrongKeyLifecycleState
from strongroom.domain.lifecycle import DESTROYED_STATES, REVOCATIONS, TRANSITIONS, Event, after, state_at
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


def test_each_event_leads_where_it_is_named_after() -> None:
    """Nothing is destroyed by being revoked, and nothing is compromised by anything else."""
    expected = {
        Event.ACTIVATE: {State.ACTIVE},
        Event.DEACTIVATE: {State.DEACTIVATED},
        Event.COMPROMISE: {State.COMPROMISED, State.DESTROYED_COMPROMISED},
        Event.DESTROY: {State.DESTROYED, State.DESTROYED_COMPROMISED},
    }
    for event, states in expected.items():
        assert {to for (_, by), to in TRANSITIONS.items() if by is event} == states
    compromised = {before for (before, by) in TRANSITIONS if by is Event.COMPROMISE}
    assert compromised == {State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.DESTROYED}
    assert {State.DESTROYED, State.DESTROYED_COMPROMISED} == DESTROYED_STATES


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_any_other_event_is_refused(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(WrongKeyLifecycleState):
            after(state, event)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event.ACTIVATE, "activated"),
        (Event.DEACTIVATE, "deactivated"),
        (Event.COMPROMISE, "marked as compromised"),
        (Event.DESTROY, "destroyed"),
    ],
)
def test_a_refusal_says_what_cannot_be_done(event: Event, words: str) -> None:
    said = f"^an object that is Destroyed Compromised cannot be {words}$"
    with pytest.raises(WrongKeyLifecycleState, match=said):
        after(State.DESTROYED_COMPROMISED, event)


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
