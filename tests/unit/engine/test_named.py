"""Searches for one Name after the other (`engine/named.py`)."""

from dataclasses import replace
from typing import Any

import pytest

from strongroom.domain.audit import AuditEvent
from strongroom.domain.identity import Connection
from strongroom.domain.permission import Permission
from strongroom.domain.store import Found
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.named import NamedSearches
from strongroom.engine.searches import Searches
from strongroom.model.attribute_list import AttributeInstance
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.registry import V1_0, V1_4, V2_1, V3_0, ObjectType, Operation, State, Tag, Version
from strongroom.wire import binary
from tests.expect import active_key, key, named, revoke
from tests.kms import ALICE, BOB, TestKms, attribute, request_message, template
from tests.unit.engine.test_access import rule, with_rules
from tests.unit.engine.test_tickets import delegate, right, using

VERSIONS = pytest.mark.parametrize("version", [V1_0, V1_4, V2_1, V3_0], ids=str)


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The answers that were made so."""
    made: list[bytes] = []
    real = NamedSearches.again

    async def note(self: NamedSearches, *args: Any) -> bytes | None:
        answer = await real(self, *args)
        if answer is not None:
            made.append(answer)
        return answer

    monkeypatch.setattr(NamedSearches, "again", note)
    return made


def search(name: str, *more: AttributeInstance, **given: Any) -> LocateRequest:
    return LocateRequest(attributes=template(named(name), *more), **given)


def found(kms: TestKms, name: str, *more: AttributeInstance, **keywords: Any) -> list[str]:
    return list(kms.call(search(name, *more), **keywords).unique_identifier)


def learn(kms: TestKms, *more: AttributeInstance, **keywords: Any) -> None:
    """Have two searches done, from which the next one for a name of that length is known."""
    for name in ("name 8", "name 9"):
        found(kms, name, *more, **keywords)


@VERSIONS
def test_the_third_search_is_done_like_the_others(kms: TestKms, again: list[bytes], version: Version) -> None:
    made = {f"name {number}": key(kms, named(f"name {number}")) for number in range(5)}
    got = {name: found(kms, name, version=version) for name in made}
    assert got == {name: [identifier] for name, identifier in made.items()}
    assert len(again) == 3, "the first two are needed to see that it happens again"
    assert found(kms, "name x", version=version) == []
    assert len(again) == 4


@VERSIONS
def test_it_gives_the_answer_that_the_way_of_every_request_gives(
    kms: TestKms, again: list[bytes], version: Version
) -> None:
    for name in ("name 1", "name 2", "name 3"):
        key(kms, named(name))
    in_full = Dispatcher(replace(kms.dispatcher._services, remembered_answers=0))
    learn(kms, version=version)
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    for name in ("name 1", "name 2", "name 4", "näme 3", "name 1"):
        message = binary.encode(request_message(search(name), version=version))
        assert kms.run(kms.dispatcher.handle(message, connection)) == kms.run(
            in_full.handle(message, connection)
        )
    assert len(again) >= 3


def test_other_conditions_are_kept(kms: TestKms, again: list[bytes]) -> None:
    """The state is that of now, which no index tells."""
    given = (attribute(Tag.STATE, State.ACTIVE), attribute(Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY))
    made = [active_key(kms, named(name)) for name in ("name 1", "name 2")]
    learn(kms, *given)
    kms.call(revoke(made[0]))
    assert [found(kms, name, *given) for name in ("name 1", "name 2")] == [[], [made[1]]]
    assert len(again) == 2


def test_what_changes_is_found_as_it_is(kms: TestKms, again: list[bytes]) -> None:
    made = key(kms, named("name 1"))
    learn(kms)
    assert found(kms, "name 1") == [made]
    kms.call(ModifyAttributeRequest(unique_identifier=made, new_attribute=named("name 2")), version=V2_1)
    assert (found(kms, "name 1"), found(kms, "name 2")) == ([], [made])
    kms.call(DestroyRequest(unique_identifier=made))
    assert found(kms, "name 2") == []
    assert len(again) == 4


def test_what_was_begun_before_everything_was_forgotten_is_not_remembered(
    kms: TestKms, again: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been found by other rules."""
    key(kms, named("name 1"))
    learn(kms)
    known, find = kms.dispatcher._answers, Searches.find

    async def forget_meanwhile(self: Searches, *args: Any) -> Found:
        result = await find(self, *args)
        known.clear()
        return result

    monkeypatch.setattr(Searches, "find", forget_meanwhile)
    found(kms, "name 1")
    assert len(again) == 1
    assert not known._answers


def test_it_is_recorded_with_what_it_has_found(
    kms: TestKms, again: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    key(kms, named("name 1"))
    learn(kms)
    events: list[AuditEvent] = []
    audit = kms.dispatcher._audit
    monkeypatch.setattr(audit, "repeated", lambda event: event)
    monkeypatch.setattr(audit, "record_again", lambda event, at, peer: events.append(event))
    for name in ("name 1", "name 2", "name 3"):
        found(kms, name)
    assert [(event.operation, event.client, event.found) for event in events] == [
        ("Locate", ALICE.client, count) for count in (1, 0, 0)
    ]
    assert len(again) == 3


def test_each_finds_what_it_may_see(kms: TestKms, again: list[bytes]) -> None:
    """What one client has asked for is known of no other; new rights are new searches."""
    made = key(kms, named("name 1"))
    learn(kms)
    learn(kms, caller=BOB)
    assert found(kms, "name 1", caller=BOB) == []
    seeing = with_rules(BOB, rule(Permission.LOCATE))
    assert found(kms, "name 1", caller=seeing) == [made]
    assert found(kms, "name 1", caller=with_rules(BOB)) == []
    assert found(kms, "name 1") == [made]
    assert len(again) == 2


def test_the_rights_of_a_ticket_are_looked_at_each_time(kms: TestKms, again: list[bytes]) -> None:
    inside, outside = (key(kms, named(name)) for name in ("name 1", "name 2"))
    ticket = delegate(kms, right(Operation.LOCATE, objects=[inside]))
    for name in ("name 1", "name 2", "name 1", "name 2"):
        answer = using(kms, ticket, search(name))
        assert list(answer.unique_identifier) == ([inside] if name == "name 1" else [])  # type: ignore[union-attr]
    assert again == []
    assert found(kms, "name 2") == [outside]


@pytest.mark.parametrize(
    "given",
    [{"offset_items": 0}, {"maximum_items": 1}, {"storage_status_mask": None}],
    ids=["offset", "maximum", "plain"],
)
def test_pages_are_those_that_were_asked_for(kms: TestKms, again: list[bytes], given: dict[str, Any]) -> None:
    for owner in (ALICE, BOB):
        key(kms, named("name 1"), caller=owner)
    seeing = with_rules(BOB, rule(Permission.LOCATE))
    names = ("name 8", "name 9", "name 1")
    first = [kms.call(search(name, **given), caller=seeing, version=V2_1) for name in names][-1]
    kms.forget()
    assert kms.call(search("name 1", **given), caller=seeing, version=V2_1) == first
    assert len(again) == (0 if "offset_items" in given else 1)


def test_a_name_that_is_no_text_is_refused_as_ever(kms: TestKms, again: list[bytes]) -> None:
    learn(kms)
    good = binary.encode(request_message(search("name 7"), version=V1_4))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    for bad in (b"name \xff", b"name \0"):
        answer = kms.run(kms.dispatcher.handle(good.replace(b"name 7", bad), connection))
        assert b"RequestPayload" in answer  # the place of what is wrong
    assert again == []
