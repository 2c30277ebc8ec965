"""Revoke (KMIP 1.x §4.20, 2.1 §6.1.44)."""

from datetime import timedelta

import pytest

from strongroom.model.structures import RevocationReason
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import V2_0, ResultReason, RevocationReasonCode, State, Tag
from tests.expect import (
    active_key,
    assert_refused,
    key,
    key_in,
    refusal,
    register_opaque,
    register_template,
    revoke,
    state_of,
    value,
)
from tests.kms import TestKms

COMPROMISE = (RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE)
OTHERS = tuple(code for code in RevocationReasonCode if code not in COMPROMISE)


@pytest.mark.parametrize("code", OTHERS)
def test_a_reason_that_is_no_compromise_deactivates(kms: TestKms, code: RevocationReasonCode) -> None:
    made = active_key(kms)
    kms.clock.pass_time(hours=1)
    assert kms.call(revoke(made, code)).unique_identifier == made
    assert state_of(kms, made) is State.DEACTIVATED
    assert value(kms, made, Tag.DEACTIVATION_DATE) == kms.clock.now()
    assert value(kms, made, Tag.COMPROMISE_DATE) is None


@pytest.mark.parametrize("code", COMPROMISE)
def test_a_compromise_compromises(kms: TestKms, code: RevocationReasonCode) -> None:
    made = active_key(kms)
    kms.clock.pass_time(hours=1)
    kms.call(revoke(made, code))
    assert state_of(kms, made) is State.COMPROMISED
    assert value(kms, made, Tag.COMPROMISE_DATE) == kms.clock.now()


def test_the_compromise_occurrence_date_is_what_the_request_says(kms: TestKms) -> None:
    made = active_key(kms)
    kms.clock.pass_time(days=9)
    occurred = kms.clock.now() - timedelta(days=2)
    code = RevocationReasonCode.KEY_COMPROMISE
    kms.call(revoke(made, code).replace(compromise_occurrence_date=occurred))
    assert value(kms, made, Tag.COMPROMISE_OCCURRENCE_DATE) == occurred


def test_the_compromise_occurrence_date_is_the_initial_date_when_left_out(kms: TestKms) -> None:
    made = active_key(kms)
    initial = kms.clock.now()
    kms.clock.pass_time(days=9)
    kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    assert value(kms, made, Tag.COMPROMISE_OCCURRENCE_DATE) == initial


def test_a_compromise_occurrence_date_goes_with_a_compromise_only(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.44: it shall not be specified for other Revocation Reason enumerations."""
    request = revoke(active_key(kms)).replace(compromise_occurrence_date=kms.clock.now())
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_the_revocation_reason_is_kept_with_its_message(kms: TestKms) -> None:
    """KMIP 1.4 §3.31."""
    made = active_key(kms)
    reason = RevocationReason(
        revocation_reason_code=RevocationReasonCode.SUPERSEDED, revocation_message="by another"
    )
    kms.call(RevokeRequest(unique_identifier=made, revocation_reason=reason))
    assert value(kms, made, Tag.REVOCATION_REASON) == reason


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_only_an_active_object_is_deactivated(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §4.57: only the transitions described are permitted."""
    request = revoke(key_in(kms, state))
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_2_0_has_no_illegal_operation_any_more(kms: TestKms) -> None:
    """KMIP 2.0 §6.1.40: Wrong Key Lifecycle State."""
    refused = refusal(kms, revoke(key(kms)), version=V2_0)
    assert refused.reason is ResultReason.WRONG_KEY_LIFECYCLE_STATE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.PRE_ACTIVE, State.COMPROMISED),
        (State.ACTIVE, State.COMPROMISED),
        (State.DEACTIVATED, State.COMPROMISED),
        (State.DESTROYED, State.DESTROYED_COMPROMISED),
    ],
)
def test_a_compromise_is_possible_in_every_state_that_is_not_compromised(
    kms: TestKms, before: State, after: State
) -> None:
    """KMIP 2.1 §4.57, transitions 3, 5, 8 and 10."""
    made = key_in(kms, before)
    kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    assert state_of(kms, made) is after


@pytest.mark.parametrize("state", [State.COMPROMISED, State.DESTROYED_COMPROMISED])
def test_what_is_compromised_stays_as_it_is(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §4.57: no transition leads from Compromised to itself."""
    request = revoke(key_in(kms, state), RevocationReasonCode.KEY_COMPROMISE)
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_a_template_cannot_be_revoked(kms: TestKms) -> None:
    """KMIP 1.4 §11.22: a template or other object that is not able to be revoked."""
    request = revoke(register_template(kms, "t"))
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.INVALID_OBJECT_TYPE)


def test_an_opaque_object_can_be_revoked(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.44: a Managed Cryptographic Object or an Opaque Object."""
    made = register_opaque(kms)
    kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    assert state_of(kms, made) is State.COMPROMISED
