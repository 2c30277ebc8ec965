"""Dates act at the moment they pass, on one connection and after a restart (KMIP 2.1 §4.57)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import BlockCipherMode, ResultReason, State, Tag
from tests.expect import key, refusal, revoke, state_of, value
from tests.kms import Refused, TestKms, attribute, template

ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
DAY = timedelta(days=1)


@contextmanager
def same(kms: TestKms) -> Iterator[TestKms]:
    yield kms


@contextmanager
def restarted(kms: TestKms) -> Iterator[TestKms]:
    """Give a new server on the same store; the old one is not asked any more."""
    again = TestKms(kms.directory, clock=kms.clock)
    try:
        yield again
    finally:
        again.close()


BOTH = pytest.mark.parametrize("look", [same, restarted], ids=["same server", "after a restart"])
Look = Callable[[TestKms], Any]


def dated(kms: TestKms, **days: float) -> UniqueIdentifier:
    """Return a key with dates so many days from now: `activation_date=1`."""
    dates = [attribute(Tag[name.upper()], kms.clock.now() + DAY * n) for name, n in days.items()]
    return key(kms, *dates)


def can_encrypt(kms: TestKms, made: UniqueIdentifier) -> bool:
    data = SecretBytes(bytes(16))
    request = EncryptRequest(unique_identifier=made, data=data, cryptographic_parameters=ECB)
    return not isinstance(kms.batch(request)[0], Refused)


def can_decrypt(kms: TestKms, made: UniqueIdentifier) -> bool:
    request = DecryptRequest(unique_identifier=made, data=bytes(16), cryptographic_parameters=ECB)
    return not isinstance(kms.batch(request)[0], Refused)


@BOTH
def test_the_activation_date_activates(kms: TestKms, look: Look) -> None:
    """KMIP 2.1 §4.57, transition 4: the Activation Date is reached."""
    made = dated(kms, activation_date=1)
    kms.clock.pass_time(seconds=86399)
    with look(kms) as server:
        assert state_of(server, made) is State.PRE_ACTIVE
        assert not can_encrypt(server, made)
    kms.clock.pass_time(seconds=1)
    with look(kms) as server:
        assert state_of(server, made) is State.ACTIVE
        assert can_encrypt(server, made)


@BOTH
def test_the_deactivation_date_deactivates(kms: TestKms, look: Look) -> None:
    """KMIP 2.1 §4.57, transition 6: the object's Deactivation Date is reached."""
    made = dated(kms, activation_date=0, deactivation_date=1)
    kms.clock.pass_time(seconds=86399)
    with look(kms) as server:
        assert state_of(server, made) is State.ACTIVE
    kms.clock.pass_time(seconds=1)
    with look(kms) as server:
        assert state_of(server, made) is State.DEACTIVATED
        assert not can_encrypt(server, made)
        assert can_decrypt(server, made)


@BOTH
def test_both_dates_may_pass_unseen(kms: TestKms, look: Look) -> None:
    made = dated(kms, activation_date=1, deactivation_date=2)
    kms.clock.pass_time(days=30)
    with look(kms) as server:
        assert state_of(server, made) is State.DEACTIVATED


@BOTH
def test_the_protect_stop_date_ends_protecting(kms: TestKms, look: Look) -> None:
    """faults 23. KMIP 2.1 §4.41: after it the object shall not be used for applying protection."""
    made = dated(kms, activation_date=0, protect_stop_date=1, deactivation_date=2)
    with look(kms) as server:
        assert can_encrypt(server, made)
    kms.clock.pass_time(days=1)
    with look(kms) as server:
        assert state_of(server, made) is State.ACTIVE
        assert not can_encrypt(server, made)
        assert can_decrypt(server, made)


@BOTH
def test_the_process_start_date_begins_processing(kms: TestKms, look: Look) -> None:
    """KMIP 2.1 §4.40: the object shall not be used to process before it has been reached."""
    made = dated(kms, activation_date=0, process_start_date=1)
    with look(kms) as server:
        assert can_encrypt(server, made)
        assert not can_decrypt(server, made)
    kms.clock.pass_time(days=1)
    with look(kms) as server:
        assert can_decrypt(server, made)


@BOTH
def test_operations_go_by_the_state_of_now(kms: TestKms, look: Look) -> None:
    """faults 23."""
    made = dated(kms, activation_date=1)
    kms.clock.pass_time(days=1)
    with look(kms) as server:
        for request in (
            ActivateRequest(unique_identifier=made),
            DestroyRequest(unique_identifier=made),
        ):
            assert refusal(server, request).reason is ResultReason.PERMISSION_DENIED
        server.call(revoke(made))
        assert state_of(server, made) is State.DEACTIVATED


@BOTH
def test_a_key_that_ran_out_can_be_destroyed(kms: TestKms, look: Look) -> None:
    made = dated(kms, activation_date=0, deactivation_date=1)
    assert refusal(kms, DestroyRequest(unique_identifier=made)).reason is (ResultReason.PERMISSION_DENIED)
    kms.clock.pass_time(days=1)
    with look(kms) as server:
        server.call(DestroyRequest(unique_identifier=made))
        assert state_of(server, made) is State.DESTROYED


@BOTH
def test_locate_goes_by_the_state_of_now(kms: TestKms, look: Look) -> None:
    made = dated(kms, activation_date=1, deactivation_date=2)
    for state in (State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED):
        with look(kms) as server:
            request = LocateRequest(attributes=template(attribute(Tag.STATE, state)))
            assert server.call(request).unique_identifier == (made,)
        kms.clock.pass_time(days=1)


@BOTH
def test_dates_do_not_act_on_what_is_destroyed(kms: TestKms, look: Look) -> None:
    """KMIP 2.1 §4.57: no transition leads from Destroyed to Active."""
    made = dated(kms, activation_date=1)
    kms.call(DestroyRequest(unique_identifier=made))
    kms.clock.pass_time(days=2)
    with look(kms) as server:
        assert state_of(server, made) is State.DESTROYED


def test_a_date_that_passes_is_no_change_of_the_object(kms: TestKms) -> None:
    """The state is worked out, so nothing has to run when the date passes."""
    made = dated(kms, activation_date=1)
    before: datetime = value(kms, made, Tag.LAST_CHANGE_DATE)
    kms.clock.pass_time(days=1)
    assert state_of(kms, made) is State.ACTIVE
    assert value(kms, made, Tag.LAST_CHANGE_DATE) == before


def test_what_was_decided_under_one_state_holds_after_the_clock_went_back(kms: TestKms) -> None:
    """An operation settles what a date began: a clock set back does not take it away."""
    made = dated(kms, activation_date=1)
    kms.clock.pass_time(days=1)
    kms.call(revoke(made))
    kms.clock.pass_time(days=-1)
    assert state_of(kms, made) is State.DEACTIVATED
