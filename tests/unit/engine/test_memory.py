"""What the engine remembers between requests."""

from datetime import timedelta
from typing import Any, cast

import pytest

from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.engine.memory import AnswerMemory, HeaderMemory, RememberedAnswer
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import NameReference, UniqueIdentifier
from strongroom.model.messages import RequestHeader
from strongroom.model.objects import OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Name
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import V1_4, V3_0, ObjectType, State, Tag
from strongroom.wire import binary
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, protocol, request_message, template


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[RememberedAnswer]:
    """Every answer that the engine asks its memory to keep."""
    answers: list[RememberedAnswer] = []
    keep = AnswerMemory.keep

    def note(self: AnswerMemory, caller: object, message: bytes, answer: RememberedAnswer) -> None:
        keep(self, ALICE, message, answer)
        if self.find(ALICE, message) is answer:
            answers.append(answer)

    monkeypatch.setattr(AnswerMemory, "keep", note)
    return answers


def register(kms: TestKms, size: int) -> UniqueIdentifier:
    value = OpaqueObject(
        opaque_data_type=0x80000001,  # type: ignore[arg-type]  # a vendor's
        opaque_data_value=SecretBytes(bytes(size)),
    )
    return kms.call(
        RegisterRequest(object_type=ObjectType.OPAQUE_OBJECT, managed_object=value)
    ).unique_identifier


def test_answers_about_small_objects_are_remembered(kms: TestKms, kept: list[RememberedAnswer]) -> None:
    small = register(kms, 100)
    kms.call(GetRequest(unique_identifier=small))  # the first one makes it less fresh
    kms.call(GetRequest(unique_identifier=small))
    kms.call(GetAttributesRequest(unique_identifier=small))
    assert len(kept) == 2


def test_everything_is_forgotten_from_time_to_time(kms: TestKms) -> None:
    """A key that was destroyed would stay in clear where nobody asks for it again."""
    small = register(kms, 100)
    known = kms.dispatcher._answers
    kms.run(kms.dispatcher.tidy(kms.clock.now()))
    for passed, forgotten in ((0, False), (299, False), (1, True), (299, False), (-86_400, True)):
        kms.clock.pass_time(seconds=passed)
        kms.call(GetRequest(unique_identifier=small))
        kms.call(GetRequest(unique_identifier=small))
        kms.run(kms.dispatcher.tidy(kms.clock.now()))
        assert (not known._answers) is forgotten


def test_what_was_begun_before_everything_was_forgotten_is_not_remembered(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch, kept: list[RememberedAnswer]
) -> None:
    """What may be given out can change while a long answer gives way."""
    small = register(kms, 100)
    sources = UnitOfWork.sources

    def forget_first(self: UnitOfWork) -> object:
        kms.dispatcher._forget()
        return sources(self)

    kms.call(GetRequest(unique_identifier=small))
    monkeypatch.setattr(UnitOfWork, "sources", forget_first)
    kms.call(GetRequest(unique_identifier=small))
    assert not kept


def test_the_oldest_of_too_many_answers_is_forgotten() -> None:
    known, answer = AnswerMemory(3), RememberedAnswer(V1_4, b"", None, cast(Any, None))
    messages = [bytes([number]) for number in range(10)]
    for message in messages:
        known.keep(ALICE, message, answer)
    assert [message for message in messages if known.find(ALICE, message)] == messages[-3:]


def test_answers_that_hold_or_come_from_large_objects_are_not_remembered(
    kms: TestKms, kept: list[RememberedAnswer]
) -> None:
    """A client could make any number of requests that differ in their batch item only."""
    large = register(kms, 100_000)
    for _ in range(2):
        kms.call(GetRequest(unique_identifier=large))
    kms.call(GetAttributesRequest(unique_identifier=large))
    assert not kept


def test_nothing_of_an_object_is_remembered_that_the_store_does_not_keep(
    kms: TestKms, kept: list[RememberedAnswer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of opened objects may be turned off; then no answer holds a key either."""
    monkeypatch.setattr(kms.repository, "_cache_size", 0)
    small = register(kms, 100)
    for _ in range(2):
        kms.call(GetRequest(unique_identifier=small))
    assert not kept


def test_large_objects_are_not_kept_opened(kms: TestKms) -> None:
    for size, held in ((100, True), (100_000, False)):
        identifier = register(kms, size)
        opened = kms.run(kms.repository.load(DEFAULT_TENANT, identifier))
        assert opened is not None
        assert kms.repository.keeps(opened) is held


def test_a_remembered_answer_does_not_outlive_a_clock_that_is_set_back(kms: TestKms) -> None:
    key = kms.create_symmetric_key(attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(hours=1)))
    state = GetAttributesRequest(unique_identifier=key, attribute_reference=(Tag.STATE,))

    def told() -> State:
        (instance,) = kms.call(state).attributes.attributes
        value: State = instance.value
        return value

    kms.clock.pass_time(hours=2)
    assert told() is State.ACTIVE
    kms.clock.pass_time(hours=-2)
    assert told() is State.PRE_ACTIVE


def test_what_a_name_stands_for_is_not_remembered(kms: TestKms) -> None:
    """A placeholder name may be given to another object at any time, and then stands for none."""
    kms.create_symmetric_key(name="Symmetric Key")
    request = GetAttributesRequest(unique_identifier=NameReference("Symmetric Key"))
    for _ in range(2):
        kms.call(request, version=V3_0)
    kms.create_symmetric_key(name="Symmetric Key")
    with pytest.raises(Refused):
        kms.call(request, version=V3_0)


def test_long_headers_are_not_remembered() -> None:
    memory = HeaderMemory()
    for size, remembered in ((10, True), (1000, False)):
        header = RequestHeader(
            protocol_version=protocol(V1_4), batch_count=1, server_correlation_value="x" * size
        )
        message = binary.encode(
            request_message(GetRequest(), version=V1_4, server_correlation_value="x" * size)
        )
        memory.keep(message, V1_4, header)
        assert (memory.find(message) is not None) is remembered


def find(kms: TestKms, *filters: AttributeInstance) -> tuple[UniqueIdentifier, ...]:
    return kms.call(LocateRequest(attributes=template(*filters))).unique_identifier


def named(name: str) -> AttributeInstance:
    return attribute(Tag.NAME, Name(name_value=name))


def test_a_search_is_remembered_until_anything_in_the_store_changes(
    kms: TestKms, kept: list[RememberedAnswer]
) -> None:
    first = kms.create_symmetric_key(name="a")
    assert find(kms, named("a")) == find(kms, named("a")) == (first,)
    assert find(kms, named("b")) == ()
    assert len(kept) == 2
    second = kms.create_symmetric_key(name="b")
    assert find(kms, named("b")) == (second,)
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(first)))
    assert find(kms, named("a")) == ()


def test_a_search_by_state_is_never_remembered_since_dates_pass(
    kms: TestKms, kept: list[RememberedAnswer]
) -> None:
    soon = kms.clock.now() + timedelta(hours=1)
    key = kms.create_symmetric_key(attribute(Tag.ACTIVATION_DATE, soon))
    assert find(kms, attribute(Tag.STATE, State.ACTIVE)) == ()
    assert kept == []
    kms.clock.pass_time(hours=1)
    assert find(kms, attribute(Tag.STATE, State.ACTIVE)) == (key,)


def test_a_search_is_remembered_for_its_client_alone(kms: TestKms) -> None:
    kms.create_symmetric_key(name="a")
    assert find(kms, named("a"))
    request = LocateRequest(attributes=template(named("a")))
    assert kms.call(request, caller=BOB).unique_identifier == ()
