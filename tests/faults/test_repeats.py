"""Requests that come again, too late, or ask for more than fits: each is done once, or not at all."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom import testing
from strongroom.domain.audit import AuditEvent
from strongroom.domain.clients import ClientRecord
from strongroom.domain.context import Policy
from strongroom.domain.identity import Connection
from strongroom.domain.operation import Request
from strongroom.domain.rights import Rights
from strongroom.engine.answers import joined
from strongroom.engine.batch import BatchMemory
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.convert import decoder
from strongroom.model.identifiers import BatchReference, UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Name, UsageLimits
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.create import CreateRequest, CreateResponse
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.registry import (
    V1_3,
    V1_4,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    Ephemeral,
    HashingAlgorithm,
    ObjectType,
    Operation,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    Tag,
    UsageLimitsUnit,
    Version,
)
from strongroom.wire import binary
from tests.e2e.conftest import endpoint
from tests.expect import MISSING, active_key, raw_key
from tests.faults.noise import create
from tests.interop.endpoint import RawConnection
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template
from tests.nodes import Nodes
from tests.processes import kill_trees
from tests.safeguards import CAROL, lay_down, only_name, people, vote
from tests.unit.engine.test_access import NotInClear
from tests.unit.engine.test_tickets import delegate, right, using

POLICY = Policy(
    idempotency={"alice": timedelta(hours=1), "bob": timedelta(hours=1)},
)


def open_kms(directory: Path, policy: Policy = POLICY) -> TestKms:
    directory.mkdir(exist_ok=True)
    return TestKms(directory, policy=policy)


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = open_kms(tmp_path)
    yield kms
    kms.close()


def keys(kms: TestKms, **caller: Any) -> int:
    return len(kms.call(LocateRequest(), **caller).unique_identifier)


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_a_named_request_that_comes_again_is_answered_again_and_done_once(
    kms: TestKms, version: Version
) -> None:
    """faults 31."""
    first = kms.call(create(), version=version, client_correlation_value="one")
    kms.clock.pass_time(minutes=30)
    assert kms.call(create(), version=version, client_correlation_value="one") == first
    assert keys(kms) == 1
    assert kms.call(create(), version=version, client_correlation_value="two") != first
    assert keys(kms) == 2


@pytest.mark.parametrize("left_out", [None, Ephemeral.UNIQUE_IDENTIFIER], ids=["whole answer", "ephemeral"])
def test_in_a_request_that_comes_again_numbers_mean_what_they_meant(
    kms: TestKms, left_out: Ephemeral | None
) -> None:
    """faults 31. As after a crash: the first item is done, those after it are not.

    If what was done were not counted, number 0 would be the object of the second item.
    """
    other = active_key(kms)
    made, seen = create(), GetRequest(unique_identifier=other)
    last = GetRequest(unique_identifier=BatchReference(0))

    def send(*requests: Request[Any]) -> list[dict[int, Any]]:
        root = request_message(*requests, version=V3_0, client_correlation_value="one")
        if left_out is not None:
            root[2][1][2].insert(1, (int(Tag.EPHEMERAL), 5, int(left_out)))
        return [{tag: value for tag, _, value in item[2][-1][2]} for item in kms.send(root)[2][1:]]

    first = send(made, seen, last)
    again = send(made, seen, last)
    assert again == first
    assert again[2][Tag.UNIQUE_IDENTIFIER] not in (None, other)


@pytest.mark.parametrize("left_out", [False, True], ids=["whole answer", "ephemeral"])
def test_in_a_request_that_comes_again_data_are_what_they_were(kms: TestKms, left_out: bool) -> None:
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.OBJECT)
    made = active_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    encrypt = EncryptRequest(
        unique_identifier=made,
        cryptographic_parameters=CryptographicParameters(
            block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
        ),
        data=SecretBytes(b"protect me"),
    )
    hashing = HashRequest(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=SecretBytes(b"to be replaced"),
    )

    def send() -> list[Any]:
        root = request_message(encrypt, hashing, version=V2_1, client_correlation_value="one")
        payload = root[2][2][2][-1][2]
        at = next(n for n, field in enumerate(payload) if field[0] == Tag.DATA)
        payload[at] = (int(Tag.DATA), 2, 0)
        if left_out:
            root[2][1][2].insert(1, (int(Tag.EPHEMERAL), 6, True))
        return [item[2][-1] for item in kms.send(root)[2][1:]]

    first = send()
    assert first[1][0] == Tag.RESPONSE_PAYLOAD
    assert send() == first


@pytest.mark.parametrize("name", [None, "a name that is taken by the first"])
def test_a_request_that_comes_to_two_workers_at_once_is_answered_by_both(
    kms: TestKms, tmp_path: Path, name: str | None
) -> None:
    """faults 31. As when a client gives up waiting, connects again and sends its request again."""
    beside = TestKms(tmp_path, policy=POLICY, beside=kms)
    request = create(*([] if name is None else [attribute(Tag.NAME, Name(name_value=name))]))
    message = binary.encode(request_message(request, version=V1_4, client_correlation_value="one"))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def send(worker: TestKms) -> ResponseBatchItem:
        answer = binary.decode(joined(await worker.dispatcher.handle(message, connection)))
        item: ResponseBatchItem = decoder(ResponseBatchItem, V1_4)(answer[2][1][2])
        return item

    one, other = Nodes(kms, beside).at_once(send(kms), send(beside))
    assert one.result_status is ResultStatus.SUCCESS
    assert one == other
    assert keys(kms) == 1
    beside.close()


@pytest.mark.parametrize("undo", [False, True])
def test_an_answer_that_is_given_again_is_recorded_again(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch, undo: bool
) -> None:
    """It may hold what a key has made, or the key."""
    options: dict[str, Any] = (
        {"batch_error_continuation_option": BatchErrorContinuationOption.UNDO} if undo else {}
    )
    (made, _) = kms.batch(create(), GetRequest(), client_correlation_value="one", **options)
    events: list[AuditEvent] = []
    monkeypatch.setattr(kms.dispatcher._audit, "record", events.append)
    kms.batch(create(), GetRequest(), client_correlation_value="one", **options)
    assert [event.operation for event in events] == ["Create", "Get"]
    assert events[0].objects == (made.unique_identifier,)  # type: ignore[union-attr]


def test_what_was_done_before_a_restart_is_not_done_again(tmp_path: Path) -> None:
    """faults 31: the answer is in the commit of the change."""
    before = open_kms(tmp_path)
    first = before.call(create(), client_correlation_value="one")
    before.close()
    after = open_kms(tmp_path)
    assert after.call(create(), client_correlation_value="one") == first
    assert keys(after) == 1
    after.close()


def test_a_batch_that_was_cut_off_goes_on_where_it_was(kms: TestKms) -> None:
    """faults 31: what was made is still there for the items behind it."""
    requests = (create(), ActivateRequest(), GetRequest())
    whole = kms.batch(*requests, client_correlation_value="one")
    assert not any(isinstance(result, Refused) for result in whole)
    again = kms.batch(*requests, client_correlation_value="one")
    assert again[:2] == whole[:2]
    assert again[2].unique_identifier == whole[0].unique_identifier  # type: ignore[union-attr]
    assert keys(kms) == 1


def test_the_second_half_of_a_batch_is_done_when_only_the_first_was(kms: TestKms) -> None:
    """faults 31: as if the server had died between the two commits."""
    message = request_message(create(), ActivateRequest(), version=V1_4, client_correlation_value="one")
    half = (message[0], message[1], [*message[2][:2]])
    header = [(t, k, 1 if t == Tag.BATCH_COUNT else v) for t, k, v in message[2][0][2]]
    half[2][0] = (message[2][0][0], message[2][0][1], header)
    kms.send(half)
    created, activated = kms.batch(create(), ActivateRequest(), client_correlation_value="one")
    assert isinstance(created, CreateResponse)
    assert isinstance(activated, ActivateResponse)
    assert activated.unique_identifier == created.unique_identifier
    assert keys(kms) == 1


def test_a_batch_with_undo_comes_again_as_a_whole(kms: TestKms) -> None:
    """faults 31."""
    undo: dict[str, Any] = {"batch_error_continuation_option": BatchErrorContinuationOption.UNDO}
    requests = (create(), create(), ActivateRequest())
    whole = kms.batch(*requests, client_correlation_value="one", **undo)
    assert kms.batch(*requests, client_correlation_value="one", **undo) == whole
    assert keys(kms) == 2


def test_a_pair_that_comes_again_is_the_same_pair(kms: TestKms) -> None:
    """faults 31."""
    request = CreateKeyPairRequest(
        common_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ED25519),
        ),
        private_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN)),
        public_key_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.VERIFY)
        ),
    )
    first = kms.call(request, version=V2_1, client_correlation_value="one")
    assert kms.call(request, version=V2_1, client_correlation_value="one") == first
    assert keys(kms) == 2


def test_a_name_is_not_used_for_something_else(kms: TestKms) -> None:
    """faults 31."""
    identifier = kms.call(create(), client_correlation_value="one").unique_identifier
    with pytest.raises(Refused, match="another request with this Client Correlation Value") as refused:
        kms.call(ReKeyRequest(unique_identifier=identifier), client_correlation_value="one")
    assert refused.value.reason is ResultReason.INVALID_FIELD
    assert keys(kms) == 1


def test_a_name_is_the_clients_own(kms: TestKms) -> None:
    """faults 31."""
    first = kms.call(create(), client_correlation_value="one")
    assert kms.call(create(), client_correlation_value="one", caller=BOB) != first


def test_an_answer_that_somebody_has_to_be_allowed_to_read_is_not_kept(kms: TestKms) -> None:
    """Else it would be given out again when its approval is used up, and when its key is gone."""
    people(kms)
    get = GetRequest(unique_identifier=kms.create_symmetric_key())
    lay_down(kms, export=1)

    def ask() -> object:
        return kms.batch(get, version=V2_1, client_correlation_value="one")[0]

    assert isinstance(ask(), Refused)
    vote(kms, only_name(kms), "carol", CAROL)
    assert not isinstance(ask(), Refused)
    assert isinstance(ask(), Refused)
    lay_down(kms)
    assert not isinstance(ask(), Refused)
    kms.call(ObliterateRequest(unique_identifier=get.unique_identifier), version=V3_0)
    assert isinstance(ask(), Refused)


def test_a_batch_with_undo_is_done_once_though_not_all_of_its_answers_are_kept(kms: TestKms) -> None:
    undo = BatchErrorContinuationOption.UNDO
    options: dict[str, Any] = {"batch_error_continuation_option": undo, "client_correlation_value": "one"}
    first, second = (kms.batch(create(), GetRequest(), create(), **options) for _ in range(2))
    assert first == second
    assert keys(kms) == 2


def test_a_batch_with_undo_that_was_done_is_answered_as_done_though_not_all_can_be_told_again(
    kms: TestKms,
) -> None:
    """The usual one: it fetches a key, and destroys it."""
    undo = BatchErrorContinuationOption.UNDO
    key = kms.create_symmetric_key()
    requests = (GetRequest(unique_identifier=key), DestroyRequest(unique_identifier=key))
    options: dict[str, Any] = {"batch_error_continuation_option": undo, "client_correlation_value": "one"}
    first, second = (kms.batch(*requests, version=V2_1, **options) for _ in range(2))
    assert not any(isinstance(one, Refused) for one in first)
    assert isinstance(second[0], Refused)
    assert second[0].reason is ResultReason.OBJECT_DESTROYED
    assert second[1] == first[1]


def test_what_was_undone_of_a_batch_that_comes_again_leaves_no_trace(kms: TestKms) -> None:
    """An Import that was refused would else be what took the object out of a restriction."""
    payment, free = (attribute(Tag.OBJECT_GROUP, name) for name in ("payment", "free"))
    rights = Rights(client=ALICE.client, sights={}, restriction=NotInClear())
    alice = replace(ALICE, access=rights)
    held = kms.create_symmetric_key(payment, free)
    undo = BatchErrorContinuationOption.UNDO
    options: dict[str, Any] = {"batch_error_continuation_option": undo, "client_correlation_value": "one"}
    kms.batch(create(), LocateRequest(), LocateRequest(), caller=alice, **options)
    refused = ImportRequest(
        unique_identifier=held,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        attributes=template(
            attribute(Tag.SENSITIVE, value=False), attribute(Tag.ALWAYS_SENSITIVE, value=True)
        ),
        managed_object=raw_key(bytes(16)),
    )
    leave = ModifyAttributeRequest(unique_identifier=held, new_attribute=attribute(Tag.OBJECT_GROUP, "x", 0))
    _, imported, left = kms.batch(create(), refused, leave, caller=alice, **options)
    assert isinstance(imported, Refused)
    assert isinstance(left, Refused)
    assert left.reason is ResultReason.PERMISSION_DENIED


def test_what_is_undone_of_a_batch_that_comes_again_ends_its_own_streams_alone(kms: TestKms) -> None:
    """The answers to the other items have said how their streams go on."""
    undo = BatchErrorContinuationOption.UNDO
    options: dict[str, Any] = {"batch_error_continuation_option": undo, "client_correlation_value": "one"}
    sha = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)

    def part(data: bytes, **more: Any) -> HashRequest:
        return HashRequest(cryptographic_parameters=sha, data=SecretBytes(data), **more)

    key = UniqueIdentifier(active_key(kms))
    ecb = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
    first = EncryptRequest(unique_identifier=key, cryptographic_parameters=ecb, init_indicator=True)
    lost = kms.call(first).correlation_value
    half_a_block = EncryptRequest(data=SecretBytes(b"half"), correlation_value=lost, final_indicator=True)
    claimed = kms.call(part(b"a", init_indicator=True)).correlation_value
    kms.batch(create(), LocateRequest(), LocateRequest(), LocateRequest(), **options)
    answers = kms.batch(
        create(),
        part(b"b", correlation_value=claimed),
        part(b"a", init_indicator=True),
        half_a_block,
        **options,
    )
    assert [isinstance(one, Refused) for one in answers] == [False, False, False, True]
    digest = hashlib.sha256(b"abc").digest()
    begun = answers[2].correlation_value  # type: ignore[union-attr]
    assert kms.call(part(b"c", correlation_value=claimed, final_indicator=True)).data == digest
    assert kms.call(part(b"bc", correlation_value=begun, final_indicator=True)).data == digest
    with pytest.raises(Refused, match="no stream"):
        kms.call(half_a_block)


@pytest.mark.parametrize("destroyed_first", [True, False])
def test_another_batch_with_undo_under_the_same_name_is_done_as_a_whole_or_not_at_all(
    kms: TestKms, destroyed_first: bool
) -> None:
    undo = BatchErrorContinuationOption.UNDO
    options: dict[str, Any] = {"batch_error_continuation_option": undo, "client_correlation_value": "one"}
    kms.batch(create(), LocateRequest(), LocateRequest(), **options)
    key = kms.create_symmetric_key()
    others = [DestroyRequest(unique_identifier=key), GetRequest(unique_identifier=MISSING)]
    made, *_, last = kms.batch(create(), *(others if destroyed_first else reversed(others)), **options)
    assert not isinstance(made, Refused)  # that was done, and is
    assert isinstance(last, Refused)
    assert last.reason is (ResultReason.ITEM_NOT_FOUND if destroyed_first else ResultReason.INVALID_FIELD)
    kms.call(GetRequest(unique_identifier=key))


def test_a_new_key_of_a_client_goes_with_the_item_that_was_undone(kms: TestKms) -> None:
    """Its private half would be gone, and the client's old key good for nothing."""
    now = kms.clock.now()
    work = UnitOfWork(kms.repository, BatchMemory(), caller=ALICE, now=now)
    point = work.savepoint()
    work.renew(
        ClientRecord(
            client=ALICE.client,
            tenant=ALICE.tenant,
            name=ALICE.name,
            fingerprint="f",
            groups=(),
            username=None,
            password_hash=None,
            enrolled_at=now,
        )
    )
    assert work.changes()
    work.roll_back(point)
    assert not work.changes()


def test_who_has_a_ticket_is_not_answered_what_its_giver_was(kms: TestKms) -> None:
    made = kms.call(create(), version=V2_1, client_correlation_value="one").unique_identifier
    ticket = delegate(kms, right(Operation.CREATE))
    given = [using(kms, ticket, create(), client_correlation_value="one") for _ in range(2)]
    assert given[0] == given[1]
    assert given[0].unique_identifier != made  # type: ignore[union-attr]


def test_nobody_is_answered_what_another_user_was_whatever_the_request_is_called(kms: TestKms) -> None:
    user = replace(ALICE, user="somebody")
    first = kms.call(create(), client_correlation_value="one", caller=user)
    assert kms.call(create(), client_correlation_value="one", caller=user) == first
    forged = "one" + repr((user.acting, None, user.user))
    assert kms.call(create(), client_correlation_value=forged) != first


def test_a_name_is_forgotten_in_time(kms: TestKms) -> None:
    """faults 31: what is kept is bounded."""
    first = kms.call(create(), client_correlation_value="one")
    kms.clock.pass_time(hours=1, seconds=1)
    kms.run(kms.dispatcher.transactions.repeats.tidy(kms.clock.now()))
    assert kms.call(create(), client_correlation_value="one") != first


def test_a_refused_request_may_be_sent_again_under_its_name(kms: TestKms) -> None:
    """faults 31: nothing was done, so there is nothing to be answered again."""
    for _ in range(2):
        with pytest.raises(Refused):
            kms.call(
                ActivateRequest(unique_identifier=UniqueIdentifier("none")), client_correlation_value="one"
            )
    kms.call(create(), client_correlation_value="one")


def test_without_the_setting_and_without_a_name_everything_is_done(tmp_path: Path) -> None:
    kms = open_kms(tmp_path, Policy())
    for name in ("one", "one", None):
        kms.call(create(), client_correlation_value=name)
    kms.call(create(), version=V1_3)
    assert keys(kms) == 4
    kms.close()


def test_an_answer_lost_with_the_server_is_there_after_the_restart(tmp_path: Path) -> None:
    """faults 31: the connection drops after Create was sent, and every process is killed."""
    settings = {"client.test": {"idempotency": 3600}}
    with testing.server(tmp_path, settings=settings) as server:
        for number in range(2):
            message = binary.encode(
                request_message(create(), version=V2_1, client_correlation_value=f"try {number}")
            )
            lost = endpoint(server).connect()
            lost.stream.sendall(message)
            kill_trees([server.process.pid])
            server.kill()
            server.start()
            with endpoint(server).connect() as connection:
                answers = [connection.exchange(message)[-64:] for _ in range(2)]
                assert answers[0] == answers[1]
                assert count(connection) == number + 1


def count(connection: RawConnection) -> int:
    message = binary.encode(request_message(LocateRequest(), version=V2_1))
    _, _, fields = binary.decode(connection.exchange(message))[2][1]
    payload = next(value for tag, _, value in fields if tag == Tag.RESPONSE_PAYLOAD)
    return sum(tag == Tag.UNIQUE_IDENTIFIER for tag, _, _ in payload)


@pytest.mark.parametrize("hours", [-87_600, -1, 1, 87_600])
def test_a_time_stamp_far_away_is_refused_where_the_policy_looks_at_it(tmp_path: Path, hours: int) -> None:
    """faults 12: in the past and in the future; with the policy off it is ignored."""
    strict = open_kms(tmp_path / "strict", Policy(time_stamp_window=timedelta(minutes=5)))
    lax = open_kms(tmp_path / "lax", Policy())
    stamp = strict.clock.now() + timedelta(hours=hours)
    with pytest.raises(Refused, match="Time Stamp is more than 300 s away") as refused:
        strict.call(create(), time_stamp=stamp)
    assert refused.value.reason is ResultReason.INVALID_FIELD
    assert keys(strict, time_stamp=strict.clock.now()) == 0
    lax.call(create(), time_stamp=stamp)
    strict.close()
    lax.close()


def test_a_time_stamp_of_now_is_taken_and_none_is_refused(tmp_path: Path) -> None:
    """faults 12: or an old request would only have to lose its date."""
    kms = open_kms(tmp_path, Policy(time_stamp_window=timedelta(minutes=5)))
    kms.call(create(), time_stamp=kms.clock.now() - timedelta(minutes=4))
    with pytest.raises(Refused, match="has no Time Stamp") as refused:
        kms.call(create())
    assert refused.value.reason is ResultReason.INVALID_MESSAGE
    kms.close()


def test_what_does_not_fit_the_answer_is_not_done(kms: TestKms) -> None:
    """faults 10: an operation with side effects whose answer is longer than Maximum Response Size."""
    with pytest.raises(Refused) as refused:
        kms.call(create(), maximum_response_size=200)
    assert refused.value.reason is ResultReason.RESPONSE_TOO_LARGE
    assert keys(kms, caller=ALICE) == 0


def test_a_request_is_refused_in_each_form_before_it_is_done(kms: TestKms) -> None:
    """faults 7: a Batch Count that is not the number of items."""
    for count_ in (0, 2, 1_000_000, -1):
        with pytest.raises(Refused) as refused:
            kms.call(CreateRequest(object_type=create().object_type), batch_count=count_)
        assert refused.value.reason is ResultReason.INVALID_MESSAGE
    assert keys(kms) == 0
