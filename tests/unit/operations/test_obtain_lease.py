"""Obtain Lease (KMIP 1.x §4.17, 2.1 §6.1.35)."""

import pytest

from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.obtain_lease import ObtainLeaseRequest
from strongroom.registry import ResultReason, State, Tag
from tests.expect import assert_refused, key, key_in, named, register_template, value
from tests.kms import TestKms


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED])
def test_the_lease_is_the_lease_time_of_the_object(kms: TestKms, state: State) -> None:
    made = key_in(kms, state)
    lease = kms.call(ObtainLeaseRequest(unique_identifier=made))
    assert lease.unique_identifier == made
    assert lease.lease_time == value(kms, made, Tag.LEASE_TIME) == 3600


def test_the_answer_has_the_last_change_date(kms: TestKms) -> None:
    """A client sees by it whether what it remembers of the object is out of date."""
    made = key(kms)
    kms.clock.pass_time(hours=1)
    kms.call(AddAttributeRequest(unique_identifier=made, new_attribute=named("n")))
    changed = kms.clock.now()
    kms.clock.pass_time(hours=1)
    assert kms.call(ObtainLeaseRequest(unique_identifier=made)).last_change_date == changed


def test_a_lease_is_no_change(kms: TestKms) -> None:
    """KMIP 1.4 §3.38: Obtain Lease is not among the operations that set the Last Change Date."""
    made = key(kms)
    created = kms.clock.now()
    kms.clock.pass_time(hours=1)
    kms.call(ObtainLeaseRequest(unique_identifier=made))
    assert value(kms, made, Tag.LAST_CHANGE_DATE) == created


def test_no_lease_is_given_for_a_compromised_object(kms: TestKms) -> None:
    """KMIP 1.4 §11.18: a new lease is not permitted to be issued."""
    request = ObtainLeaseRequest(unique_identifier=key_in(kms, State.COMPROMISED))
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_an_object_without_a_lease_time_gets_the_usual_lease(kms: TestKms) -> None:
    made = register_template(kms, "t")
    assert kms.call(ObtainLeaseRequest(unique_identifier=made)).lease_time == 3600
