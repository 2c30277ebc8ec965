"""Automatic rotation (KMIP 2.1 §4.48-4.54)."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from strongroom.attributes.matching import NO_DATE
from strongroom.domain.errors import KmipError
from strongroom.domain.identity import DEFAULT_TENANT, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.store_failures import TamperedRecord
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.model.structures import CryptographicParameters, RotateName, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.registry import (
    V2_1,
    BlockCipherMode,
    CryptographicAlgorithm,
    LinkType,
    ObjectType,
    PaddingMethod,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    UsageLimitsUnit,
)
from strongroom.scheduler.rotation import PAGE
from tests.certificates import authority, leaf, load
from tests.expect import (
    EVERY_USE,
    later,
    mask,
    named,
    pair_request,
    raw_key,
    refusal,
    registration,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import ALICE, BOB, TestKms, attribute, template
from tests.unit.scheduler.conftest import Node

NewNode = Callable[..., Node]
DAY = Seconds(86_400)
AUTOMATIC = attribute(Tag.ROTATE_AUTOMATIC, value=True)
DAILY = (AUTOMATIC, attribute(Tag.ROTATE_INTERVAL, DAY))
CBC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)


def uses(total: int, unit: UsageLimitsUnit = UsageLimitsUnit.OBJECT) -> Any:
    return attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=total, usage_limits_unit=unit))


def encrypt(kms: TestKms, identifier: str, data: bytes = b"data") -> Any:
    request = EncryptRequest(
        unique_identifier=UniqueIdentifier(identifier),
        data=SecretBytes(data),
        cryptographic_parameters=CBC,
        iv_counter_nonce=bytes(16),
    )
    return kms.call(request).data


def key(kms: TestKms, *attributes: Any, caller: ClientIdentity = ALICE) -> UniqueIdentifier:
    """Return a new AES key; 2.1 is the first version that can say the policy."""
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            mask(EVERY_USE),
            *attributes,
        ),
    )
    return kms.call(request, version=V2_1, caller=caller).unique_identifier


def active(kms: TestKms, *attributes: Any, **given: Any) -> UniqueIdentifier:
    return key(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now()), *attributes, **given)


def successor(kms: TestKms, identifier: str) -> UniqueIdentifier | None:
    return next(
        (
            link.linked_object_identifier
            for link in values(kms, identifier, Tag.LINK)
            if link.link_type is LinkType.REPLACEMENT_OBJECT_LINK
        ),
        None,
    )


def count(kms: TestKms) -> int:
    return len(kms.call(LocateRequest()).unique_identifier)


def test_a_key_is_rotated_when_its_interval_has_passed(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §4.51: when the time since the Initial Date reaches or exceeds the value."""
    node, old = new_node(), active(kms, *DAILY, named("n"))
    kms.clock.pass_time(days=1, seconds=-1)
    assert node.look() == 0
    kms.clock.pass_time(seconds=1)
    assert node.look() == 1
    assert node.rotated == [old]
    assert successor(kms, old) is not None
    assert node.look() == 0


def test_the_name_moves_and_the_old_key_goes_on_decrypting(kms: TestKms, new_node: NewNode) -> None:
    old = active(kms, *DAILY, attribute(Tag.DEACTIVATION_DATE, later(kms, days=9)), named("n"))
    sealed = encrypt(kms, old)
    kms.clock.pass_time(days=1)
    new_node().look()
    new = successor(kms, old)
    assert kms.call(LocateRequest(attributes=template(named("n")))).unique_identifier == (new,)
    assert values(kms, old, Tag.NAME) == []
    assert (state_of(kms, old), state_of(kms, str(new))) == (State.ACTIVE, State.ACTIVE)
    request = DecryptRequest(
        unique_identifier=old, data=sealed, cryptographic_parameters=CBC, iv_counter_nonce=bytes(16)
    )
    assert kms.call(request).data == SecretBytes(b"data")
    assert encrypt(kms, str(new)) != sealed


def test_the_dates_of_the_successor_follow_from_its_own_beginning(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §4.54 and table 303; without Rotate Offset the successor is active at once."""
    for offset, wait in ((None, 0), (Seconds(3600), 3600)):
        given = [] if offset is None else [attribute(Tag.ROTATE_OFFSET, offset)]
        old = active(kms, *DAILY, *given, attribute(Tag.DEACTIVATION_DATE, later(kms, days=30)))
        kms.clock.pass_time(days=1)
        new_node().look()
        new = str(successor(kms, old))
        activation = later(kms, seconds=wait)
        assert value(kms, new, Tag.ACTIVATION_DATE) == activation
        assert value(kms, new, Tag.DEACTIVATION_DATE) == activation + timedelta(days=30)
        assert state_of(kms, new) is (State.PRE_ACTIVE if wait else State.ACTIVE)


def test_a_key_that_never_ends_is_rotated_too(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §6.1.28: the largest date means never."""
    old = active(kms, *DAILY, attribute(Tag.DEACTIVATION_DATE, NO_DATE))
    kms.clock.pass_time(days=1)
    assert new_node().look() == 1
    assert value(kms, str(successor(kms, old)), Tag.DEACTIVATION_DATE) == NO_DATE


def test_what_was_never_activated_is_replaced_by_what_is_not_either(kms: TestKms, new_node: NewNode) -> None:
    old = key(kms, *DAILY)
    kms.clock.pass_time(days=1)
    new_node().look()
    assert state_of(kms, str(successor(kms, old))) is State.PRE_ACTIVE


def test_rotations_are_counted_and_dated_and_the_latest_is_marked(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §4.49, 4.50, 4.52 and 4.53."""
    rotate_name = RotateName(rotate_name_value="set")
    first = active(kms, *DAILY, attribute(Tag.ROTATE_NAME, rotate_name))
    members, node = [first], new_node()
    for _ in range(2):
        kms.clock.pass_time(days=1)
        node.look()
        members.append(UniqueIdentifier(str(successor(kms, members[-1]))))
    rotated_at = kms.clock.now()
    assert [value(kms, m, Tag.ROTATE_GENERATION) for m in members] == [0, 1, 2]
    assert [value(kms, m, Tag.ROTATE_LATEST) for m in members] == [False, False, True]
    assert value(kms, members[1], Tag.ROTATE_DATE) == rotated_at
    assert [value(kms, m, Tag.ROTATE_NAME) for m in members] == [rotate_name] * 3
    latest = template(attribute(Tag.ROTATE_NAME, rotate_name), attribute(Tag.ROTATE_LATEST, value=True))
    found = kms.call(LocateRequest(attributes=latest), version=V2_1).unique_identifier
    assert found == (members[-1],)


def test_a_rotation_on_request_counts_too(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §4.50: automatic rotates or Re-key operations. The turn of the old key is over."""
    old = active(kms, *DAILY)
    kms.clock.pass_time(hours=12)
    new = kms.call(ReKeyRequest(unique_identifier=old)).unique_identifier
    assert value(kms, new, Tag.ROTATE_GENERATION) == 1
    kms.clock.pass_time(hours=12)
    assert new_node().look() == 0
    kms.clock.pass_time(hours=12)
    node = new_node()
    assert (node.look(), node.rotated) == (1, [new])


def test_a_key_is_rotated_when_its_uses_are_used_up(kms: TestKms, new_node: NewNode) -> None:
    node, old = new_node(), active(kms, AUTOMATIC, uses(2), named("n"))
    encrypt(kms, old)
    assert node.look() == 0
    encrypt(kms, old)
    assert node.look() == 1
    new = str(successor(kms, old))
    assert value(kms, new, Tag.USAGE_LIMITS).usage_limits_count == 2
    encrypt(kms, new)
    assert node.look() == 0


def test_uses_that_clients_allocate_count_together(kms: TestKms, new_node: NewNode) -> None:
    old = active(kms, AUTOMATIC, uses(10))
    kms.call(GetUsageAllocationRequest(unique_identifier=old, usage_limits_count=9))
    node = new_node()
    assert node.look() == 0
    encrypt(kms, old)
    assert node.look() == 1


def test_a_limit_in_bytes_counts_as_used_up_with_its_last_tenth(kms: TestKms, new_node: NewNode) -> None:
    node, old = new_node(), active(kms, AUTOMATIC, uses(100, UsageLimitsUnit.BYTE))
    encrypt(kms, old, bytes(90))
    assert node.look() == 0
    encrypt(kms, old, bytes(1))
    assert node.look() == 1


def test_a_pair_is_rotated_as_a_pair(kms: TestKms, new_node: NewNode) -> None:
    made = kms.call(pair_request(*DAILY), version=V2_1)
    private, public = made.private_key_unique_identifier, made.public_key_unique_identifier
    kms.clock.pass_time(days=1)
    node = new_node()
    assert (node.look(), node.rotated) == (1, [private])
    assert successor(kms, private) is not None
    assert successor(kms, public) is not None
    assert node.look() == 0


def test_a_certificate_is_renewed_for_the_same_key(kms: TestKms, new_node: NewNode) -> None:
    """KMIP 2.1 §4.48: via the equivalent of Re-certify."""
    old = leaf(kms, authority(kms))
    for one in DAILY:
        kms.call(AddAttributeRequest(unique_identifier=old, new_attribute=one), version=V2_1)
    kms.clock.pass_time(days=1)
    node = new_node()
    assert (node.look(), node.rotated, node.failed) == (1, [old], [])
    new = UniqueIdentifier(str(successor(kms, old)))
    assert load(kms, new).public_key() == load(kms, old).public_key()
    assert value(kms, new, Tag.ROTATE_GENERATION) == 1


def test_a_registered_key_is_rotated_like_a_made_one(kms: TestKms, new_node: NewNode) -> None:
    request = registration(ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE), *DAILY)
    old = kms.call(request, version=V2_1).unique_identifier
    kms.clock.pass_time(days=1)
    assert new_node().look() == 1
    assert successor(kms, old) is not None


def test_the_policy_may_be_added_later(kms: TestKms, new_node: NewNode) -> None:
    old = active(kms)
    kms.clock.pass_time(days=2)
    for one in DAILY:
        kms.call(AddAttributeRequest(unique_identifier=old, new_attribute=one), version=V2_1)
    assert new_node().look() == 1


@pytest.mark.parametrize("one", [DAILY, (AUTOMATIC, attribute(Tag.ROTATE_OFFSET, DAY))])
def test_a_client_does_not_change_the_policy(kms: TestKms, one: Any) -> None:
    """KMIP 2.1 tables 126, 132 and 138: not modifiable by the client."""
    made = key(kms, *one)
    for given in one:
        request = ModifyAttributeRequest(unique_identifier=made, new_attribute=given)
        assert refusal(kms, request, version=V2_1).reason is ResultReason.ATTRIBUTE_READ_ONLY


@pytest.mark.parametrize("seconds", [0, 1, 3599])
def test_an_interval_that_would_fill_the_store_is_refused(kms: TestKms, seconds: int) -> None:
    made = key(kms)
    short = attribute(Tag.ROTATE_INTERVAL, Seconds(seconds))
    request = AddAttributeRequest(unique_identifier=made, new_attribute=short)
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_ATTRIBUTE_VALUE


def test_a_key_that_never_had_a_use_is_not_rotated_for_ever(kms: TestKms, new_node: NewNode) -> None:
    limits = UsageLimits(usage_limits_total=0, usage_limits_unit=UsageLimitsUnit.OBJECT)
    active(kms, AUTOMATIC, attribute(Tag.USAGE_LIMITS, limits))
    assert new_node().look() == 0


def test_a_rotation_without_automation_ends_the_policy(kms: TestKms, new_node: NewNode) -> None:
    """What a client cannot change on a key, it can give the successor."""
    old = active(kms, *DAILY)
    stop = template(attribute(Tag.ROTATE_AUTOMATIC, value=False))
    kms.call(ReKeyRequest(unique_identifier=old, attributes=stop), version=V2_1)
    kms.clock.pass_time(days=9)
    assert new_node().look() == 0


@pytest.mark.parametrize(
    "given", [(), (attribute(Tag.ROTATE_AUTOMATIC, value=False), DAILY[1]), (DAILY[1],), (AUTOMATIC,)]
)
def test_without_the_whole_policy_nothing_is_rotated(
    kms: TestKms, new_node: NewNode, given: tuple[Any, ...]
) -> None:
    active(kms, *given)
    kms.clock.pass_time(days=999)
    assert new_node().look() == 0


@pytest.mark.parametrize("code", [RevocationReasonCode.SUPERSEDED, RevocationReasonCode.KEY_COMPROMISE])
def test_what_its_owner_has_put_an_end_to_is_not_rotated(
    kms: TestKms, new_node: NewNode, code: RevocationReasonCode
) -> None:
    made = active(kms, *DAILY, uses(1))
    encrypt(kms, made)
    kms.call(revoke(made, code))
    kms.clock.pass_time(days=2)
    assert new_node().look() == 0


def test_what_ends_before_it_is_due_is_not_rotated(kms: TestKms, new_node: NewNode) -> None:
    active(kms, *DAILY, attribute(Tag.DEACTIVATION_DATE, later(kms, hours=12)))
    kms.clock.pass_time(days=2)
    assert new_node().look() == 0


def test_an_archived_key_waits_until_it_is_recovered(kms: TestKms, new_node: NewNode) -> None:
    made, node = active(kms, *DAILY), new_node()
    kms.call(ArchiveRequest(unique_identifier=made))
    kms.clock.pass_time(days=2)
    assert node.look() == 0
    kms.call(RecoverRequest(unique_identifier=made))
    assert node.look() == 1


def test_a_missed_time_is_made_up_for_once(kms: TestKms, new_node: NewNode) -> None:
    """After a downtime of ten periods: one rotation, and the next a period later."""
    active(kms, *DAILY, attribute(Tag.DEACTIVATION_DATE, later(kms, days=5)))
    kms.clock.pass_time(days=10)
    restarted = TestKms(kms.directory, clock=kms.clock)
    node = new_node(restarted)
    assert [node.look() for _ in range(3)] == [1, 0, 0]
    kms.clock.pass_time(days=1)
    assert [node.look() for _ in range(3)] == [1, 0, 0]
    restarted.close()


def test_a_clock_that_jumps_rotates_once_at_most(kms: TestKms, new_node: NewNode) -> None:
    active(kms, *DAILY)
    node, before = new_node(), kms.clock.time
    kms.clock.pass_time(days=5000)
    assert [node.look() for _ in range(3)] == [1, 0, 0]
    kms.clock.time = before
    assert node.look() == 0
    kms.clock.pass_time(days=-5000)
    assert node.look() == 0
    kms.clock.time = before + timedelta(days=2)
    assert node.look() == 0
    assert count(kms) == 2


def test_two_nodes_rotate_once(kms: TestKms, new_node: NewNode) -> None:
    """While a pair is being made, in a thread, the other node begins too: one of them loses the race."""
    other = TestKms(kms.directory, clock=kms.clock)
    private = kms.call(pair_request(*DAILY), version=V2_1).private_key_unique_identifier
    kms.clock.pass_time(days=1)
    nodes = [new_node(), new_node(other), new_node(), new_node(other)]

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(node.rotations.once(kms.clock.now()) for node in nodes))

    assert sorted(kms.run(all_at_once())) == [0, 0, 0, 1]
    assert [identifier for node in nodes for identifier in node.rotated] == [private]
    assert not any(node.failed for node in nodes)
    assert count(kms) == 4
    assert [node.look() for node in nodes[::2]] == [0, 0]
    other.close()


def test_a_rotation_that_was_overtaken_does_nothing(
    kms: TestKms, new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = active(kms, *DAILY)
    kms.clock.pass_time(days=1)
    stale: list[ManagedObject] = kms.run(
        kms.repository.rotations_due(1, kms.clock.now(), maximum=9, damaged=lambda *_: None)
    )
    node = new_node()
    node.look()

    left_alone: list[Any] = []

    async def found_before(*_: Any, excluded: Any, **__: Any) -> list[ManagedObject]:
        left_alone.append(excluded)
        return stale

    monkeypatch.setattr(kms.repository, "rotations_due", found_before)
    assert node.look() == 0
    assert (node.rotated, node.failed) == ([old], [])
    node.look()
    assert left_alone == [[], [old]]


def test_what_cannot_be_rotated_is_put_off_in_its_tenant(
    kms: TestKms, new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identifier is that of another object in another tenant."""
    node, left_alone = new_node(), dict[int, Any]()

    async def due(tenant: int, *_: Any, excluded: Any, damaged: Any, **__: Any) -> list[ManagedObject]:
        left_alone[tenant] = excluded
        if tenant == 1:
            damaged(UniqueIdentifier("same"), TamperedRecord("damaged"))
        return []

    monkeypatch.setattr(kms.repository, "rotations_due", due)
    monkeypatch.setattr(node.rotations, "_tenants", lambda: (1, 2))
    for _ in range(2):
        kms.run(node.rotations(kms.clock.now()))
    assert left_alone == {1: ["same"], 2: []}
    assert len(node.failed) == 1


def test_the_rotation_is_the_owners_and_is_recorded(kms: TestKms, new_node: NewNode) -> None:
    old = active(kms, *DAILY, caller=BOB)
    kms.clock.pass_time(days=1)
    assert new_node().look() == 1
    (new,) = kms.call(LocateRequest(maximum_items=1), caller=BOB).unique_identifier
    assert count(kms) == 0, "nothing of it is ALICE's"
    with sqlite3.connect(kms.directory / "strongroom.db") as connection:
        events = [json.loads(row[0]) for row in connection.execute("SELECT event FROM audit")]
    event = next(e for e in events if e["operation"] == "ReKey")
    assert event["peer"] == "scheduler"
    assert event["client"] == BOB.client
    assert {old, new} == set(event["objects"])


def test_one_that_cannot_be_rotated_holds_up_no_other(
    kms: TestKms, new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Offset cannot move dates that hang on no Activation Date: it is reported, and tried again later."""
    stuck = key(
        kms,
        *DAILY,
        attribute(Tag.ROTATE_OFFSET, Seconds(1)),
        attribute(Tag.DEACTIVATION_DATE, later(kms, days=30)),
    )
    fine = active(kms, *DAILY)
    kms.clock.pass_time(days=1)
    node = new_node()
    assert (node.look(), node.rotated) == (1, [fine])
    ((identifier, failure),) = node.failed
    assert identifier == stuck
    assert isinstance(failure, KmipError)
    node.look()
    assert len(node.failed) == 1
    kms.call(ActivateRequest(unique_identifier=stuck))
    monkeypatch.setattr(kms.loop, "time", lambda real=kms.loop.time: real() + 60)
    assert node.look() == 1


@pytest.mark.parametrize(
    "edit",
    [
        "sealed = CAST(x'fffe' AS TEXT)",
        "attributes = 5",
        "unique_identifier = CAST(unique_identifier AS BLOB)",
        "unique_identifier = CAST(x'fffe' AS TEXT)",
    ],
)
def test_values_that_no_release_writes_hold_up_no_rotation(
    kms: TestKms, new_node: NewNode, edit: str
) -> None:
    bad, fine = (key(kms, *DAILY) for _ in range(2))
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        editor.execute(f"UPDATE objects SET {edit} WHERE unique_identifier = ?", (bad,))
    editor.close()
    kms.repository._cache.clear()
    kms.clock.pass_time(days=1)
    node = new_node()
    assert [node.look() for _ in range(3)] == [1, 0, 0]
    assert node.rotated == [fine]
    assert len(node.failed) <= 1


@pytest.mark.parametrize("what", ["damaged", "doubted"])
def test_what_cannot_be_trusted_holds_up_no_other_and_is_told(
    kms: TestKms, new_node: NewNode, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bad = [key(kms, *DAILY) for _ in range(PAGE)]  # all that is looked at in one go
    fine = key(kms, *DAILY)
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        for one in bad:
            if what == "damaged":
                editor.execute("UPDATE objects SET activation_date = 5 WHERE unique_identifier = ?", (one,))
            else:
                kms.repository._distrusted[DEFAULT_TENANT, one] = "it is older than the audit log says"
    editor.close()
    kms.repository._cache.clear()
    kms.clock.pass_time(days=1)
    node = new_node()
    assert [node.look() for _ in range(3)] == [0, 1, 0]
    assert node.rotated == [fine]
    assert [identifier for identifier, _ in node.failed] == bad
    assert all(isinstance(failure, TamperedRecord) for _, failure in node.failed)
    monkeypatch.setattr(kms.loop, "time", lambda real=kms.loop.time: real() + 60)
    node.look()
    assert [identifier for identifier, _ in node.failed] == bad * 2


def test_more_than_a_page_is_rotated_page_by_page(kms: TestKms, new_node: NewNode) -> None:
    made = [key(kms, *DAILY) for _ in range(70)]
    kms.clock.pass_time(days=1)
    node = new_node()
    assert [node.look() for _ in range(4)] == [32, 32, 6, 0]
    assert set(node.rotated) == set(made)
