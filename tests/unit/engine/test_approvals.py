"""Acts that need more than one person, over KMIP."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from strongroom.domain.acts import Act
from strongroom.domain.approvals import LIFETIME, MOST, key_of, name_of
from strongroom.domain.identity import DEFAULT_TENANT, ClientId
from strongroom.domain.operation import Request
from strongroom.domain.people import Role
from strongroom.engine import approvals
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import NameReference, UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.structures import RevocationReason
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_2,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    KeyFormatType,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    Version,
)
from tests.expect import key_pair, named, stored
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, template
from tests.people import appoint
from tests.safeguards import (
    ALICE_LAPTOP,
    CAROL,
    CAROL_PHONE,
    DAN,
    ERIN,
    lay_down,
    only_name,
    people,
    vote,
    waiting,
)
from tests.wrapping import get_wrapped, specification, wrapping_key

COMPROMISED = RevocationReason(revocation_reason_code=RevocationReasonCode.KEY_COMPROMISE)


class Danger(NamedTuple):
    """A request that is an act, in the version that has it."""

    act: Act
    request: Callable[[TestKms, UniqueIdentifier], Request[Any]]
    version: Version


def material_of(kms: TestKms, key: UniqueIdentifier) -> ManagedObjectStruct:
    material = stored(kms, key).material
    assert material is not None
    return material


def replacement(kms: TestKms, key: UniqueIdentifier) -> Request[Any]:
    return ImportRequest(
        unique_identifier=key,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=material_of(kms, key),
    )


DANGERS = {
    "destroy": Danger(Act.DESTROY, lambda _, key: DestroyRequest(unique_identifier=key), V1_2),
    "obliterate": Danger(Act.DESTROY, lambda _, key: ObliterateRequest(unique_identifier=key), V3_0),
    "import over": Danger(Act.DESTROY, replacement, V2_1),
    "compromise": Danger(
        Act.REVOKE_COMPROMISED,
        lambda _, key: RevokeRequest(unique_identifier=key, revocation_reason=COMPROMISED),
        V1_2,
    ),
    "get": Danger(Act.EXPORT, lambda _, key: GetRequest(unique_identifier=key), V1_2),
    "get raw": Danger(
        Act.EXPORT, lambda _, key: GetRequest(unique_identifier=key, key_format_type=KeyFormatType.RAW), V2_1
    ),
    "export": Danger(Act.EXPORT, lambda _, key: ExportRequest(unique_identifier=key), V2_1),
}
EVERY = pytest.mark.parametrize("danger", DANGERS.values(), ids=DANGERS)


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    people(kms)
    yield kms
    kms.close()


def lay_down_for(kms: TestKms, danger: Danger, votes: int = 2) -> None:
    needed: dict[str, Any] = {danger.act.value.replace("-", "_"): votes}
    lay_down(kms, **needed)


def refused(kms: TestKms, request: Request[Any], version: Version, **given: Any) -> str:
    """Return the sentence with which a request is refused for want of approval."""
    with pytest.raises(Refused) as refusal:
        kms.call(request, version=version, **given)
    assert refusal.value.reason is ResultReason.PERMISSION_DENIED
    return refusal.value.message


def asked(kms: TestKms, danger: Danger, key: UniqueIdentifier) -> tuple[Request[Any], str]:
    """Return a request that was refused, and the name of its approval."""
    request = danger.request(kms, key)
    message = refused(kms, request, danger.version)
    name = only_name(kms)
    assert f"strongroom approval approve {name}" in message
    return request, name


def unchanged(kms: TestKms, key: UniqueIdentifier) -> None:
    """Check that nothing happened to a key."""
    obj = kms.run(kms.repository.load(DEFAULT_TENANT, key))
    assert obj is not None
    assert obj.state is State.PRE_ACTIVE
    assert obj.material is not None


@EVERY
def test_without_a_requirement_nothing_is_asked(kms: TestKms, danger: Danger) -> None:
    key = kms.create_symmetric_key()
    others: dict[str, Any] = {act.value.replace("-", "_"): 2 for act in Act if act is not danger.act}
    lay_down(kms, **others)
    kms.call(danger.request(kms, key), version=danger.version)
    assert waiting(kms) == []


@EVERY
def test_enough_people_let_the_same_request_through_once(kms: TestKms, danger: Danger) -> None:
    lay_down_for(kms, danger)
    key = kms.create_symmetric_key()
    request, name = asked(kms, danger, key)
    unchanged(kms, key)
    (kept,) = waiting(kms)
    assert kept.value.acts == (danger.act.value,)
    assert kept.value.objects == (key,)
    vote(kms, name, "carol", CAROL)
    assert "that of 1" in refused(kms, request, danger.version)
    vote(kms, name, "dan", DAN)
    kms.call(request, version=danger.version)
    assert waiting(kms) == []
    if danger.act is Act.EXPORT:
        refused(kms, request, danger.version)
        assert only_name(kms) != name


@EVERY
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (None, None),
        (("carol", CAROL), None),
        (("carol", CAROL), ("carol", CAROL_PHONE)),
        (("carol", CAROL), ("alice", ALICE_LAPTOP)),
        (("carol", CAROL), ("alice", 1)),
        (("carol", CAROL), ("erin", ERIN)),
        (("carol", CAROL), ("nobody", 99)),
        (("carol", CAROL), ("dan", CAROL_PHONE)),
        (("carol", CAROL), ("dan", 99)),
    ],
)
def test_votes_of_too_few_who_may_are_not_enough(
    kms: TestKms, danger: Danger, first: tuple[str, int] | None, second: tuple[str, int] | None
) -> None:
    """Also one person with two certificates, the one who asked, somebody without the role, a client of
    another. The entries of votes are written as no command would write them."""
    lay_down_for(kms, danger)
    key = kms.create_symmetric_key()
    request, name = asked(kms, danger, key)
    for cast in (first, second):
        if cast is not None:
            vote(kms, name, *cast)
    assert f"that of {int(first is not None)}" in refused(kms, request, danger.version)
    unchanged(kms, key)


@EVERY
def test_a_vote_counts_no_more_when_its_client_is_revoked_or_its_person_no_approver(
    kms: TestKms, danger: Danger
) -> None:
    lay_down_for(kms, danger)
    key = kms.create_symmetric_key()
    request, name = asked(kms, danger, key)
    vote(kms, name, "carol", CAROL)
    vote(kms, name, "dan", DAN)
    gone = kms.clients.pop(ClientId(CAROL))
    refused(kms, request, danger.version)
    kms.clients[ClientId(CAROL)] = gone
    kms.run(appoint(kms.repository, "dan", [Role.OPERATOR], [DAN]))
    refused(kms, request, danger.version)
    unchanged(kms, key)
    kms.run(appoint(kms.repository, "dan", [Role.APPROVER], [DAN]))
    kms.call(request, version=danger.version)


@EVERY
def test_one_no_is_enough(kms: TestKms, danger: Danger) -> None:
    lay_down_for(kms, danger)
    key = kms.create_symmetric_key()
    request, name = asked(kms, danger, key)
    vote(kms, name, "carol", CAROL)
    vote(kms, name, "dan", DAN)
    vote(kms, name, "dan", DAN, approves=False)
    assert "dan has rejected it" in refused(kms, request, danger.version)
    unchanged(kms, key)
    assert only_name(kms) == name


@EVERY
def test_an_approval_ends_after_a_day(kms: TestKms, danger: Danger) -> None:
    lay_down_for(kms, danger)
    key = kms.create_symmetric_key()
    request, name = asked(kms, danger, key)
    vote(kms, name, "carol", CAROL)
    vote(kms, name, "dan", DAN)
    kms.clock.time += LIFETIME
    assert "that of 0" in refused(kms, request, danger.version)
    assert only_name(kms) != name
    unchanged(kms, key)
    kms.clock.pass_time(days=1, seconds=1)
    kms.run(kms.dispatcher.transactions.guard.approvals.tidy(kms.clock.now()))
    assert waiting(kms) == []


@EVERY
def test_an_approval_is_for_one_object_one_client_and_one_payload(kms: TestKms, danger: Danger) -> None:
    lay_down_for(kms, danger)
    key, other = kms.create_symmetric_key(), kms.create_symmetric_key()
    foreign = kms.create_symmetric_key(caller=BOB)
    request, name = asked(kms, danger, key)
    vote(kms, name, "carol", CAROL)
    vote(kms, name, "dan", DAN)
    refused(kms, danger.request(kms, other), danger.version)
    refused(kms, danger.request(kms, foreign), danger.version, caller=BOB)
    user = replace(ALICE, user="somebody")
    refused(kms, request, danger.version, caller=user)
    for one in (key, other, foreign):
        unchanged(kms, one)
    assert len(waiting(kms)) == 4
    kms.call(request, version=danger.version)


def test_another_payload_is_another_request(kms: TestKms) -> None:
    lay_down(kms, revoke_compromised=1)
    key = kms.create_symmetric_key()
    vote(kms, asked(kms, DANGERS["compromise"], key)[1], "carol", CAROL)
    later = RevokeRequest(
        unique_identifier=key, revocation_reason=COMPROMISED, compromise_occurrence_date=kms.clock.now()
    )
    refused(kms, later, V1_2)
    ca = RevocationReason(revocation_reason_code=RevocationReasonCode.CA_COMPROMISE)
    refused(kms, RevokeRequest(unique_identifier=key, revocation_reason=ca), V1_2)
    unchanged(kms, key)


def test_another_operation_to_the_same_end_is_another_request(kms: TestKms) -> None:
    lay_down(kms, destroy=1)
    key = kms.create_symmetric_key()
    vote(kms, asked(kms, DANGERS["destroy"], key)[1], "carol", CAROL)
    refused(kms, ObliterateRequest(unique_identifier=key), V3_0)
    unchanged(kms, key)


def test_a_name_means_the_object_that_had_it(kms: TestKms) -> None:
    """The object is renamed and another gets its name: the payload is the same, the request is not."""
    lay_down(kms, destroy=1)
    first = kms.create_symmetric_key(name="the key")
    request = DestroyRequest(unique_identifier=NameReference("the key"))
    refused(kms, request, V3_0)
    vote(kms, only_name(kms), "carol", CAROL)
    renamed = DeleteAttributeRequest(unique_identifier=UniqueIdentifier(first), attribute_reference=Tag.NAME)
    kms.call(renamed, version=V2_1)
    second = kms.create_symmetric_key(name="the key")
    refused(kms, request, V3_0)
    unchanged(kms, second)


def test_the_id_placeholder_means_the_object_in_it(kms: TestKms) -> None:
    lay_down(kms, destroy=1)
    first, second = kms.create_symmetric_key(name="one"), kms.create_symmetric_key(name="two")

    def batch(name: str) -> Any:
        located = LocateRequest(attributes=template(named(name)))
        return kms.batch(located, DestroyRequest(), version=V2_1)[-1]

    assert isinstance(batch("one"), Refused)
    vote(kms, only_name(kms), "carol", CAROL)
    assert isinstance(batch("two"), Refused)
    unchanged(kms, second)
    assert not isinstance(batch("one"), Refused)
    assert stored(kms, first).destroyed


def test_an_object_in_the_place_of_another_needs_an_approval_of_its_own(kms: TestKms) -> None:
    """Import over it brings other material under the same identifier."""
    lay_down(kms, export=1)
    key = kms.create_symmetric_key()
    request, name = asked(kms, DANGERS["get"], key)
    vote(kms, name, "carol", CAROL)
    other = kms.create_symmetric_key()
    material = kms.run(kms.repository.load(DEFAULT_TENANT, other))
    assert material is not None
    kms.call(
        ImportRequest(
            unique_identifier=UniqueIdentifier(key),
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            managed_object=material.material,
        ),
        version=V2_1,
    )
    refused(kms, request, V1_2)


def test_what_is_wrapped_public_or_only_attributes_is_no_export_in_clear(kms: TestKms) -> None:
    lay_down(kms, export=2)
    key, wrapper = kms.create_symmetric_key(), wrapping_key(kms)
    get_wrapped(kms, UniqueIdentifier(key), specification(wrapper), version=V2_1)
    kms.call(GetAttributesRequest(unique_identifier=key), version=V2_1)
    _, public = key_pair(kms)
    kms.call(GetRequest(unique_identifier=public), version=V2_1)
    assert waiting(kms) == []


def test_an_answer_that_was_remembered_is_not_given_out_once_approval_is_needed(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    request = GetRequest(unique_identifier=key)
    for _ in range(3):
        kms.call(request)
    lay_down(kms, export=1)
    message = refused(kms, request, V1_2)
    assert "approve" in message
    vote(kms, only_name(kms), "carol", CAROL)
    kms.call(request, version=V1_2)
    refused(kms, request, V1_2)


def test_requests_of_one_client_are_bounded_and_the_same_one_waits_once(kms: TestKms) -> None:
    lay_down(kms, destroy=1)
    keys = [kms.create_symmetric_key() for _ in range(MOST + 1)]
    for _ in range(2):
        for key in keys[:MOST]:
            refused(kms, DestroyRequest(unique_identifier=key), V1_2)
    assert len(waiting(kms)) == MOST
    message = refused(kms, DestroyRequest(unique_identifier=keys[MOST]), V1_2)
    assert str(MOST) in message
    assert len(waiting(kms)) == MOST
    foreign = kms.create_symmetric_key(caller=BOB)
    refused(kms, DestroyRequest(unique_identifier=foreign), V1_2, caller=BOB)
    assert len(waiting(kms)) == MOST + 1


def test_a_batch_with_undo_is_done_as_a_whole_when_each_item_is_approved(kms: TestKms) -> None:
    lay_down(kms, destroy=1)
    keys = [kms.create_symmetric_key() for _ in range(2)]
    requests = [DestroyRequest(unique_identifier=key) for key in keys]
    undo = BatchErrorContinuationOption.UNDO
    for _ in keys:
        results = kms.batch(*requests, version=V2_1, batch_error_continuation_option=undo)
        assert isinstance(results[-1], Refused)
        for key in keys:
            unchanged(kms, key)
        for kept in waiting(kms):
            vote(kms, name_of(kept), "carol", CAROL)
    results = kms.batch(*requests, version=V2_1, batch_error_continuation_option=undo)
    assert not any(isinstance(result, Refused) for result in results)
    assert waiting(kms) == []


def test_one_approval_does_not_do_for_two_items_of_a_batch_with_undo(kms: TestKms) -> None:
    lay_down(kms, export=1)
    key = kms.create_symmetric_key()
    request = GetRequest(unique_identifier=key)
    refused(kms, request, V2_1)
    vote(kms, only_name(kms), "carol", CAROL)
    undo = BatchErrorContinuationOption.UNDO
    results = kms.batch(request, request, version=V2_1, batch_error_continuation_option=undo)
    assert isinstance(results[-1], Refused)
    assert len(waiting(kms)) == 1


@pytest.mark.parametrize(
    "then",
    [
        lambda key, other: over(key, other),
        lambda key, _: DestroyRequest(unique_identifier=key),
        lambda key, _: RevokeRequest(unique_identifier=key, revocation_reason=COMPROMISED),
    ],
    ids=["another import", "destroy", "revoke"],
)
def test_an_approved_item_does_not_cover_what_comes_after_it_in_a_batch_with_undo(
    kms: TestKms, then: Callable[[UniqueIdentifier, ManagedObjectStruct], Request[Any]]
) -> None:
    """Approved is an Import of the very material that the object has, in which nobody sees a loss."""
    key, other = (kms.create_symmetric_key() for _ in range(2))
    material, others = (material_of(kms, one) for one in (key, other))
    lay_down(kms, destroy=1, revoke_compromised=1)
    harmless = over(key, material)
    refused(kms, harmless, V2_1)
    vote(kms, only_name(kms), "carol", CAROL)
    undo = BatchErrorContinuationOption.UNDO
    results = kms.batch(harmless, then(key, others), version=V2_1, batch_error_continuation_option=undo)
    assert isinstance(results[-1], Refused)
    assert results[-1].reason is ResultReason.PERMISSION_DENIED
    unchanged(kms, key)
    kms.call(harmless, version=V2_1)


def test_an_import_of_a_compromised_object_over_another_is_a_revocation(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    material = material_of(kms, key)
    lay_down(kms, revoke_compromised=1)
    refused(kms, over(key, material, attribute(Tag.STATE, State.COMPROMISED)), V2_1)
    kms.call(over(key, material), version=V2_1)


@pytest.mark.parametrize(
    "votes", [{"destroy": 1, "revoke_compromised": 2}, {"destroy": 2, "revoke_compromised": 1}]
)
def test_what_is_two_acts_needs_the_votes_of_the_stricter_one(kms: TestKms, votes: dict[str, Any]) -> None:
    people(kms)
    key, other = (kms.create_symmetric_key() for _ in range(2))
    material = material_of(kms, other)
    lay_down(kms, **votes)
    both = over(key, material, attribute(Tag.STATE, State.COMPROMISED))
    for voter, client in (("carol", CAROL), ("dan", DAN)):
        assert "needs the approval of 2" in refused(kms, both, V2_1)
        unchanged(kms, key)
        vote(kms, only_name(kms), voter, client)
    kms.call(both, version=V2_1)


def over(
    key: UniqueIdentifier, material: ManagedObjectStruct, *attributes: AttributeInstance
) -> ImportRequest:
    """Return an Import in the place of an object."""
    return ImportRequest(
        unique_identifier=key,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        attributes=template(*attributes),
        managed_object=material,
    )


def test_a_refusal_of_a_foreign_object_is_that_of_a_missing_one(kms: TestKms) -> None:
    """Whether something needs approval is asked after whether it may be done at all."""
    lay_down(kms, destroy=1, export=1)
    foreign = kms.create_symmetric_key(caller=BOB)
    for request in (DestroyRequest, GetRequest):
        told = []
        for key in (foreign, UniqueIdentifier("no-such-object")):
            attempt: Request[Any] = request(unique_identifier=key)
            with pytest.raises(Refused) as refusal:
                kms.call(attempt)
            told.append((refusal.value.reason, refusal.value.message))
        assert told[0] == told[1]
    assert waiting(kms) == []


def test_an_approval_that_was_edited_in_the_database_is_not_believed(kms: TestKms) -> None:
    """A row is sealed with its key, its owner and its generation: it cannot be put in another's place."""
    lay_down(kms, destroy=1)
    key, other = kms.create_symmetric_key(), kms.create_symmetric_key()
    refused(kms, DestroyRequest(unique_identifier=key), V1_2)
    vote(kms, only_name(kms), "carol", CAROL)
    approved = waiting(kms)[0].key
    refused(kms, DestroyRequest(unique_identifier=other), V1_2)
    asked_for = next(kept.key for kept in waiting(kms) if kept.key != approved)
    with sqlite3.connect(kms.directory / "strongroom.db") as database:
        sealed, generation = database.execute(
            "SELECT sealed, generation FROM entries WHERE kind = 41 AND key = ?", (approved,)
        ).fetchone()
        database.execute(
            "UPDATE entries SET sealed = ?, generation = ? WHERE kind = 41 AND key = ?",
            (sealed, generation, asked_for),
        )
    with pytest.raises(Refused) as refusal:
        kms.call(DestroyRequest(unique_identifier=other))
    assert refusal.value.reason is ResultReason.GENERAL_FAILURE
    unchanged(kms, other)


def test_an_approval_is_for_who_asked_and_for_whom(kms: TestKms) -> None:
    lay_down(kms, destroy=1)
    request = DestroyRequest(unique_identifier=UniqueIdentifier(kms.create_symmetric_key()))
    acting = [replace(ALICE, acting=ClientId(number)) for number in (7, 8)]
    users = [replace(ALICE, user=name) for name in ("one", "two")]
    for number, caller in enumerate([ALICE, *acting, *users], 1):
        refused(kms, request, V1_2, caller=caller)
        assert len(waiting(kms)) == number


def test_an_approval_is_for_the_whole_digest_and_not_for_what_it_is_kept_under(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests that share it can be looked for."""
    people(kms)
    lay_down(kms, destroy=1)
    one, other = kms.create_symmetric_key(), kms.create_symmetric_key()
    monkeypatch.setattr(approvals, "key_of", lambda digest: key_of(bytes(32)))
    refused(kms, DestroyRequest(unique_identifier=UniqueIdentifier(one)), V1_2)
    vote(kms, only_name(kms), "carol", CAROL)
    with pytest.raises(Refused, match="has the same number"):
        kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(other)))
    unchanged(kms, other)
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(one)))


def test_a_requirement_that_is_deleted_from_the_database_stays_in_force_in_a_server_that_knows_it(
    kms: TestKms,
) -> None:
    lay_down(kms, destroy=1)
    key = kms.create_symmetric_key()
    with sqlite3.connect(kms.directory / "strongroom.db") as database:
        database.execute("DELETE FROM entries WHERE kind = 40")
    with capture_logs() as logs:
        kms.run(kms.dispatcher.refresh())
    assert "was taken away" in str(logs)
    refused(kms, DestroyRequest(unique_identifier=key), V1_2)
    unchanged(kms, key)
