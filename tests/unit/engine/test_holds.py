"""Legal holds: nobody destroys, replaces or moves what is held, whatever their rights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.identity import DEFAULT_TENANT, TenantId
from strongroom.domain.operation import Request
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import RevocationReason
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_2,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    Version,
)
from strongroom.server.administration import holds
from strongroom.server.administration.command import perform
from strongroom.server.errors import NotFound, OperatorError
from tests.expect import stored
from tests.kms import BOB, Refused, TestKms, attribute, template
from tests.safeguards import hold, lay_down, people, waiting
from tests.unit.server.test_administration import administrator

GROUP = "evidence"


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    yield kms
    kms.close()


def grouped(kms: TestKms, group: str = GROUP) -> UniqueIdentifier:
    return kms.create_symmetric_key(attribute(Tag.OBJECT_GROUP, group))


def denied(kms: TestKms, request: Request[Any], version: Version = V2_1, **given: Any) -> None:
    with pytest.raises(Refused) as refused:
        kms.call(request, version=version, **given)
    assert refused.value.reason is ResultReason.PERMISSION_DENIED
    assert "legal hold" in refused.value.message


def losses(kms: TestKms, key: UniqueIdentifier) -> list[tuple[Request[Any], Version]]:
    obj = kms.run(kms.repository.load(DEFAULT_TENANT, key))
    assert obj is not None
    over = ImportRequest(
        unique_identifier=key,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=obj.material,
    )
    return [
        (DestroyRequest(unique_identifier=key), V1_2),
        (ObliterateRequest(unique_identifier=key), V3_0),
        (over, V2_1),
    ]


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("which", range(3))
def test_what_is_held_is_not_lost_until_every_hold_is_removed(
    kms: TestKms, by_group: bool, which: int
) -> None:
    key = grouped(kms)
    target = {"group": GROUP} if by_group else {"unique_identifier": key}
    names = [hold(kms, **target) for _ in range(2)]
    request, version = losses(kms, key)[which]
    for name in names:
        denied(kms, request, version)
        assert stored(kms, key).state is State.PRE_ACTIVE
        kms.call(GetRequest(unique_identifier=key))
        kms.run(perform(administrator(kms), {"command": "hold.remove", "hold": name}))
    kms.call(request, version=version)


def test_what_is_held_cannot_leave_the_group_that_holds_it(kms: TestKms) -> None:
    key = grouped(kms)
    hold(kms, group=GROUP)
    away: list[Request[Any]] = [
        DeleteAttributeRequest(unique_identifier=key, attribute_reference=Tag.OBJECT_GROUP),
        ModifyAttributeRequest(
            unique_identifier=key, new_attribute=AttributeInstance(Tag.OBJECT_GROUP, "elsewhere")
        ),
    ]
    for request in away:
        denied(kms, request)
    kms.call(
        AddAttributeRequest(unique_identifier=key, new_attribute=AttributeInstance(Tag.OBJECT_GROUP, "x")),
        version=V2_1,
    )
    denied(kms, DestroyRequest(unique_identifier=key))


def test_what_is_held_is_given_out_and_known_to_be_compromised_where_people_approve_such(
    kms: TestKms,
) -> None:
    """Neither is a loss, so no hold is looked for."""
    lay_down(kms, destroy=1)
    key = grouped(kms)
    hold(kms, unique_identifier=key)
    kms.call(GetRequest(unique_identifier=key))
    reason = RevocationReason(revocation_reason_code=RevocationReasonCode.KEY_COMPROMISE)
    kms.call(RevokeRequest(unique_identifier=key, revocation_reason=reason))
    kms.call(GetRequest(unique_identifier=key))


def test_what_is_held_itself_leaves_a_group_that_is_not(kms: TestKms) -> None:
    key = grouped(kms)
    hold(kms, unique_identifier=key)
    away = DeleteAttributeRequest(unique_identifier=key, attribute_reference=Tag.OBJECT_GROUP)
    kms.call(away, version=V2_1)


def test_what_is_held_cannot_leave_its_group_behind_another_one(kms: TestKms) -> None:
    """That the first item was allowed says nothing of the second."""
    groups = [attribute(Tag.OBJECT_GROUP, name) for name in ("free", GROUP)]
    key = kms.create_symmetric_key(*groups)
    hold(kms, group=GROUP)
    requests = [DeleteAttributeRequest(unique_identifier=key, current_attribute=group) for group in groups]
    undo = BatchErrorContinuationOption.UNDO
    *_, last = kms.batch(*requests, version=V2_1, batch_error_continuation_option=undo)
    assert isinstance(last, Refused)
    assert last.reason is ResultReason.PERMISSION_DENIED
    denied(kms, DestroyRequest(unique_identifier=key))


def test_a_group_that_is_not_held_is_left_freely(kms: TestKms) -> None:
    key = grouped(kms, "other")
    hold(kms, group=GROUP)
    kms.call(
        DeleteAttributeRequest(unique_identifier=key, attribute_reference=Tag.OBJECT_GROUP), version=V2_1
    )
    kms.call(DestroyRequest(unique_identifier=key))


def test_a_hold_is_on_the_objects_of_one_tenant(kms: TestKms) -> None:
    from dataclasses import replace

    stranger = replace(BOB, tenant=TenantId(2))
    hold(kms, group=GROUP)
    key = kms.create_symmetric_key(attribute(Tag.OBJECT_GROUP, GROUP), caller=stranger)
    kms.call(DestroyRequest(unique_identifier=key), caller=stranger)


def test_a_hold_goes_before_any_approval(kms: TestKms) -> None:
    """People are not asked for what nobody may do."""
    people(kms)
    lay_down(kms, destroy=1)
    key = kms.create_symmetric_key()
    hold(kms, unique_identifier=key)
    denied(kms, DestroyRequest(unique_identifier=key))
    assert waiting(kms) == []


def test_a_large_group_is_gone_through_in_several_answers(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "_TURN", 0.0)
    keys = [grouped(kms) for _ in range(130)]
    placed: Any = kms.run(
        perform(administrator(kms), {"command": "hold.add", "group": GROUP, "reason": "case 7"})
    )
    answers, reached = 1, placed["reached"]
    while reached is not None:
        request = {"command": "hold.overtake", "group": GROUP, "after": reached}
        further: Any = kms.run(perform(administrator(kms), request))
        answers, reached = answers + 1, further["reached"]
    assert answers == 3
    for key in keys:
        obj = kms.run(kms.repository.load(DEFAULT_TENANT, key))
        assert obj is not None
        assert obj.generation == 2
    kms.run(perform(administrator(kms), {"command": "hold.remove", "hold": placed["hold"]}))
    with pytest.raises(NotFound):
        kms.run(perform(administrator(kms), {"command": "hold.overtake", "group": GROUP, "after": "0"}))


def test_a_hold_is_listed_with_its_reason_and_who_placed_it(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    name = hold(kms, unique_identifier=key)
    rows = kms.run(perform(administrator(kms), {"command": "hold.list"}))
    assert isinstance(rows, list)
    assert [(row["hold"], row["unique_identifier"], row["reason"]) for row in rows] == [(name, key, "case 7")]


@pytest.mark.parametrize(
    "given",
    [
        {"unique_identifier": "no-such-object", "reason": "x"},
        {"reason": "x"},
        {"unique_identifier": "a", "group": "b", "reason": "x"},
        {"group": "b", "reason": " "},
        {"group": "b", "reason": "x" * 501},
        {"group": "b", "reason": "a\nb"},
        {"group": "b", "reason": "x", "tenant": "no-such-tenant"},
    ],
)
def test_a_hold_on_nothing_or_without_a_reason_is_refused(kms: TestKms, given: dict[str, object]) -> None:
    with pytest.raises(OperatorError):
        kms.run(perform(administrator(kms), {"command": "hold.add", **given}))
    with pytest.raises(NotFound):
        kms.run(perform(administrator(kms), {"command": "hold.remove", "hold": "0123"}))


def linked(kms: TestKms, group: str) -> UniqueIdentifier:
    key = kms.create_symmetric_key()
    link = AttributeInstance(Tag.GROUP_LINK, UniqueIdentifier(group))
    kms.call(AddAttributeRequest(unique_identifier=key, new_attribute=link), version=V3_0)
    return key


@pytest.mark.parametrize("held_by", ["its identifier", "its group", "its group among many", "a link"])
def test_whoever_is_about_to_destroy_it_when_the_hold_comes_looks_again(kms: TestKms, held_by: str) -> None:
    """The Destroy has looked for holds and found none; then the hold is placed; then it wants to commit."""
    for _ in range(70 if held_by == "its group among many" else 0):
        grouped(kms)
    group = GROUP
    if held_by == "a link":
        made = kms.call(CreateGroupRequest(attributes=template()), version=V3_0)
        group = str(made.unique_identifier)
    key = linked(kms, group) if held_by == "a link" else grouped(kms)
    target = {"unique_identifier": key} if held_by == "its identifier" else {"group": group}
    commit = kms.backend.commit
    placed: list[str] = []

    async def late(changes: Any) -> None:
        if not placed:
            placed.append("once")
            vars(kms.backend).pop("commit")
            result = await perform(administrator(kms), {"command": "hold.add", "reason": "case 7", **target})
            placed.append(str(result))
        await commit(changes)

    vars(kms.backend)["commit"] = late
    denied(kms, DestroyRequest(unique_identifier=key))
    assert len(placed) == 2
