"""Deactivate (KMIP 3.0)."""

import pytest

from strongroom.model.structures import DeactivationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.deactivate import DeactivateRequest
from strongroom.registry import V3_0, DeactivationReasonCode, ResultReason, State, Tag
from tests.expect import MISSING, active_key, assert_refused, key, key_in, later, state_of, value
from tests.kms import BOB, TestKms, attribute

WRONG_STATE = ResultReason.WRONG_KEY_LIFECYCLE_STATE


def test_an_active_object_is_deactivated_now(kms: TestKms) -> None:
    made = active_key(kms)
    kms.clock.pass_time(hours=1)
    answer = kms.call(DeactivateRequest(unique_identifier=made), version=V3_0)
    assert answer.unique_identifier == made
    assert state_of(kms, made) is State.DEACTIVATED
    assert value(kms, made, Tag.DEACTIVATION_DATE) == kms.clock.now()
    reason = value(kms, made, Tag.DEACTIVATION_REASON, version=V3_0)
    assert reason.deactivation_reason_code is DeactivationReasonCode.UNSPECIFIED


def test_a_date_to_come_deactivates_when_it_comes(kms: TestKms) -> None:
    made = active_key(kms)
    reason = DeactivationReason(
        deactivation_reason_code=DeactivationReasonCode.USAGE_LIMIT, deactivation_message="enough"
    )
    request = DeactivateRequest(
        unique_identifier=made, deactivation_reason=reason, deactivation_date=later(kms, days=2)
    )
    kms.call(request, version=V3_0)
    assert state_of(kms, made) is State.ACTIVE
    kms.clock.pass_time(days=2)
    assert state_of(kms, made) is State.DEACTIVATED
    assert value(kms, made, Tag.DEACTIVATION_REASON, version=V3_0) == reason


def test_a_pre_active_object_may_get_the_date_before_it_is_used(kms: TestKms) -> None:
    made = key(kms)
    request = DeactivateRequest(unique_identifier=made, deactivation_date=later(kms, days=2))
    kms.call(request, version=V3_0)
    assert state_of(kms, made) is State.PRE_ACTIVE


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_only_an_active_object_is_deactivated_now(kms: TestKms, state: State) -> None:
    request = DeactivateRequest(unique_identifier=key_in(kms, state))
    assert_refused(kms, request, WRONG_STATE, WRONG_STATE)


@pytest.mark.parametrize("state", [State.DEACTIVATED, State.COMPROMISED])
def test_what_is_out_of_use_gets_no_new_date(kms: TestKms, state: State) -> None:
    request = DeactivateRequest(unique_identifier=key_in(kms, state), deactivation_date=later(kms, days=2))
    assert_refused(kms, request, WRONG_STATE, WRONG_STATE)


def test_the_date_is_not_before_an_activation_date_to_come(kms: TestKms) -> None:
    made = key(kms, attribute(Tag.ACTIVATION_DATE, later(kms, days=5)))
    request = DeactivateRequest(unique_identifier=made, deactivation_date=later(kms, days=2))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)
    assert state_of(kms, made) is State.PRE_ACTIVE


def test_an_active_object_may_have_ended_at_any_time(kms: TestKms) -> None:
    made, date = active_key(kms), later(kms, days=-2)
    kms.call(DeactivateRequest(unique_identifier=made, deactivation_date=date), version=V3_0)
    assert state_of(kms, made) is State.DEACTIVATED
    assert value(kms, made, Tag.DEACTIVATION_DATE) == date


def test_the_date_is_not_before_the_protect_stop_date(kms: TestKms) -> None:
    made = key(kms, attribute(Tag.PROTECT_STOP_DATE, later(kms, days=9)))
    request = DeactivateRequest(unique_identifier=made, deactivation_date=later(kms, days=2))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_an_object_may_end_before_its_protect_stop_date(kms: TestKms) -> None:
    made = active_key(kms, attribute(Tag.PROTECT_STOP_DATE, later(kms, days=9)))
    kms.call(DeactivateRequest(unique_identifier=made), version=V3_0)
    assert state_of(kms, made) is State.DEACTIVATED


@pytest.mark.parametrize("days", [0, 2])
def test_an_object_that_was_activated_late_can_be_deactivated(kms: TestKms, days: int) -> None:
    made = key(kms, attribute(Tag.PROCESS_START_DATE, later(kms, days=1)))
    kms.clock.pass_time(days=2)
    kms.call(ActivateRequest(unique_identifier=made))
    date = later(kms, days=days)
    kms.call(DeactivateRequest(unique_identifier=made, deactivation_date=date), version=V3_0)
    assert value(kms, made, Tag.DEACTIVATION_DATE) == date


def test_what_is_not_there_or_another_clients_is_not_found(kms: TestKms) -> None:
    reason = ResultReason.OBJECT_NOT_FOUND
    assert_refused(kms, DeactivateRequest(unique_identifier=MISSING), reason, reason)
    assert_refused(kms, DeactivateRequest(unique_identifier=active_key(kms)), reason, reason, caller=BOB)
