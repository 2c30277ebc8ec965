"""Destroy (KMIP 1.x §4.21, 2.1 §6.1.15)."""

import pytest

from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V2_1, ResultReason, State, StorageStatusMask, Tag
from tests.certificates import authority
from tests.expect import (
    assert_refused,
    key,
    key_in,
    named,
    refusal,
    register_template,
    revoke,
    state_of,
    stored,
    value,
    values,
)
from tests.kms import TestKms, attribute, template


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.PRE_ACTIVE, State.DESTROYED),
        (State.DEACTIVATED, State.DESTROYED),
        (State.COMPROMISED, State.DESTROYED_COMPROMISED),
    ],
)
def test_an_object_out_of_use_is_destroyed(kms: TestKms, before: State, after: State) -> None:
    """KMIP 2.1 §4.57, transitions 2, 7 and 9."""
    made = key_in(kms, before)
    assert kms.call(DestroyRequest(unique_identifier=made)).unique_identifier == made
    assert state_of(kms, made) is after


def test_the_destroy_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    """KMIP 1.4 §3.28."""
    made = key(kms)
    kms.clock.pass_time(hours=1)
    kms.call(DestroyRequest(unique_identifier=made))
    assert value(kms, made, Tag.DESTROY_DATE) == kms.clock.now()


def test_an_active_object_is_not_destroyed(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.15: objects shall only be destroyed in Pre-Active or Deactivated state."""
    made = key_in(kms, State.ACTIVE)
    request = DestroyRequest(unique_identifier=made)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)
    assert kms.call(GetRequest(unique_identifier=made)).unique_identifier == made


@pytest.mark.parametrize("state", [State.DESTROYED, State.DESTROYED_COMPROMISED])
def test_what_is_destroyed_is_not_destroyed_again(kms: TestKms, state: State) -> None:
    """KMIP 1.4 §11.23: object exists, but has already been destroyed."""
    request = DestroyRequest(unique_identifier=key_in(kms, state))
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.OBJECT_DESTROYED)


def test_the_material_is_gone(kms: TestKms) -> None:
    made = key_in(kms, State.DESTROYED)
    refused = refusal(kms, GetRequest(unique_identifier=made))
    assert refused.reason is ResultReason.ITEM_NOT_FOUND
    assert stored(kms, made).material is None


def test_the_attributes_are_kept(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.15: the meta-data for the key material shall be retained by the server."""
    made = key(kms, named("n"))
    digest = value(kms, made, Tag.DIGEST)
    kms.call(DestroyRequest(unique_identifier=made))
    assert value(kms, made, Tag.DIGEST) == digest
    assert [n.name_value for n in values(kms, made, Tag.NAME)] == ["n"]


def test_what_was_read_from_a_certificate_is_kept(kms: TestKms) -> None:
    destroyed = authority(kms).certificate
    kms.call(revoke(destroyed))
    everything = GetAttributesRequest(unique_identifier=destroyed)
    before = {a.key for a in kms.call(everything, version=V2_1).attributes.attributes}
    length = value(kms, destroyed, Tag.CERTIFICATE_LENGTH)
    kms.call(DestroyRequest(unique_identifier=destroyed))
    after = {a.key for a in kms.call(everything, version=V2_1).attributes.attributes}
    assert before <= after
    found = LocateRequest(
        attributes=template(attribute(Tag.CERTIFICATE_LENGTH, length)),
        storage_status_mask=StorageStatusMask.DESTROYED_STORAGE,
    )
    assert kms.call(found, version=V2_1).unique_identifier == (destroyed,)


def test_the_name_is_free_again(kms: TestKms) -> None:
    kms.call(DestroyRequest(unique_identifier=key(kms, named("n"))))
    key(kms, named("n"))


def test_locate_finds_a_destroyed_object_only_when_asked_to(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: not unless the Storage Status Mask has the Destroyed Storage indicator."""
    made = key_in(kms, State.DESTROYED)
    usual = StorageStatusMask.ON_LINE_STORAGE | StorageStatusMask.ARCHIVAL_STORAGE
    assert kms.call(LocateRequest()).unique_identifier == ()
    assert kms.call(LocateRequest(storage_status_mask=usual), version=V2_1).unique_identifier == ()
    destroyed = LocateRequest(storage_status_mask=StorageStatusMask.DESTROYED_STORAGE)
    assert kms.call(destroyed, version=V2_1).unique_identifier == (made,)


def test_a_template_is_destroyed_though_it_has_no_state(kms: TestKms) -> None:
    """KMIP 1.4 §4.21."""
    made = register_template(kms, "t")
    kms.call(DestroyRequest(unique_identifier=made))
    assert refusal(kms, GetRequest(unique_identifier=made)).reason is ResultReason.ITEM_NOT_FOUND
    again = refusal(kms, DestroyRequest(unique_identifier=made))
    assert again.reason is ResultReason.PERMISSION_DENIED
