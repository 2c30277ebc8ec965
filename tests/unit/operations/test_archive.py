"""Archive and Recover (KMIP 1.x §4.22-4.23, 2.1 §6.1.4 and §6.1.42)."""

import pytest

from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.destroy import DestroyRequest, DestroyResponse
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.registry import V1_0, V2_1, ResultReason, State, Tag, Version
from tests.expect import archived_key, assert_refused, key, key_in, named, state_of, value
from tests.kms import Refused, TestKms, attribute, template


def test_the_archive_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    """KMIP 1.4 §3.32."""
    made = key(kms)
    kms.clock.pass_time(hours=1)
    assert kms.call(ArchiveRequest(unique_identifier=made)).unique_identifier == made
    assert value(kms, made, Tag.ARCHIVE_DATE) == kms.clock.now()


def test_an_archived_object_is_not_archived_again(kms: TestKms) -> None:
    """KMIP 1.4 §11.24: object is already archived."""
    request = ArchiveRequest(unique_identifier=archived_key(kms))
    assert_refused(kms, request, ResultReason.OBJECT_ARCHIVED, ResultReason.OBJECT_ARCHIVED)


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_archive_and_recover_do_not_change_the_state(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §4.57: no transition is caused by them."""
    made = key_in(kms, state)
    kms.call(ArchiveRequest(unique_identifier=made))
    assert state_of(kms, made) is state
    kms.call(RecoverRequest(unique_identifier=made))
    assert state_of(kms, made) is state


def test_an_archived_object_is_given_out_after_recover_and_not_before(kms: TestKms) -> None:
    made = key(kms)
    before = kms.call(GetRequest(unique_identifier=made)).managed_object
    kms.call(ArchiveRequest(unique_identifier=made))
    with pytest.raises(Refused):
        kms.call(GetRequest(unique_identifier=made))
    assert kms.call(RecoverRequest(unique_identifier=made)).unique_identifier == made
    assert kms.call(GetRequest(unique_identifier=made)).managed_object == before


def test_recover_removes_the_archive_date(kms: TestKms) -> None:
    """KMIP 1.4 §3.32: the attribute is of objects that are placed in archival storage."""
    made = archived_key(kms)
    kms.call(RecoverRequest(unique_identifier=made))
    assert value(kms, made, Tag.ARCHIVE_DATE) is None


def test_recover_of_an_object_on_line_succeeds(kms: TestKms) -> None:
    """No error table of any version forbids it."""
    made = key(kms)
    assert kms.call(RecoverRequest(unique_identifier=made)).unique_identifier == made


def test_a_batch_recovers_and_gets(kms: TestKms) -> None:
    made = archived_key(kms)
    recovered, got = kms.batch(RecoverRequest(unique_identifier=made), GetRequest(unique_identifier=made))
    assert not isinstance(recovered, Refused)
    assert not isinstance(got, Refused)


def test_an_archived_object_keeps_its_name(kms: TestKms) -> None:
    made = key(kms, named("n"))
    kms.call(ArchiveRequest(unique_identifier=made))
    with pytest.raises(Refused) as refused:
        key(kms, named("n"))
    assert refused.value.reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize("version", [V1_0, V2_1])
def test_what_is_recovered_goes_into_the_id_placeholder(kms: TestKms, version: Version) -> None:
    """KMIP 1.0 §4, 2.1 §6.1: it is obtained from Locate, and Recover."""
    before, archived = key(kms), archived_key(kms)
    look = LocateRequest(attributes=template(attribute(Tag.UNIQUE_IDENTIFIER, before)))
    batch = look, RecoverRequest(unique_identifier=archived), DestroyRequest()
    *_, destroyed = kms.batch(*batch, version=version)
    assert isinstance(destroyed, DestroyResponse)
    assert destroyed.unique_identifier == archived
    assert state_of(kms, before) is State.PRE_ACTIVE
