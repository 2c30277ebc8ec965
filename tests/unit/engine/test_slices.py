"""Long answers are made in slices, and nothing of a request is left to the garbage collector."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.crypto.pool import Pool
from strongroom.domain import turn
from strongroom.domain.errors import ServerFailure
from strongroom.domain.identity import Connection
from strongroom.engine.answers import Answers, joined
from strongroom.engine.slices import encode_long, is_long, let_go
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import Name
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V2_1, BatchErrorContinuationOption, Tag, Version
from strongroom.server.listening.eager import resume
from strongroom.wire import binary, xml
from strongroom.wire.item import Item
from tests.cycles import cycles
from tests.faults.noise import batch, create, message
from tests.kms import ALICE, TestKms, attribute

LEAF = st.integers(0, 1000).map(lambda number: (int(Tag.BATCH_COUNT), 2, number))
TEXT = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=9).map(
    lambda text: (int(Tag.UNIQUE_IDENTIFIER), 7, text)
)
SHORT = st.lists(LEAF | TEXT, max_size=4)
LONG = st.tuples(SHORT, st.integers(1, 150)).map(lambda pair: pair[0] * pair[1])
STRUCTURE = (SHORT | LONG).map(lambda items: (int(Tag.RESPONSE_PAYLOAD), 1, items))
BATCH_ITEM = st.lists(LEAF | TEXT | STRUCTURE, min_size=1, max_size=4).map(
    lambda items: (int(Tag.BATCH_ITEM), 1, items)
)


@settings(deadline=None)
@given(st.lists(BATCH_ITEM, min_size=1, max_size=3), st.integers(1, 70))
def test_an_answer_in_slices_is_the_same_answer(few: list[Item], times: int) -> None:
    items = few * times
    answers = Answers(V2_1, datetime(2026, 1, 1, tzinfo=UTC))
    whole = answers.encode(items)
    assert asyncio.run(encode_long(items[0])) == binary.encode(items[0])
    assert joined(asyncio.run(answers.long_answer(list(items)))) == whole


@pytest.mark.parametrize("items", [[(1, 1, [])] * 65, [(1, 1, [(2, 1, [(3, 2, 1)] * 65)])]])
async def test_a_long_answer_gives_way(items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "SLICE", 0.0)
    turns = 0

    class Line:
        async def turn_of(self, client: int) -> None:
            nonlocal turns
            turns += 1

    token = turn.line.set(Line())
    await Answers(V2_1, datetime(2026, 1, 1, tzinfo=UTC)).long_answer(items)
    turn.line.reset(token)
    assert turns > 1


def test_short_answers_are_made_at_once() -> None:
    assert not is_long([(1, 1, [(2, 1, [(3, 2, 1)] * 64)])] * 64)


@pytest.mark.parametrize("text", ["name", "a\x01b"])
@pytest.mark.parametrize("times", [1, 100])
def test_a_long_answer_in_another_encoding_is_written_beside_the_event_loop(
    kms: TestKms, times: int, text: str
) -> None:
    """Also one that XML cannot say (for the second text), in the place of each of whose items stands that."""
    named = kms.create_symmetric_key(name=text)
    threads = list[int]()

    def encode(item: Item, *, version: Version) -> bytes:
        if item[0] == Tag.RESPONSE_MESSAGE:
            threads.append(threading.get_ident())
        return xml.encode(item, version=version)

    root = binary.decode(batch(GetAttributesRequest(unique_identifier=named), times))
    answer = kms.run(kms.dispatcher.answer(root, Connection(client=ALICE, peer="-"), encode))
    assert len(xml.decode(answer)[2]) == times + 1
    assert len(threads) == (1 if text == "name" else 2)
    assert {one == threading.get_ident() for one in threads} == {times == 1}


def _long(item: bytes) -> bytes:
    """Return a message of which the payload has so many items that it is read beside the event loop."""
    good = message(GetRequest(unique_identifier=UniqueIdentifier("x" * 400)))
    text = good.index(b"\x42\x00\x94")
    payload = item * 2000
    lengths = [good.index(tag) for tag in (b"\x42\x00\x78", b"\x42\x00\x0f", b"\x42\x00\x79")]
    made = bytearray(good[:text] + payload)
    for at in lengths:
        made[at + 4 : at + 8] = (len(made) - at - 8).to_bytes(4)
    return bytes(made)


NOWHERE = UniqueIdentifier("nowhere")
REQUESTS: dict[str, Callable[[UniqueIdentifier], bytes]] = {
    "get": lambda key: message(GetRequest(unique_identifier=key)),
    "what is missing": lambda _: message(GetRequest(unique_identifier=NOWHERE)),
    "search": lambda _: message(LocateRequest()),
    "creation": lambda _: message(create()),
    "many names": lambda _: message(
        create(*(attribute(Tag.NAME, Name(name_value=f"n{number}")) for number in range(1500)))
    ),
    "batch": lambda key: batch(GetRequest(unique_identifier=key), 100),
    "failing batch": lambda _: batch(GetRequest(unique_identifier=NOWHERE), 100),
    "batch undone": lambda _: message(
        create(),
        GetRequest(unique_identifier=NOWHERE),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    ),
    "long junk": lambda _: _long(b"\x42\x00\x28\x05" + (8).to_bytes(4) + bytes(8)),
    "long nonsense": lambda _: _long(b"\x42\x00\x28\x05" + (4).to_bytes(4) + bytes(8)),
    "junk": lambda _: bytes.fromhex("4200780100000010") + bytes(16),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_leaves_no_reference_cycles(kms: TestKms, kind: str) -> None:
    """They would keep keys and long messages in memory until the collector comes by."""
    key = kms.call(create(), version=V2_1).unique_identifier
    data = REQUESTS[kind](key)
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def handle() -> None:
        """Begun at once and continued in a task, as by a connection."""
        started = kms.dispatcher.handle(data, connection)
        try:
            waits_for = started.send(None)
        except StopIteration:
            return
        await resume(started, waits_for)

    kms.run(handle())
    with cycles() as found:
        kms.run(handle())
    assert found == []


@pytest.mark.parametrize("full", [False, True])
def test_the_items_of_a_long_request_are_let_go_beside_the_event_loop(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """Where too much waits for that, the request is answered all the same."""
    emptied: list[list[Item]] = []
    run = Pool.run

    async def note(self: Pool, work: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        if work is let_go:
            if full:
                raise ServerFailure("too much is waiting")
            emptied.append(args[0])
        return await run(self, work, *args, **keywords)

    monkeypatch.setattr(Pool, "run", note)
    key = kms.call(create(), version=V2_1).unique_identifier
    data = batch(GetRequest(unique_identifier=key), 500)
    connection = Connection(client=ALICE, peer="127.0.0.1:1")
    answer = binary.decode(joined(kms.run(kms.dispatcher.handle(data, connection))))
    assert len(answer[2]) == 501
    assert emptied == ([] if full else [[]])
