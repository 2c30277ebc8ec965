"""What clients are told, in which order, and what happens when they do not answer."""

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.conformance.endpoint import polite
from strongroom.domain.entries import Entry
from strongroom.domain.objects import ManagedObject
from strongroom.domain.outgoing import Correspondence, EndpointUnreachable, Outgoing
from strongroom.domain.permission import Permission
from strongroom.domain.rights import compile_rights
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.obtain_lease import ObtainLeaseRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.to_client.discover_versions import ClientVersionsRequest
from strongroom.operations.to_client.notify import NotifyRequest
from strongroom.operations.to_client.put import PutRequest
from strongroom.operations.to_client.set_endpoint_role import ClientRoleRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EndpointRole,
    ObjectType,
    PutFunction,
    State,
    Tag,
    Version,
)
from strongroom.scheduler import courier as courier_module
from strongroom.scheduler.dates import DateNotices
from strongroom.scheduler.lease import LENGTH, Lease
from tests.expect import key_pair
from tests.kms import ALICE, BOB, TestKms, attribute, template
from tests.safeguards import lay_down
from tests.unit.scheduler.listening import SUBSCRIPTIONS, Listening, courier, deliver, waiting


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path, subscriptions=SUBSCRIPTIONS)
    yield server
    server.close()


@pytest.fixture
def listening() -> Listening:
    return Listening()


COLOUR = VendorAttribute("x", "colour")


def colour(text: str) -> AttributeInstance:
    return AttributeInstance(COLOUR, RawValue(7, text))


def put(kms: TestKms, listening: Listening, **more: Any) -> UniqueIdentifier:
    """Make a key, let its Put be delivered, and forget both."""
    key = kms.create_symmetric_key(**more)
    deliver(kms, courier(kms, listening))
    listening.told()
    return key


def test_a_new_object_is_put_with_its_material_and_attributes(kms: TestKms, listening: Listening) -> None:
    """KMIP 1.4 §5.2: the object, and the attributes associated with it."""
    key = kms.create_symmetric_key()
    deliver(kms, courier(kms, listening))
    (message,) = listening.told()
    assert isinstance(message, PutRequest)
    assert (message.unique_identifier, message.put_function) == (key, PutFunction.NEW)
    assert message.replaced_unique_identifier is None
    assert message.managed_object == kms.call(GetRequest(unique_identifier=key)).managed_object
    assert message.attributes is not None
    told = {one.key: one.value for one in message.attributes.attributes}
    assert told[Tag.STATE] is State.PRE_ACTIVE
    assert told[Tag.UNIQUE_IDENTIFIER] == key
    assert waiting(kms) == []


def test_the_message_is_written_with_the_change_and_survives_a_restart(
    kms: TestKms, listening: Listening
) -> None:
    key = kms.create_symmetric_key()
    assert [one.unique_identifier for one in waiting(kms)] == [key]
    again = TestKms(kms.directory)
    deliver(again, courier(again, listening))
    again.close()
    assert [one.unique_identifier for one in listening.told()] == [key]


def test_a_batch_that_is_undone_tells_nothing(kms: TestKms) -> None:
    create = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
        ),
    )
    kms.batch(
        create,
        GetRequest(unique_identifier=UniqueIdentifier("nothing")),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert waiting(kms) == []


def test_a_client_that_does_not_want_to_know_costs_nothing(kms: TestKms) -> None:
    kms.create_symmetric_key(caller=BOB)
    assert waiting(kms) == []


def test_a_replacement_says_what_it_replaces(kms: TestKms, listening: Listening) -> None:
    """KMIP 1.4 §5.2: Put Function Replace, and the Replaced Unique Identifier."""
    old = put(kms, listening)
    new = kms.call(ReKeyRequest(unique_identifier=old)).unique_identifier
    deliver(kms, courier(kms, listening))
    told = {one.unique_identifier: one for one in listening.told()}
    message = told[new]
    assert isinstance(message, PutRequest)
    assert message.put_function is PutFunction.REPLACE
    assert message.replaced_unique_identifier == old
    assert isinstance(told[old], NotifyRequest)


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_0, V2_1])
def test_changed_attributes_are_notified(kms: TestKms, listening: Listening, version: Version) -> None:
    """KMIP 1.4 §5.1, 2.1 §6.2.2: the changes, and at least the Last Change Date."""
    key = put(kms, listening)
    kms.call(AddAttributeRequest(unique_identifier=key, new_attribute=colour("red")), version=version)
    deliver(kms, courier(kms, listening))
    (message,) = listening.told()
    assert isinstance(message, NotifyRequest)
    assert message.attributes is not None
    changed = {one.key: one.value for one in message.attributes.attributes}
    assert set(changed) == {COLOUR, Tag.LAST_CHANGE_DATE}
    assert changed[COLOUR].value == "red"


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_a_deleted_attribute_has_a_name_and_no_value(
    kms: TestKms, listening: Listening, version: Version
) -> None:
    key = put(kms, listening)
    kms.call(AddAttributeRequest(unique_identifier=key, new_attribute=colour("red")), version=V2_1)
    deliver(kms, courier(kms, listening))
    listening.told()
    request = DeleteAttributeRequest(
        unique_identifier=key,
        attribute_reference=COLOUR,
        attribute_name=COLOUR,
    )
    kms.call(request, version=version)
    deliver(kms, courier(kms, listening))
    (message,) = listening.told()
    assert isinstance(message, NotifyRequest)
    assert message.attributes is not None
    gone = [one.key for one in message.attributes.attributes if one.value is None]
    assert [*gone, *message.attribute_reference] == [COLOUR]


def test_a_state_is_notified_and_what_is_counted_by_the_way_is_not(
    kms: TestKms, listening: Listening
) -> None:
    key = put(kms, listening)
    kms.call(GetRequest(unique_identifier=key))  # not fresh any more
    assert waiting(kms) == []
    kms.call(ActivateRequest(unique_identifier=key))
    deliver(kms, courier(kms, listening))
    (message,) = listening.told()
    assert message.attributes is not None
    assert {one.key for one in message.attributes.attributes} == {
        Tag.STATE,
        Tag.ACTIVATION_DATE,
        Tag.LAST_CHANGE_DATE,
    }
    kms.call(ObtainLeaseRequest(unique_identifier=key))
    assert waiting(kms) == []


def test_a_destroyed_object_is_notified_and_its_put_is_not_sent_any_more(
    kms: TestKms, listening: Listening
) -> None:
    key = kms.create_symmetric_key()
    kms.call(DestroyRequest(unique_identifier=key))
    deliver(kms, courier(kms, listening))
    (message,) = listening.told()
    assert isinstance(message, NotifyRequest)
    assert message.attributes is not None
    states = [one.value for one in message.attributes.attributes if one.key is Tag.STATE]
    assert states == [State.DESTROYED]


def test_a_key_is_not_put_in_clear_where_that_needs_approval(kms: TestKms, listening: Listening) -> None:
    lay_down(kms, export=1)
    kms.create_symmetric_key()
    deliver(kms, courier(kms, listening))
    assert listening.told() == []
    assert waiting(kms) == []
    _, public = key_pair(kms)
    deliver(kms, courier(kms, listening))
    assert [told.unique_identifier for told in listening.told()] == [public]


class Forbid:
    """A restriction that takes one permission from everybody, owners too."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return permission is not self._permission


def test_nobody_is_told_what_a_restriction_keeps_it_from_asking_for(
    kms: TestKms, listening: Listening
) -> None:
    """Put is Get and Get Attributes that nobody asked for, Notify is Get Attributes."""
    key = put(kms, listening)
    kms.call(ActivateRequest(unique_identifier=key))
    for permission in (Permission.GET, Permission.READ_ATTRIBUTES, Permission.EXPORT):
        rights = compile_rights(ALICE.client, (), (), Forbid(permission))
        another = kms.create_symmetric_key()
        deliver(kms, courier(kms, listening, client=replace(ALICE, access=rights)))
        told = [(type(one), one.unique_identifier) for one in listening.told()]
        expected: dict[Permission, list[object]] = {
            Permission.GET: [(NotifyRequest, key)],
            Permission.READ_ATTRIBUTES: [],
            Permission.EXPORT: [(PutRequest, another)],
        }
        assert told == expected[permission]
        assert waiting(kms) == []


@pytest.mark.parametrize(
    "forbidden",
    [attribute(Tag.SENSITIVE, True), attribute(Tag.EXTRACTABLE, False)],
    ids=["sensitive", "kept"],
)
def test_what_may_not_leave_the_server_in_clear_is_not_put(
    kms: TestKms, listening: Listening, forbidden: AttributeInstance
) -> None:
    kms.create_symmetric_key(forbidden)
    deliver(kms, courier(kms, listening))
    assert listening.told() == []
    assert waiting(kms) == []


def test_a_date_that_passes_is_notified_once_whatever_workers_look(
    kms: TestKms, listening: Listening
) -> None:
    soon = kms.clock.now() + timedelta(minutes=1)
    key = put(kms, listening)
    later = attribute(Tag.ACTIVATION_DATE, soon)
    kms.call(AddAttributeRequest(unique_identifier=key, new_attribute=later))
    worker = courier(kms, listening)
    deliver(kms, worker)
    listening.told()
    subscription = kms.dispatcher.transactions.outbox.subscription
    first, second = (DateNotices(kms.repository, subscription, Silent()) for _ in range(2))
    kms.run(first.tidy(kms.clock.now()))
    assert waiting(kms) == []
    kms.clock.pass_time(minutes=2)
    kms.run(first.tidy(kms.clock.now()))
    kms.run(second.tidy(kms.clock.now()))
    deliver(kms, worker)
    (message,) = listening.told()
    assert message.attributes is not None
    states = [one.value for one in message.attributes.attributes if one.key is Tag.STATE]
    assert (message.unique_identifier, states) == (key, [State.ACTIVE])


class Silent:
    def wake(self, client: int) -> None:
        """Nobody waits."""


def test_the_version_is_that_of_the_request_as_far_as_put_exists(kms: TestKms, listening: Listening) -> None:
    key = put(kms, listening)
    for version, sent in ((V1_0, V1_0), (V2_0, V2_0), (V3_0, V2_1)):
        kms.call(
            AddAttributeRequest(unique_identifier=key, new_attribute=colour(str(version))), version=version
        )
        deliver(kms, courier(kms, listening))
        about_objects = [v for v, request in listening.asked if isinstance(request, NotifyRequest)]
        assert about_objects == [sent]
        listening.told()


def test_a_client_is_asked_once_a_day_what_it_speaks_and_is_kept_to(
    kms: TestKms, listening: Listening
) -> None:
    """KMIP 2.1 §6.2.1; the server limits itself to what the client lists."""
    kms.create_symmetric_key()
    deliver(kms, courier(kms, listening))
    kms.create_symmetric_key()
    deliver(kms, courier(kms, listening))
    asked = [request for _, request in listening.asked if isinstance(request, ClientVersionsRequest)]
    assert len(asked) == 1
    kept = kms.run(kms.repository.load_entry(Correspondence, ALICE.tenant, str(ALICE.client)))
    assert kept is not None
    assert len(kept.value.protocol_version) == 7
    kms.clock.pass_time(days=2)
    kms.create_symmetric_key()
    deliver(kms, courier(kms, listening))
    asked = [request for _, request in listening.asked if isinstance(request, ClientVersionsRequest)]
    assert len(asked) == 2


def test_an_endpoint_that_is_down_is_tried_ever_more_rarely_and_gets_all_in_order(
    kms: TestKms, listening: Listening
) -> None:
    listening.up = False
    keys = [kms.create_symmetric_key() for _ in range(3)]
    worker = courier(kms, listening)
    for _ in range(60):
        deliver(kms, worker)
        kms.clock.pass_time(seconds=1)
    assert 4 <= listening.tries <= 7
    listening.up = True
    kms.clock.pass_time(minutes=6)
    deliver(kms, worker)
    assert [message.unique_identifier for message in listening.told()] == keys


@pytest.mark.parametrize("answer", [b"garbage!", b"", b"\x42\x00\x7b\x01\x00\x00\x00\x00"])
def test_an_answer_that_is_none_leaves_the_message_waiting(
    kms: TestKms, listening: Listening, answer: bytes
) -> None:
    listening.answers = lambda _: answer
    kms.create_symmetric_key()
    worker = courier(kms, listening)
    deliver(kms, worker)
    assert len(waiting(kms)) == 1
    listening.answers = polite
    kms.clock.pass_time(minutes=6)
    deliver(kms, worker)
    assert waiting(kms) == []


def test_a_message_is_given_up_after_a_day(kms: TestKms, listening: Listening) -> None:
    listening.up = False
    kms.create_symmetric_key()
    kms.clock.pass_time(days=1, minutes=1)
    deliver(kms, courier(kms, listening))
    assert waiting(kms) == []


@pytest.mark.parametrize("edit", ["sealed = zeroblob(40)", "sealed = 5", "key = key || CAST(x'ff' AS TEXT)"])
@pytest.mark.parametrize("kind", [Outgoing, Correspondence])
def test_what_is_damaged_keeps_no_other_message_back(
    kms: TestKms, listening: Listening, kind: type[Entry], edit: str
) -> None:
    put(kms, listening)
    kms.create_symmetric_key()
    last = kms.create_symmetric_key()
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        one = "SELECT min(key) FROM entries WHERE kind = ?"
        editor.execute(f"UPDATE entries SET {edit} WHERE kind = ? AND key = ({one})", (kind.kind,) * 2)
    editor.close()
    worker = courier(kms, listening)
    deliver(kms, worker)
    assert [message.unique_identifier for message in listening.told()][-1] == last
    deliver(kms, worker)
    assert listening.told() == []


def test_of_too_many_messages_the_oldest_go(
    kms: TestKms, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_module, "MOST", 2)
    listening.up = False
    keys = [kms.create_symmetric_key() for _ in range(4)]
    deliver(kms, courier(kms, listening))
    assert [one.unique_identifier for one in waiting(kms)] == keys[2:]


def test_one_worker_delivers_at_a_time(kms: TestKms, listening: Listening) -> None:
    kms.create_symmetric_key()
    first, second = courier(kms, listening), courier(kms, listening)

    async def both() -> None:
        await asyncio.gather(first.tidy(kms.clock.now()), second.tidy(kms.clock.now()))
        await asyncio.gather(*first._visits.values(), *second._visits.values())

    kms.run(both())
    assert len(listening.told()) == 1


@pytest.mark.parametrize("up", [True, False])
def test_a_clock_that_was_ahead_keeps_no_message_back_once_it_is_right(
    kms: TestKms, listening: Listening, up: bool
) -> None:
    """Whether a worker that ended was delivering then, or an endpoint did not answer."""
    key = kms.create_symmetric_key()
    kms.clock.pass_time(hours=12)
    listening.up = up
    ended = courier(kms, listening)
    if up:
        kms.run(ended._take(ALICE, patient=True))
    else:
        deliver(kms, ended)
    kms.clock.pass_time(hours=-12)
    listening.up = True
    deliver(kms, courier(kms, listening))
    assert [message.unique_identifier for message in listening.told()] == [key]


def test_who_delivers_is_who_holds_the_lease_until_it_ends(kms: TestKms) -> None:
    """Whoever answers a client that has called does not wait until its endpoint is tried again."""

    def take(holder: str, *, patient: bool) -> Lease | None:
        return kms.run(Lease.take(kms.repository, kms.clock, ALICE, holder=holder, patient=patient))

    lease = take("one", patient=True)
    assert lease is not None
    assert take("two", patient=True) is take("two", patient=False) is None
    again = take("one", patient=True)
    assert again is not None
    assert kms.run(again.put_off()) == 1
    assert take("one", patient=True) is take("two", patient=True) is None
    called = take("two", patient=False)
    assert called is not None
    assert take("one", patient=False) is None
    kms.clock.pass_time(seconds=LENGTH.total_seconds())
    assert take("one", patient=True) is not None


def test_a_client_that_turned_the_roles_gets_what_waits_and_its_role_back(
    kms: TestKms, listening: Listening
) -> None:
    """KMIP 2.1 §6.2.5."""
    listening.up = False  # it has no endpoint that can be reached
    key = kms.create_symmetric_key()
    worker = courier(kms, listening, hand_back=0.05)
    with pytest.raises(EndpointUnreachable, match="KMIP"):  # `polite` does not repeat the role
        kms.run(worker.attend(ALICE, listening.exchange, V2_1))
    last = listening.asked[-1][1]
    assert isinstance(last, ClientRoleRequest)
    assert last.endpoint_role is EndpointRole.CLIENT
    assert [message.unique_identifier for message in listening.told()] == [key]
