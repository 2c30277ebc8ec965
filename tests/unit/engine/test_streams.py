"""Streams and the engine: handlers that are run again, and requests at the same time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.crypto.encryption.adapter import QUICK_INLINE
from strongroom.domain.context import Policy
from strongroom.domain.errors import InvalidCorrelationValue, ServerFailure
from strongroom.domain.identity import Connection
from strongroom.domain.store import LostRace
from strongroom.domain.streams import Part
from strongroom.engine.answers import joined
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.streams import RequestStreams, StreamLimits, StreamTable
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.create import CreateRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Operation,
    ResultReason,
    Tag,
    UsageLimitsUnit,
)
from strongroom.server.engine import make_dispatcher
from strongroom.wire import binary
from tests.expect import active_key, value
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template
from tests.unit.engine.test_references import answers, refer

ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = UsageLimits(usage_limits_total=1000, usage_limits_unit=UsageLimitsUnit.BYTE)


class Adding:
    """Work whose step gives the sum so far: a part that is taken twice shows."""

    def __init__(self) -> None:
        self.total = 0
        self.held = 0

    async def add(self, number: int) -> int:
        self.total += number
        return self.total


def begin(key: UniqueIdentifier, data: bytes) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=key,
        data=SecretBytes(data),
        cryptographic_parameters=ECB,
        init_indicator=True,
    )


def part(key: UniqueIdentifier, value: bytes | None, data: bytes, *, last: bool = False) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=key,
        data=SecretBytes(data),
        correlation_value=value,
        final_indicator=last or None,
    )


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make each unit of work lose its race as often as the list says."""
    times = [0]
    commit = UnitOfWork.commit

    async def lose(self: UnitOfWork, *args: object) -> None:
        if times[0]:
            times[0] -= 1
            raise LostRace
        await commit(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(UnitOfWork, "commit", lose)
    return times


@pytest.mark.parametrize("undo", [False, True])
def test_a_part_is_taken_once_however_often_the_handler_runs(
    kms: TestKms, losing: list[int], undo: bool
) -> None:
    option = BatchErrorContinuationOption.UNDO if undo else BatchErrorContinuationOption.STOP
    key = active_key(kms, attribute(Tag.USAGE_LIMITS, LIMITS))
    whole = kms.call(
        EncryptRequest(
            unique_identifier=key, data=SecretBytes(bytes(range(48))), cryptographic_parameters=ECB
        )
    )
    losing[0] = 3
    first = kms.call(begin(key, bytes(range(20))), batch_error_continuation_option=option)
    losing[0] = 3
    second = kms.call(
        part(key, first.correlation_value, bytes(range(20, 40))), batch_error_continuation_option=option
    )
    losing[0] = 3
    last = kms.call(
        part(key, first.correlation_value, bytes(range(40, 48)), last=True),
        batch_error_continuation_option=option,
    )
    assert losing[0] == 0
    assert (first.data or b"") + (second.data or b"") + (last.data or b"") == whole.data
    assert value(kms, key, Tag.USAGE_LIMITS).usage_limits_count == 1000 - 96


def test_a_stream_takes_no_other_data_when_the_handler_is_run_again(kms: TestKms, losing: list[int]) -> None:
    """What is drawn anew each time would be told beside the ciphertext of something else."""
    key = active_key(kms, attribute(Tag.USAGE_LIMITS, LIMITS))
    stream = kms.call(begin(key, b"")).correlation_value
    root = request_message(
        RNGRetrieveRequest(data_length=16),
        part(key, stream, b"", last=True),
        version=V2_1,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    losing[0] = 1
    undone, refused = answers(kms, refer(root, 1, 2, 0))
    assert Tag.DATA not in undone
    assert refused[Tag.RESULT_REASON] == ResultReason.INTERNAL_SERVER_ERROR
    assert "begin the stream again" in refused[Tag.RESULT_MESSAGE]
    with pytest.raises(Refused, match="no stream"):
        kms.call(part(key, stream, b"", last=True))


def test_two_requests_are_not_at_work_on_one_stream_at_once(kms: TestKms) -> None:
    """One of them has it, the other is told so; the stream goes on as if that one had never been sent."""
    key = active_key(kms)
    stream = kms.call(begin(key, b"")).correlation_value
    much = bytes(QUICK_INLINE + 8)  # so that it is done on the pool, and the loop turns to the other request
    message = binary.encode(request_message(part(key, stream, much), version=V1_4))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def both() -> list[bytes]:
        answers = await asyncio.gather(*(kms.dispatcher.handle(message, connection) for _ in range(2)))
        return [joined(answer) for answer in answers]

    answers = kms.run(both())
    assert sorted(b"at work on this stream" in answer for answer in answers) == [False, True]
    assert kms.call(part(key, stream, bytes(8), last=True)).data is not None


def opened(table: StreamTable, caller: object = ALICE, now: datetime = NOW) -> RequestStreams:
    return RequestStreams(table, caller, now)  # type: ignore[arg-type]


async def _begin(table: StreamTable, number: int) -> bytes:
    request = opened(table)
    stream = request.open(Operation.HASH, Part(None, last=False))

    async def work() -> Adding:
        return Adding()

    await stream.advance(None, data=b"%d" % number, begin=work, step=lambda w: w.add(number))
    request.keep()
    assert stream.correlation_value is not None
    return stream.correlation_value


async def _add(request: RequestStreams, name: bytes, number: int, *, last: bool = False) -> int:
    async def never() -> Adding:
        raise AssertionError("a later part begins nothing")

    stream = request.open(Operation.HASH, Part(name, last=last))
    return await stream.advance(None, data=b"%d" % number, begin=never, step=lambda w: w.add(number))


async def test_a_request_that_is_run_again_gets_the_results_of_the_run_before() -> None:
    table = StreamTable(StreamLimits())
    name = await _begin(table, 1)
    request = opened(table)
    for _ in range(3):
        request.rewind()
        assert await _add(request, name, 2) == 3
        assert await _add(request, name, 4, last=True) == 7
        with pytest.raises(InvalidCorrelationValue, match="ended"):
            await _add(request, name, 8)
    request.keep()
    assert len(table) == 0


async def test_a_thousand_streams_do_not_meet() -> None:
    """faults 26. Half of them are abandoned, and gone when their time is over."""
    table = StreamTable(StreamLimits(per_client=1000, idle=timedelta(minutes=5)))
    names = [await _begin(table, number) for number in range(1000)]
    assert len(set(names)) == 1000
    for turn in (1, 2):
        for number, name in enumerate(names):
            if number % 2:
                request = opened(table)
                assert await _add(request, name, 1000) == number + 1000 * turn
                request.keep()
    later = opened(table, now=NOW + timedelta(minutes=4))
    for name in names[1::2]:
        await _add(later, name, 1)
    later.keep()
    much_later = opened(table, now=NOW + timedelta(minutes=6))
    with pytest.raises(InvalidCorrelationValue):
        await _add(much_later, names[0], 1)
    assert len(table) == 500


async def test_what_is_taken_back_leaves_nothing_behind() -> None:
    table = StreamTable(StreamLimits())
    name = await _begin(table, 1)
    request = opened(table)
    await _add(request, name, 2)
    with pytest.raises(InvalidCorrelationValue, match="at work"):
        await _add(opened(table), name, 2)
    with pytest.raises(InvalidCorrelationValue, match="no stream"):
        await _add(opened(table, BOB), name, 2)
    request.end_claimed()
    assert len(table) == 0
    assert table.held == 0


class Neighbour:
    """The sockets between two workers, without sockets."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.others: dict[bytes, Dispatcher] = {}
        self.asked = 0

    async def answer(self, name: bytes, message: bytes, connection: Connection) -> bytes | None:
        self.asked += 1
        other = self.others.get(name)
        return None if other is None else await other.handle_passed_on(message, connection)


@pytest.fixture
def other(kms: TestKms) -> tuple[TestKms, Neighbour]:
    """Make the key manager one worker of two; return it and what it says to the other, who is not served."""
    names = [Neighbour(b"\0\0first."), Neighbour(b"\0\1other.")]
    workers = [
        make_dispatcher(kms.repository, Policy(), kms.clients.get, clock=kms.clock, neighbours=name)
        for name in names
    ]
    names[0].others[names[1].name] = workers[1]
    names[1].others[names[0].name] = workers[0]
    kms.dispatcher = workers[0]
    kms.another = workers[1]  # type: ignore[attr-defined]
    return kms, names[1]


def test_a_part_that_comes_to_another_worker_is_answered_by_the_one_that_has_the_stream(
    other: tuple[TestKms, Neighbour],
) -> None:
    kms, sent = other
    key = active_key(kms)
    first = kms.call(begin(key, bytes(8)))
    kms.dispatcher = kms.another  # type: ignore[attr-defined]
    second = kms.call(part(key, first.correlation_value, bytes(8)), client_correlation_value="mine")
    assert sent.asked == 1
    assert len(second.data or b"") == 16
    root = request_message(part(key, first.correlation_value, bytes(16), last=True), version=V1_4)
    answer = kms.run(
        kms.dispatcher.answer(
            root, Connection(client=ALICE, peer="127.0.0.1:1"), lambda item, version: binary.encode(item)
        )
    )
    assert sent.asked == 2
    assert b"at work" not in answer
    with pytest.raises(Refused, match="has ended"):
        kms.call(part(key, first.correlation_value, b""))


def test_a_stream_of_a_worker_that_is_gone_is_refused(other: tuple[TestKms, Neighbour]) -> None:
    kms, sent = other
    key = active_key(kms)
    first = kms.call(begin(key, bytes(8)))
    kms.dispatcher = kms.another  # type: ignore[attr-defined]
    sent.others.clear()
    with pytest.raises(Refused, match="at another server"):
        kms.call(part(key, first.correlation_value, bytes(8)))
    assert sent.asked == 1


def test_what_belongs_to_nobody_is_passed_on_once(other: tuple[TestKms, Neighbour]) -> None:
    kms, sent = other
    key = active_key(kms)
    kms.dispatcher = kms.another  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="no stream"):
        kms.call(part(key, b"\0\0first." + bytes(16), bytes(8)))
    assert sent.asked == 1
    kms.call(begin(key, bytes(8)))
    assert sent.asked == 1


def test_a_batch_whose_neighbour_gives_no_answer_is_not_done_a_second_time(
    other: tuple[TestKms, Neighbour],
) -> None:
    kms, sent = other
    key = active_key(kms)
    first = kms.call(begin(key, bytes(8)))

    async def done_but_lost(name: bytes, message: bytes, connection: Connection) -> bytes | None:
        await sent.others[name].handle_passed_on(message, connection)
        raise ServerFailure("no answer")

    sent.answer = done_but_lost  # type: ignore[method-assign]
    kms.dispatcher = kms.another  # type: ignore[attr-defined]
    create = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
        ),
    )
    before = len(kms.call(LocateRequest()).unique_identifier)
    answer = kms.send(request_message(create, part(key, first.correlation_value, bytes(8)), version=V1_4))
    assert len(answer[2]) == 2  # a header and one failure
    assert len(kms.call(LocateRequest()).unique_identifier) == before + 1
