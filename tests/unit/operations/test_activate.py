"""Activate (KMIP 1.x §4.19, 2.1 §6.1.1)."""

from datetime import timedelta

import pytest

from strongroom.operations.activate import ActivateRequest
from strongroom.registry import ResultReason, State, Tag
from tests.expect import (
    assert_refused,
    key,
    key_in,
    register_opaque,
    register_template,
    state_of,
    value,
)
from tests.kms import TestKms, attribute


def test_a_pre_active_object_becomes_active(kms: TestKms) -> None:
    made = key(kms)
    assert state_of(kms, made) is State.PRE_ACTIVE
    assert kms.call(ActivateRequest(unique_identifier=made)).unique_identifier == made
    assert state_of(kms, made) is State.ACTIVE


def test_the_activation_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.1: also where a later date was set before."""
    made = key(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(days=9)))
    kms.clock.pass_time(days=1)
    kms.call(ActivateRequest(unique_identifier=made))
    assert value(kms, made, Tag.ACTIVATION_DATE) == kms.clock.now()


def test_the_last_change_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    """KMIP 1.4 §3.38."""
    made = key(kms)
    kms.clock.pass_time(hours=1)
    kms.call(ActivateRequest(unique_identifier=made))
    assert value(kms, made, Tag.LAST_CHANGE_DATE) == kms.clock.now()


@pytest.mark.parametrize("state", [State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_an_object_that_is_not_pre_active_is_refused(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §6.1.1: the operation shall only be performed on an object in the Pre-Active state."""
    request = ActivateRequest(unique_identifier=key_in(kms, state))
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)
    assert state_of(kms, request.unique_identifier) is state  # type: ignore[arg-type]


def test_a_template_cannot_be_activated(kms: TestKms) -> None:
    """KMIP 1.4 §11.21: a template or other object that is not able to be activated."""
    request = ActivateRequest(unique_identifier=register_template(kms, "t"))
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.INVALID_OBJECT_TYPE)


def test_an_opaque_object_can_be_activated(kms: TestKms) -> None:
    """KMIP 2.1 §4.57: State applies to all objects."""
    made = register_opaque(kms)
    kms.call(ActivateRequest(unique_identifier=made))
    assert state_of(kms, made) is State.ACTIVE
