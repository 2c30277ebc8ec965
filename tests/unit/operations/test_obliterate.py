"""Obliterate (KMIP 3.0)."""

from pathlib import Path

import pytest

from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.store import Changes, LostRace
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import V3_0, BatchErrorContinuationOption, ResultReason, State, StorageStatusMask
from tests.expect import (
    MISSING,
    archived_key,
    assert_refused,
    key,
    key_in,
    named,
    refusal,
    register_opaque,
)
from tests.kms import ALICE, BOB, Refused, TestKms, template
from tests.unit.store.samples import generation_of

ANYWHERE = StorageStatusMask(7)


def obliterate(kms: TestKms, identifier: UniqueIdentifier) -> None:
    kms.call(ObliterateRequest(unique_identifier=identifier), version=V3_0)


@pytest.mark.parametrize(
    "state",
    [
        State.PRE_ACTIVE,
        State.DEACTIVATED,
        State.COMPROMISED,
        State.DESTROYED,
        State.DESTROYED_COMPROMISED,
    ],
)
def test_nothing_is_left_of_an_object(kms: TestKms, state: State) -> None:
    made = key_in(kms, state)
    obliterate(kms, made)
    assert refusal(kms, GetAttributesRequest(unique_identifier=made), version=V3_0).reason is (
        ResultReason.ITEM_NOT_FOUND
    )
    assert kms.call(LocateRequest(storage_status_mask=ANYWHERE), version=V3_0).unique_identifier == ()
    assert kms.run(kms.backend.fetch(DEFAULT_TENANT, made)) is None


def test_an_archived_object_and_one_without_a_key_are_obliterated_too(kms: TestKms) -> None:
    for made in (archived_key(kms), register_opaque(kms)):
        obliterate(kms, made)
        assert kms.run(kms.backend.fetch(DEFAULT_TENANT, made)) is None


def test_an_active_object_is_not_obliterated(kms: TestKms) -> None:
    made = key_in(kms, State.ACTIVE)
    reason = ResultReason.WRONG_KEY_LIFECYCLE_STATE
    assert_refused(kms, ObliterateRequest(unique_identifier=made), reason, reason)


def test_what_is_not_there_or_another_clients_is_not_found(kms: TestKms) -> None:
    reason = ResultReason.OBJECT_NOT_FOUND
    assert_refused(kms, ObliterateRequest(unique_identifier=MISSING), reason, reason)
    made = key(kms)
    assert_refused(kms, ObliterateRequest(unique_identifier=made), reason, reason, caller=BOB)
    obliterate(kms, made)
    assert_refused(kms, ObliterateRequest(unique_identifier=made), reason, reason)


def test_the_name_and_the_index_entries_are_free_again(kms: TestKms) -> None:
    made = key(kms, named("n"))
    obliterate(kms, made)
    again = key(kms, named("n"))
    assert kms.call(LocateRequest(attributes=template(named("n")))).unique_identifier == (again,)


def test_it_stays_gone_after_a_restart_and_other_objects_stay(kms: TestKms, tmp_path: Path) -> None:
    gone, kept = key(kms), key(kms)
    obliterate(kms, gone)
    restarted = TestKms(kms.directory)
    assert restarted.call(LocateRequest(storage_status_mask=ANYWHERE), version=V3_0).unique_identifier == (
        kept,
    )
    restarted.close()


def test_a_later_item_of_the_batch_does_not_find_it(kms: TestKms) -> None:
    made = key(kms, named("n"))
    for option in (BatchErrorContinuationOption.CONTINUE, BatchErrorContinuationOption.UNDO):
        results = kms.batch(
            ObliterateRequest(unique_identifier=made),
            LocateRequest(storage_status_mask=ANYWHERE),
            GetAttributesRequest(unique_identifier=made),
            version=V3_0,
            batch_error_continuation_option=option,
        )
        assert isinstance(results[-1], Refused)
        if option is BatchErrorContinuationOption.CONTINUE:
            assert results[1].unique_identifier == ()  # type: ignore[union-attr]
            made = key(kms, named("n"))
    assert kms.run(generation_of(kms.backend, DEFAULT_TENANT, made)) == 1


def test_an_older_generation_is_not_removed(kms: TestKms) -> None:
    """A change that came first is not lost: the removal loses the race, and the request looks again."""
    made = key(kms)
    stale = kms.run(kms.repository.load(DEFAULT_TENANT, made))
    assert stale is not None
    kms.call(ActivateRequest(unique_identifier=made), caller=ALICE)
    copy = stale.copy()
    copy.remove()
    with pytest.raises(LostRace):
        kms.run(kms.repository.commit(Changes(objects=[copy])))
    assert kms.run(generation_of(kms.backend, DEFAULT_TENANT, made)) == 2
