"""Objects that are made like others (`engine/creations.py`, `procedures/likeness.py`)."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.attributes.index import terms
from strongroom.crypto.keys.digests import digest
from strongroom.domain.identity import Connection
from strongroom.domain.objects import ManagedObject
from strongroom.engine.answers import joined
from strongroom.engine.creations import Creations
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.quotas import QuotaLimits
from strongroom.engine.request import RequestMessage
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.convert import decoder
from strongroom.model.factory import Constraint, Constraints, DefaultsInformation, ObjectDefaults
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.model.structures import Name
from strongroom.operations.create import CreateRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.set_constraints import SetConstraintsRequest
from strongroom.operations.set_defaults import SetDefaultsRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    ResultReason,
    ResultStatus,
    Tag,
    Version,
)
from strongroom.wire import binary
from tests.expect import refusal
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

AES: tuple[AttributeInstance, ...] = (
    attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
    attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
    attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
)


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> list[RequestMessage]:
    """The requests that were recognised."""
    found: list[RequestMessage] = []
    find = Creations.find

    def note(self: Creations, *args: Any) -> RequestMessage | None:
        request = find(self, *args)
        if request is not None:
            found.append(request)
        return request

    monkeypatch.setattr(Creations, "find", note)
    return found


def creation(
    name: str | None, *more: AttributeInstance, object_type: ObjectType = ObjectType.SYMMETRIC_KEY
) -> CreateRequest:
    named = () if name is None else (attribute(Tag.NAME, Name(name_value=name)),)
    return CreateRequest(object_type=object_type, attributes=template(*AES, *named, *more))


def make(kms: TestKms, *names: str | None, **keywords: Any) -> list[str]:
    return [kms.call(creation(name), **keywords).unique_identifier for name in names]


def stored(kms: TestKms, identifier: str) -> ManagedObject:
    """Return an object as it is read from the store, not from memory."""
    kms.forget()
    obj = kms.run(kms.repository.load(ALICE.tenant, identifier))
    assert obj is not None
    return obj


def forgetful(kms: TestKms) -> Dispatcher:
    """Return another way to the same store, that does everything in full."""
    return Dispatcher(replace(kms.dispatcher._services, remembered_answers=0))


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1, V3_0], ids=str)
def test_the_third_of_a_kind_is_made_like_the_others(
    kms: TestKms, alike: list[RequestMessage], version: Version
) -> None:
    made = make(kms, "name 1", "name 2", "name 3", "name 4", version=version)
    assert len(alike) == 2, "the first two are needed to see that it happens again"
    assert len(set(made)) == 4
    digests = {stored(kms, one).value(Tag.DIGEST).digest_value for one in made}
    assert len(digests) == 4
    for one in made:
        material = kms.call(GetRequest(unique_identifier=UniqueIdentifier(one))).managed_object
        assert digest(material) == stored(kms, one).value(Tag.DIGEST)
    for number, one in enumerate(made, 1):
        name = attribute(Tag.NAME, Name(name_value=f"name {number}"))
        found = kms.call(LocateRequest(attributes=template(name)))
        assert found.unique_identifier == (one,)


OWN = {Tag.NAME, Tag.DIGEST, Tag.INITIAL_DATE, Tag.ORIGINAL_CREATION_DATE, Tag.LAST_CHANGE_DATE}
CUSTOM = attribute(VendorAttribute("x", "Colour"), RawValue(7, "green"))
KINDS: dict[str, CreateRequest] = {
    "AES": creation("name 0"),
    "no Name": creation(None),
    "no attributes but what is needed": CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY, attributes=template(AES[0])
    ),
    "secret": CreateRequest(
        object_type=ObjectType.SECRET_DATA, attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128))
    ),
    "in groups, custom": creation(
        "name 0", attribute(Tag.OBJECT_GROUP, "one"), attribute(Tag.OBJECT_GROUP, "two"), CUSTOM
    ),
    "sensitive": creation(
        "name 0", attribute(Tag.SENSITIVE, value=True), attribute(Tag.EXTRACTABLE, value=False)
    ),
    "rotated": creation(
        "name 0", attribute(Tag.ROTATE_AUTOMATIC, value=True), attribute(Tag.ROTATE_INTERVAL, Seconds(3600))
    ),
}


@pytest.mark.parametrize("request_", KINDS.values(), ids=KINDS)
def test_nobody_can_tell_how_an_object_was_made(
    kms: TestKms, alike: list[RequestMessage], request_: CreateRequest
) -> None:
    def made(dispatcher: Dispatcher, number: int) -> str:
        attributes = request_.attributes
        assert attributes is not None
        instances = (
            a._replace(value=Name(name_value=f"name {number}")) if a.key is Tag.NAME else a
            for a in attributes.attributes
        )
        kms.dispatcher = dispatcher
        return kms.call(request_.replace(attributes=template(*instances)), version=V2_1).unique_identifier

    remembers, in_full = kms.dispatcher, forgetful(kms)
    for number in range(3):
        made(remembers, number)
        kms.clock.pass_time(minutes=1)
    assert len(alike) == 1
    first, second = made(in_full, 3), made(remembers, 4)
    assert len(alike) == 2
    one, other = stored(kms, first), stored(kms, second)
    assert list(one.attributes) == list(other.attributes)
    for key in one.attributes.keys() - OWN:
        assert one.attributes[key] == other.attributes[key]
    for key in OWN - {Tag.NAME, Tag.DIGEST}:
        assert one.value(key) == other.value(key) == kms.clock.now()
    assert one.value(Tag.DIGEST).digest_value != other.value(Tag.DIGEST).digest_value
    assert (one.state, one.owner, one.tenant, one.object_type, one.storage) == (
        other.state,
        other.owner,
        other.tenant,
        other.object_type,
        other.storage,
    )
    assert indexed(kms, other) == terms(other), "it is found by what it is"


def indexed(kms: TestKms, obj: ManagedObject) -> set[bytes]:
    with sqlite3.connect(kms.directory / "strongroom.db") as database:
        rows = database.execute("SELECT term FROM terms WHERE sequence = ?", (obj.sequence,)).fetchall()
    return {term for (term,) in rows}


def test_a_name_that_is_taken_is_refused(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1", "name 2", "name 3")
    refused = refusal(kms, creation("name 2"))
    assert len(alike) == 2
    assert refused.reason is refusal(kms, creation("name 2", CUSTOM)).reason
    make(kms, "name 4")


@pytest.mark.parametrize("text", [b"name\0x", b"name\xff\xfe", b"\xed\xa0\x80abc"])
def test_what_is_no_text_is_answered_as_ever(kms: TestKms, alike: list[RequestMessage], text: bytes) -> None:
    make(kms, "name 1", "name 2", "name 3")
    message = binary.encode(request_message(creation("name 4"), version=V1_4)).replace(b"name 4", text)
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    answers = {
        joined(kms.run(dispatcher.handle(message, connection)))
        for dispatcher in (kms.dispatcher, forgetful(kms))
    }
    assert len(answers) == 1
    assert len(alike) == 1
    item = decoder(ResponseBatchItem, V1_4)(binary.decode(answers.pop())[2][1][2])
    assert item.result_status is ResultStatus.OPERATION_FAILED
    assert item.result_reason is ResultReason.INVALID_MESSAGE


def test_defaults_that_are_set_later_count(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1", "name 2", "name 3")
    comment = attribute(Tag.COMMENT, "by default")
    kms.call(set_defaults(comment), version=V2_1)
    (made,) = make(kms, "name 4")
    assert len(alike) == 2
    obj = stored(kms, made)
    assert (obj.value(Tag.COMMENT), obj.value(Tag.NAME).name_value) == ("by default", "name 4")


def test_defaults_that_were_set_before_are_not_remembered(kms: TestKms, alike: list[RequestMessage]) -> None:
    kms.call(set_defaults(attribute(Tag.COMMENT, "by default")), version=V2_1)
    make(kms, "name 1", "name 2", "name 3", "name 4")
    assert alike == []


def set_defaults(instance: AttributeInstance) -> SetDefaultsRequest:
    one = ObjectDefaults(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(instance))
    return SetDefaultsRequest(defaults_information=DefaultsInformation(object_defaults=(one,)))


def test_constraints_that_are_set_later_count(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1", "name 2", "name 3", version=V2_1)
    only = Constraint(attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128)))
    constraints = Constraints(constraint=(only,))
    kms.call(SetConstraintsRequest(constraints=constraints), version=V2_1)
    refused = refusal(kms, creation("name 4"), version=V2_1)
    assert refused.reason is ResultReason.CONSTRAINT_VIOLATION
    assert len(alike) == 2


def test_limits_are_kept(kms: TestKms, alike: list[RequestMessage]) -> None:
    quotas = QuotaLimits(client_objects=5)
    kms.dispatcher = Dispatcher(replace(kms.dispatcher._services, quotas=quotas))
    make(kms, *(f"name {number}" for number in range(5)))
    assert "5 objects of at most 5" in refusal(kms, creation("name 5")).message
    assert len(alike) == 4


def test_each_client_makes_its_own(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1", "name 2", "name 3")
    (made,) = make(kms, "name 4", caller=BOB)
    assert len(alike) == 1, "what one client asks for says nothing about another"
    assert stored(kms, made).owner == BOB.client


def test_what_depends_on_more_is_made_in_full(kms: TestKms, alike: list[RequestMessage]) -> None:
    later = kms.clock.now() + timedelta(days=1)
    transparent = attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY)
    for number in range(4):
        name = f"name {number}"
        kms.call(creation(f"a {name}", attribute(Tag.ACTIVATION_DATE, later)))
        kms.call(creation(f"b {name}", attribute(Tag.NAME, Name(name_value=f"c {name}"))))
        kms.call(creation(f"d {name}", transparent), version=V2_1)
        kms.call(creation(f"e {name}"), maximum_response_size=4096)
        kms.call(creation(f"f {name}"), time_stamp=kms.clock.now())
        kms.call(creation(f"g {name}"), version=V2_1, client_correlation_value="mine")
        option = BatchErrorContinuationOption.STOP
        kms.batch(creation(f"h {name}"), creation(f"i {name}"), batch_error_continuation_option=option)
    assert alike == []


def test_an_error_is_no_example(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1")
    for _ in range(4):
        assert "has this Name" in refusal(kms, creation("name 1")).message
    assert alike == []


def test_kinds_are_few(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.engine.namesakes._KINDS", 8)
    creations = kms.dispatcher._creations._kinds
    for number in range(20):
        note = attribute(Tag.COMMENT, f"number {number}")
        for name in "abc":
            kms.call(creation(f"{name} {number}", note), version=V2_1)
        assert len(creations._kinds) <= 8
        assert len(creations._places) <= 8


def test_nothing_secret_is_remembered(kms: TestKms) -> None:
    made = make(kms, *(f"name {number}" for number in range(4)))
    kinds = [kind for kind in kms.dispatcher._creations._kinds._kinds.values() if kind is not None]
    assert kinds
    assert isinstance(kinds[0].make, partial)
    (model,) = (one for one in kinds[0].make.args if isinstance(one, ManagedObject))
    assert model.material is None
    digests = {stored(kms, one).value(Tag.DIGEST).digest_value for one in made}
    assert not digests & set(values(model))
    assert kinds[0].request.items[0].payload is None


def values(obj: ManagedObject) -> Iterator[Any]:
    for instances in obj.attributes.values():
        for instance in instances:
            if isinstance(instance.value, SecretBytes):
                yield instance.value.reveal()
            yield from getattr(instance.value, "values", lambda: ())()


def test_no_memory_means_none(kms: TestKms, alike: list[RequestMessage]) -> None:
    kms.dispatcher = forgetful(kms)
    make(kms, *(f"name {number}" for number in range(4)))
    assert alike == []


def test_all_is_forgotten_at_times(kms: TestKms, alike: list[RequestMessage]) -> None:
    make(kms, "name 1", "name 2", "name 3")
    kms.run(kms.dispatcher.tidy(kms.clock.now()))
    make(kms, "name 4")
    assert len(alike) == 1


def test_an_object_is_made_even_if_it_cannot_be_remembered(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    kms.dispatcher = Dispatcher(replace(kms.dispatcher._services, on_failure=told.append))

    def fail(*_: object) -> None:
        raise RuntimeError("nobody has thought of it")

    monkeypatch.setattr(Creations, "keep", fail)
    (made,) = make(kms, "name 1")
    assert stored(kms, made).value(Tag.NAME).name_value == "name 1"
    assert len(told) == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=st.lists(TEXTS, min_size=3, max_size=12))
def test_every_name_is_answered_as_in_full(kms: TestKms, names: list[str]) -> None:
    """One client makes objects of these names with memory, another without; no other name is in its way."""
    in_full = forgetful(kms)
    remembers = kms.dispatcher
    prefix = f"{id(names)}-{kms.clock.now()}-"
    kms.clock.pass_time(seconds=1)
    for name in names:
        outcomes = []
        for dispatcher, caller in ((remembers, ALICE), (in_full, BOB)):
            kms.dispatcher = dispatcher
            (result,) = kms.batch(creation(prefix + name), caller=caller)
            outcomes.append((result.reason, result.message) if isinstance(result, Refused) else None)
        assert outcomes[0] == outcomes[1]
    kms.dispatcher = remembers
