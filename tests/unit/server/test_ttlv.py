"""The KMIP connection: order, back-pressure, deadlines, admission. Time is moved by hand."""

import asyncio
import dataclasses
import datetime as dt
import gc
from functools import partial
from typing import Any

import pytest

from strongroom.domain.identity import ClientId, ClientIdentity, Connection
from strongroom.domain.tenants import Tenant
from strongroom.domain.turn import SLICE
from strongroom.server.certificates.ca import Authority
from strongroom.server.listening.shares import Buffers
from strongroom.server.listening.turns import ALONE, AMONG_OTHERS, AT_ONCE, Turns
from strongroom.server.listening.writing import PIECE
from strongroom.server.ttlv import BURST, READ_AHEAD, TAKEN, UNCOUNTED
from tests.unit.server.bench import Bench, receive, turns_pass, until
from tests.unit.server.conftest import NOW

HEAD = b"\x42\x00\x78\x01"


def request(body: bytes) -> bytes:
    """Return a frame with `body`, padded to eight bytes."""
    body += b"." * (-len(body) % 8)
    return HEAD + len(body).to_bytes(4, "big") + body


@pytest.fixture
async def bench(authority: Authority) -> Bench:
    bench = Bench(authority)
    await bench.enrol()
    return bench


# Order and framing


async def test_a_request_is_answered_at_once_in_one_write(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one"))
    assert transport.written == [b"<one>"]


async def test_short_answers_of_all_connections_leave_when_all_was_looked_at(bench: Bench) -> None:
    (protocol, transport), (other, at_other) = bench.connect(), bench.connect()
    receive(protocol, request(b"one") + request(b"two"), together=True)
    receive(other, request(b"three"), together=True)
    assert transport.written + at_other.written == []
    await turns_pass()
    assert (transport.written, at_other.written) == ([b"<one>", b"<two>"], [b"<three>"])


async def test_an_answer_leaves_before_a_longer_one_behind_it(bench: Bench) -> None:
    async def handler(message: bytes, connection: Connection) -> bytes:
        return bytes(2 * PIECE) if b"long" in message else b"short"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"one") + request(b"long") + request(b"two"), together=True)
    await turns_pass()
    assert list(map(len, transport.written)) == [5, PIECE, PIECE, 5]


async def test_an_answer_leaves_before_one_that_was_waited_for(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def handler(message: bytes, connection: Connection) -> bytes:
        if b"wait" in message:
            await go_on.wait()
            return b"waited"
        return b"at once"

    bench.handler = handler
    (protocol, transport), (other, at_other) = bench.connect(), bench.connect()
    receive(protocol, request(b"wait"), together=True)
    await turns_pass()
    go_on.set()
    receive(other, request(b"one") + request(b"wait"), together=True)
    await turns_pass()
    assert transport.written == [b"waited"]
    assert at_other.written == [b"at once", b"waited"]


async def test_answers_that_were_waited_for_leave_together(bench: Bench) -> None:
    """One commit gives several, and each that left alone would wake up a processor."""
    go_on, ready, ready_before = asyncio.Event(), [0], list[int]()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await go_on.wait()
        ready[0] += 1
        return b"done"

    bench.handler = handler
    (protocol, transport), (other, at_other) = bench.connect(), bench.connect()
    transport.takes = at_other.takes = lambda: ready_before.append(ready[0])
    receive(protocol, request(b"one"), together=True)
    receive(other, request(b"two"), together=True)
    await turns_pass()
    go_on.set()
    await turns_pass()
    assert (transport.written, at_other.written) == ([b"done"], [b"done"])
    assert ready_before == [2, 2]


async def test_an_answer_leaves_before_the_connection_is_closed(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one"), together=True)
    protocol.close("revoked")
    assert (transport.written, transport.closed) == ([b"<one>"], True)


async def test_an_answer_leaves_before_a_malformed_message_ends_the_connection(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one") + b"nonsense" * 4, together=True)
    assert transport.written[0] == b"<one>"
    assert transport.written[1].startswith(b"REJECTED ")
    assert transport.closed


async def test_who_does_not_read_is_not_answered_for_long(bench: Bench) -> None:
    protocol, transport = bench.connect()
    transport.full = True
    for number in range(4):
        receive(protocol, request(b"%d" % number), together=True)
        await turns_pass()
    assert len(transport.written) == 1, "the others wait until it reads"
    transport.full = False
    protocol.resume_writing()
    await turns_pass()
    assert len(transport.written) == 4


async def test_nothing_more_is_done_for_a_connection_that_takes_no_answer(bench: Bench) -> None:
    done: list[bytes] = []

    async def handler(message: bytes, connection: Connection) -> bytes:
        done.append(message)
        return bytes(PIECE)

    def fail() -> None:
        raise RuntimeError("nobody has thought of it")

    bench.handler = handler
    protocol, transport = bench.connect()
    transport.takes = fail
    receive(protocol, request(b"one") + request(b"two") + request(b"three"))
    await turns_pass()
    assert transport.aborted
    assert len(done) == 2, "the second answer did not fit beside the first"


async def test_memory_is_reserved_once_for_who_reads_late(bench: Bench) -> None:
    """The answer is written, and does not leave, when the long message behind the request has begun."""
    free = bench.service.buffers._free
    protocol, transport = bench.connect()
    transport.full, body = True, 1 << 20
    receive(protocol, request(b"one") + HEAD + body.to_bytes(4, "big") + bytes(100))
    transport.full = False
    protocol.resume_writing()
    await turns_pass()
    assert free - bench.service.buffers._free == 8 + body
    receive(protocol, bytes(body - 100))
    await turns_pass()
    assert len(b"".join(transport.written)) == len(b"<one>") + body + len(b"<>")
    assert free == bench.service.buffers._free


async def test_reading_late_does_not_put_off_the_end_of_a_message(bench: Bench) -> None:
    protocol, transport = bench.connect()
    transport.full = True
    receive(protocol, request(b"one") + HEAD + (3000).to_bytes(4, "big") + bytes(100))
    bench.pass_time(15)
    transport.full = False
    protocol.resume_writing()
    bench.pass_time(10)
    assert (transport.closed, protocol._reason) == (True, "body_deadline")


async def test_whoever_lets_answers_leave_does_not_pay_for_others(bench: Bench) -> None:
    async def handler(message: bytes, connection: Connection) -> bytes:
        return bytes(2 * PIECE) if b"long" in message else b"short"

    bench.handler = handler
    (protocol, transport), (other, _) = bench.connect(), bench.connect()
    other.account = bench.turns.account(8)
    transport.takes = bench.spend(0.01)
    receive(protocol, request(b"one"), together=True)
    receive(other, request(b"long"), together=True)
    assert transport.written == [b"short"], "it left before the long answer of the other"
    assert protocol.account._debt == pytest.approx(0.01)
    assert other.account._debt == 0.0


async def test_a_long_answer_is_written_in_pieces(bench: Bench) -> None:
    answer = bytes(2 * PIECE) + b"the end"

    async def handler(message: bytes, connection: Connection) -> bytes:
        return answer

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"one"))
    assert list(map(len, transport.written)) == [PIECE, PIECE, 7]
    assert b"".join(transport.written) == answer


async def test_others_have_their_turn_between_the_pieces_of_a_long_answer(bench: Bench) -> None:
    answer = bytes(range(256)) * 4096

    async def handler(message: bytes, connection: Connection) -> bytes:
        return answer if b"long" in message else b"short"

    bench.handler = handler
    protocol, transport = bench.connect()
    transport.takes = bench.spend(2 * ALONE)
    receive(protocol, request(b"long") + request(b"two"))
    written: list[int] = []
    bench.turns.wait(bench.turns.account(8), lambda: written.append(len(transport.written)))
    await turns_pass()
    assert written[0] <= 2
    assert b"".join(transport.written) == answer + b"short"


async def test_nothing_more_of_a_long_answer_is_written_to_a_closed_connection(bench: Bench) -> None:
    async def handler(message: bytes, connection: Connection) -> bytes:
        return bytes(10 * PIECE)

    bench.handler = handler
    protocol, transport = bench.connect()
    transport.takes = bench.spend(2 * ALONE)
    receive(protocol, request(b"long"))
    protocol.close("revoked")
    await turns_pass()
    assert len(transport.written) == 1


async def test_who_does_not_read_a_long_answer_is_cut_off(bench: Bench) -> None:
    """The transport says once only that it is full, here in the middle of what is written at once."""

    async def handler(message: bytes, connection: Connection) -> bytes:
        return bytes(10 * PIECE)

    bench.handler = handler
    protocol, transport = bench.connect()
    transport.full, transport.takes = True, bench.spend(2 * ALONE)
    receive(protocol, request(b"long"))
    transport.full = False
    await turns_pass()
    assert len(transport.written) == 10
    bench.pass_time(61)
    assert transport.aborted


async def test_who_does_not_read_that_requests_come_too_soon_is_cut_off(authority: Authority) -> None:
    bench = Bench(authority, requests_per_client=100)
    await bench.enrol()
    protocol, transport = bench.connect()
    while protocol._place.delay(bench.seconds) is not None:
        pass
    transport.full = True
    receive(protocol, b"".join(request(b"%d" % n) for n in range(2 * BURST)))
    await turns_pass()
    assert transport.written == [b"SHED 0"]
    bench.pass_time(61)
    assert transport.aborted


async def test_a_long_message_goes_on_arriving_while_its_client_has_much_at_work(bench: Bench) -> None:
    """It has a deadline, and must not miss it for what the server does."""
    protocol, transport = bench.connect()
    whole = request(b"x" * (4 * TAKEN))
    receive(protocol, whole[:1000])
    bench.turns.account(8).may_go_on(bench.seconds)
    bench.turns.account(bench.record.client).at_work = AT_ONCE
    receive(protocol, whole[1000 : 2 * TAKEN])
    assert not transport.reading
    await turns_pass()
    assert transport.reading


async def test_a_request_that_is_aborted_before_its_task_begins_is_counted_out(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        return b""

    bench.handler = handler
    protocol, _ = bench.connect()
    receive(protocol, request(b"one"))
    account = bench.turns.account(bench.record.client)
    assert account.at_work == 1
    protocol.abort("deadline")
    await turns_pass()
    assert account.at_work == 0


async def test_a_lost_connection_lets_go_of_its_transport(bench: Bench) -> None:
    """TLS keeps much for a connection: it is not left to the garbage collector, which rarely comes by."""
    protocol, transport = bench.connect()
    assert transport in gc.get_referents(protocol)
    protocol.connection_lost(None)
    assert transport not in gc.get_referents(protocol)
    protocol.abort("again")


async def test_long_messages_arrive_in_turns_while_others_are_there(bench: Bench) -> None:
    body = b"x" * (4 * TAKEN)
    protocol, transport = bench.connect()
    whole = request(body)
    receive(protocol, whole[: 2 * TAKEN])
    assert transport.reading  # nobody else is there
    bench.turns.account(8).may_go_on(bench.seconds)
    receive(protocol, whole[2 * TAKEN : 3 * TAKEN])
    assert not transport.reading
    await turns_pass()
    assert transport.reading
    receive(protocol, whole[3 * TAKEN :])
    await turns_pass()
    assert b"".join(transport.written) == b"<" + body + b">"


async def test_pipelined_requests_in_one_read_are_answered_in_order(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one") + request(b"two"))
    assert transport.written == [b"<one>", b"<two>"]


async def test_a_request_in_fifty_pieces_is_answered_once(bench: Bench) -> None:
    protocol, transport = bench.connect()
    whole = request(b"x" * 392)
    assert len(whole) == 400
    for start in range(0, 400, 8):
        assert transport.written == []
        receive(protocol, whole[start : start + 8])
    assert transport.written == [b"<" + b"x" * 392 + b">"]


async def test_a_request_that_waits_holds_back_the_ones_behind_it(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        if b"slow" in message:
            await gate
        return message[8:].rstrip(b".")

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow") + request(b"two"))
    receive(protocol, request(b"three"))
    await asyncio.sleep(0)
    assert transport.written == []
    gate.set_result(None)
    await turns_pass()
    assert transport.written == [b"slow", b"two", b"three"]


async def test_a_long_pipeline_gives_other_connections_their_turn(bench: Bench) -> None:
    done = []

    async def handler(message: bytes, connection: Connection) -> bytes:
        bench.seconds += SLICE / 8
        done.append(message[8:].rstrip(b"."))
        return done[-1]

    bench.handler = handler
    protocol, _ = bench.connect()
    other, _ = bench.connect()
    pipeline = [b"%d" % n for n in range(50)]
    receive(protocol, b"".join(map(request, pipeline)))
    assert len(done) < 10
    receive(other, request(b"me too"))
    await turns_pass()
    assert done.index(b"me too") < 20
    done.remove(b"me too")
    assert done == pipeline


async def test_a_pipeline_of_nothing_gives_others_their_turn(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, b"".join(request(b"%d" % n) for n in range(BURST * 2 + 1)))
    assert len(transport.written) == BURST
    await turns_pass()
    assert transport.written == [b"<%d>" % n for n in range(BURST * 2 + 1)]


async def test_bytes_that_arrive_between_bursts_keep_their_place(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, b"".join(request(b"%d" % n) for n in range(BURST)))
    receive(protocol, request(b"last"))
    await turns_pass()
    assert transport.written[-1] == b"<last>"
    assert len(transport.written) == BURST + 1


async def test_reading_stops_while_too_much_is_waiting_and_goes_on_later(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        return b"ok"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow"))
    receive(protocol, request(b"x" * READ_AHEAD))
    assert not transport.reading
    gate.set_result(None)
    await turns_pass()
    assert transport.written == [b"ok", b"ok"]
    assert transport.reading


async def test_no_more_is_read_from_who_stands_in_line_and_has_sent_much(bench: Bench) -> None:
    protocol, transport = bench.connect()
    bench.turns.account(8).may_go_on(bench.seconds)
    account = bench.turns.account(bench.record.client)
    account.at_work = AT_ONCE
    receive(protocol, request(b"x" * READ_AHEAD))
    assert (transport.written, transport.reading) == ([], False)
    account.at_work = 1
    bench.turns.end(account)
    await turns_pass()
    assert transport.written == [b"<" + b"x" * READ_AHEAD + b">"]
    assert transport.reading


async def test_what_an_aborted_connection_had_sent_is_gone_before_the_connection_is(bench: Bench) -> None:
    protocol, _ = bench.connect()
    free = bench.service.buffers._free
    receive(protocol, request(b"x" * (1 << 20))[:READ_AHEAD])
    assert bench.service.buffers._free < free
    protocol.abort("deadline")
    assert bench.service.buffers._free == free
    assert protocol._framer.pending == 0


async def test_a_peer_that_does_not_read_gets_no_more_answers_until_it_does(bench: Bench) -> None:
    protocol, transport = bench.connect()
    transport.full = True
    receive(protocol, request(b"one"))
    receive(protocol, request(b"two"))
    assert transport.written == [b"<one>"]
    receive(protocol, request(b"three"))
    assert transport.written == [b"<one>"]
    transport.full = False
    protocol.resume_writing()
    await turns_pass()
    assert transport.written == [b"<one>", b"<two>", b"<three>"]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD + (4 << 20).to_bytes(4, "big"),
        HEAD + b"\xff\xff\xff\xff",
        HEAD + b"\x00\x00\x00\x09",
    ],
)
async def test_bytes_that_are_no_message_are_answered_and_the_connection_closed(
    bench: Bench, data: bytes
) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one") + data)
    assert len(transport.written) == 2
    assert transport.written[1].startswith(b"REJECTED ")
    assert transport.closed
    receive(protocol, request(b"more"))
    assert len(transport.written) == 2


async def test_an_engine_that_breaks_its_contract_costs_one_connection(bench: Bench, logs: list[Any]) -> None:
    async def handler(message: bytes, connection: Connection) -> bytes:
        if b"later" in message:
            await asyncio.sleep(0)
        raise LookupError("a bug")

    bench.handler = handler
    for body in (b"now", b"later"):
        protocol, transport = bench.connect()
        receive(protocol, request(body))
        await turns_pass()
        assert transport.aborted
    assert [entry["event"] for entry in logs] == ["handler_failed", "handler_failed"]


async def test_a_request_goes_on_when_its_client_has_left(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    done = []

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        done.append(True)
        return b"ok"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow"))
    protocol.connection_lost(None)
    gate.set_result(None)
    await turns_pass()
    assert done
    assert transport.written == []


# Deadlines


async def test_an_idle_connection_is_closed_at_the_idle_deadline_and_not_before(bench: Bench) -> None:
    protocol, transport = bench.connect()
    bench.pass_time(899)
    receive(protocol, request(b"one"))
    bench.pass_time(899)
    assert not transport.closed
    bench.pass_time(2)
    assert transport.closed


async def test_a_header_that_trickles_is_closed_at_the_header_deadline(bench: Bench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, HEAD[:1])
    bench.pass_time(9)
    receive(protocol, HEAD[1:2])
    assert not transport.closed
    bench.pass_time(2)
    assert transport.closed


async def test_a_body_of_one_byte_a_second_is_closed_at_the_body_deadline(bench: Bench) -> None:
    """faults 3."""
    protocol, transport = bench.connect()
    whole = request(b"x" * 1000)
    receive(protocol, whole[:8])
    sent = 8
    while not transport.closed:
        bench.pass_time(1)
        receive(protocol, whole[sent : sent + 1])
        sent += 1
    assert 8 + 20 <= sent <= 8 + 22
    assert transport.written == []


async def test_a_slow_but_honest_upload_of_a_mebibyte_survives(bench: Bench) -> None:
    """faults 3."""
    protocol, transport = bench.connect()
    whole = request(b"x" * (1 << 20))
    for start in range(0, len(whole), 10_240):
        receive(protocol, whole[start : start + 10_240])
        bench.pass_time(1)
    assert b"".join(transport.written) == b"<" + b"x" * (1 << 20) + b">"


async def test_each_message_of_a_steady_stream_has_its_own_deadline(bench: Bench) -> None:
    """A connection that is never idle, with messages cut at odd places, is not closed."""
    protocol, transport = bench.connect()
    stream = request(b"x" * 24) * 200
    for start in range(0, len(stream), 20):
        receive(protocol, stream[start : start + 20])
        bench.pass_time(1)
    assert not transport.closed
    assert len(transport.written) == 200


async def test_a_request_that_waits_in_the_engine_has_no_deadline(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        return b"ok"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow"))
    bench.pass_time(5000)
    assert not transport.closed
    gate.set_result(None)
    await turns_pass()
    assert transport.written == [b"ok"]


async def test_a_peer_that_never_reads_its_answer_is_cut_off(bench: Bench) -> None:
    protocol, transport = bench.connect()
    transport.full = True
    receive(protocol, request(b"one"))
    bench.pass_time(59)
    assert not transport.closed
    bench.pass_time(2)
    assert transport.aborted


async def test_a_connection_ends_with_its_certificate(bench: Bench, logs: list[Any]) -> None:
    protocol, transport = bench.connect()
    receive(protocol, request(b"one"))
    bench.date = NOW + dt.timedelta(days=3 * 365)
    bench.pass_time(1)
    receive(protocol, request(b"two"))
    assert transport.closed
    assert transport.written == [b"<one>"]
    protocol.connection_lost(None)
    assert [entry["reason"] for entry in logs] == ["certificate_expired"]


async def test_unfinished_long_messages_are_bounded_over_all_connections(
    bench: Bench, logs: list[Any]
) -> None:
    """Else a client with two thousand connections could make the server hold gigabytes."""
    bench.shares.per_client = 100
    header = HEAD + ((3 << 20) - 8).to_bytes(4, "big")
    first, second, third = (bench.connect() for _ in range(3))
    for protocol, _ in (first, second, third):
        receive(protocol, header)
    assert [transport.closed for _, transport in (first, second, third)] == [False, False, True]
    third[0].connection_lost(None)
    assert logs[0]["reason"] == "too_many_long_messages"
    receive(first[0], b"x" * ((3 << 20) - 8))
    second[0].connection_lost(None)
    for protocol, transport in (bench.connect(), bench.connect()):
        receive(protocol, header)
        assert not transport.closed


async def test_a_client_gets_a_part_of_the_memory_for_unfinished_long_messages(
    authority: Authority,
) -> None:
    """Else one client could keep the others from sending long messages."""
    buffers = Buffers(16 << 20)
    assert buffers.reserve(3 << 20, 1)
    assert not buffers.reserve(3 << 20, 1)
    assert buffers.reserve(3 << 20, 2)
    buffers.release(3 << 20, 1)
    assert buffers.reserve(8 << 20, 1), "one message fits always"


# Turns and rates


async def test_a_client_that_used_its_slice_waits_in_line_and_another_does_not(bench: Bench) -> None:
    known = bench.directory.find(bench.record.fingerprint)
    assert isinstance(known, ClientIdentity)
    other = dataclasses.replace(known, client=ClientId(8))

    async def handler(message: bytes, connection: Connection) -> bytes:
        bench.seconds += 2 * SLICE
        return message[8:].rstrip(b".")

    bench.handler = handler
    assert bench.turns.account(8).may_go_on(bench.seconds)
    busy = [bench.connect() for _ in range(2)]
    for protocol, _ in busy:
        receive(protocol, request(b"one"))
    assert [transport.written for _, transport in busy] == [[b"one"], []]
    quiet = bench.shares.turns.account(other.client)
    assert quiet.may_go_on(bench.seconds)
    await asyncio.sleep(0)
    assert [transport.written for _, transport in busy] == [[b"one"], [b"one"]]


async def test_who_used_much_stands_in_line_for_as_long_as_that_takes(bench: Bench) -> None:
    account = bench.turns.account(1)
    assert account.may_go_on(bench.seconds)
    bench.turns.account(2).may_go_on(bench.seconds)
    account.use(0.004)
    for passed, may in ((0.004, False), (0.008, False), (0.004, True)):
        bench.seconds += passed
        bench.turns.account(2).may_go_on(bench.seconds)
        assert account.may_go_on(bench.seconds) is may
    account.use(3600)
    bench.seconds += 0.09
    assert not account.may_go_on(bench.seconds)
    bench.seconds += 0.01
    assert account.may_go_on(bench.seconds), "and never for long"


async def test_a_client_that_is_alone_uses_all_of_the_time(bench: Bench) -> None:
    account = bench.turns.account(1)
    for _ in range(1000):
        assert account.may_go_on(bench.seconds)
        account.use(0.000_1)
        bench.seconds += 0.000_1


async def test_a_client_does_less_at_once_while_another_is_there(bench: Bench) -> None:
    one, other = bench.turns.account(1), bench.turns.account(2)
    one.at_work = AT_ONCE - 1
    assert one.may_go_on(bench.seconds)
    assert other.may_go_on(bench.seconds)
    assert not one.may_go_on(bench.seconds)
    bench.seconds += AMONG_OTHERS + 0.01
    assert one.may_go_on(bench.seconds)


async def test_those_who_wait_in_line_take_turns_client_by_client() -> None:
    seconds = [0.0]
    turns, served = Turns(lambda: seconds[0]), []

    def serve(client: int) -> None:
        served.append(client)
        seconds[0] += SLICE

    for client in (1, 1, 1, 1, 2, 2, 3):
        turns.wait(turns.account(client), partial(serve, client))
    await turns_pass()
    assert served == [1, 2, 3, 1, 2, 1, 1]


async def test_work_that_gave_way_goes_on_in_the_turn_of_its_client() -> None:
    turns, done = Turns(lambda: 0.0), []

    async def work(client: int) -> None:
        await turns.turn_of(client)
        done.append(client)

    tasks = [asyncio.create_task(work(client)) for client in (1, 1, 1, 2)]
    await asyncio.gather(*tasks)
    assert done.index(2) < 3
    turns.tidy()
    assert turns._accounts == {}


async def test_an_account_is_kept_for_as_long_as_somebody_uses_it() -> None:
    """What a client has used counts on, and what waits for its turn is not lost."""
    turns = Turns(lambda: 0.0)
    connected, at_work, waiting, paused, _ = (turns.account(number) for number in range(1, 6))
    connected.connections = 1
    turns.begin(at_work)
    turns.wait(waiting, lambda: None)
    turns.wait_to_go_on(paused, lambda: None)
    turns.tidy()
    assert set(turns._accounts) == {1, 2, 3, 4}
    connected.connections = 0
    turns.end(at_work)
    await turns_pass()
    turns.tidy()
    assert turns._accounts == {}


async def test_a_rate_is_forgotten_with_the_last_connection_that_it_counts_for(authority: Authority) -> None:
    bench = Bench(authority, requests_per_client=100, requests_per_address=100)
    await bench.enrol()
    connected = [bench.connect()[0] for _ in range(2)]
    for left, protocol in ((2, connected[0]), (0, connected[1])):
        protocol.connection_lost(None)
        bench.shares.tick()
        assert len(bench.shares._rates) == left


async def test_a_client_has_a_limited_number_of_requests_under_way(bench: Bench) -> None:
    gate = asyncio.Event()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate.wait()
        return message[8:].rstrip(b".")

    bench.handler = handler
    bench.shares.per_client = AT_ONCE + 1
    connections = [bench.connect() for _ in range(AT_ONCE + 1)]
    for protocol, _ in connections:
        receive(protocol, request(b"slow"))
    account = bench.turns.account(bench.record.client)
    assert (account.at_work, len(account.waiting)) == (AT_ONCE, 1)
    gate.set()
    await turns_pass()
    assert all(transport.written == [b"slow"] for _, transport in connections)


@pytest.mark.parametrize("who", ["client", "tenant", "address"])
async def test_a_request_over_the_rate_waits_for_its_time_or_is_refused(
    authority: Authority, who: str, logs: list[Any]
) -> None:
    limits: dict[str, Any] = {f"requests_per_{who}": 100}
    bench = Bench(authority, **limits)
    await bench.enrol()
    protocol, transport = bench.connect()
    waiting, answers = bench.connect()
    burst = 0
    while len(transport.written) == burst:
        receive(protocol, request(b"one"))
        burst += 1
    assert 100 <= burst - 1 <= 102, "a second's worth at once"
    place = protocol._place
    while place.delay(bench.seconds) is not None:
        pass
    receive(waiting, request(b"two"))
    assert answers.written == [b"SHED two"]
    await until(lambda: len(transport.written) == burst)  # the one that waited is done
    bench.shares.tick()
    (entry,) = [entry for entry in logs if entry["event"] == "requests_shed"]
    assert entry["count"] == 2
    bench.seconds += 3
    receive(waiting, request(b"two"))
    assert answers.written[-1] == b"<two>"


async def test_a_tenant_has_the_limits_that_were_laid_down_for_it(bench: Bench, logs: list[Any]) -> None:
    bench.shares.tenants = {bench.record.tenant: Tenant(number=1, most_connections=1, most_requests=5)}
    protocol, _ = bench.connect()
    _, second = bench.connect()
    assert second.closed
    assert "per_tenant" in logs[0]["cure"]
    assert [rate.whole for rate in protocol._place.rates] == [5]
    bench.shares.tenants = {}
    protocol.recheck()
    assert protocol._place.rates == ()


# Admission and revocation


async def test_an_unknown_client_is_closed_with_one_line_that_names_fingerprint_and_cure(
    bench: Bench, logs: list[Any]
) -> None:
    bench.clients.records.clear()
    await bench.directory.refresh()
    protocol, transport = bench.connect()
    receive(protocol, request(b"one"))
    protocol.connection_lost(None)
    assert transport.closed
    assert transport.written == []
    (entry,) = logs
    assert entry["event"] == "client_refused"
    assert entry["fingerprint"] == bench.record.fingerprint
    assert "client enrol" in entry["cure"]
    assert bench.closed == [protocol]


async def test_a_revoked_client_is_refused(bench: Bench, logs: list[Any]) -> None:
    await bench.enrol(revoked_at=NOW)
    _, transport = bench.connect()
    assert transport.closed
    assert logs[0]["reason"] == "revoked"


async def test_a_resumed_session_does_not_outlive_the_certificate(bench: Bench, logs: list[Any]) -> None:
    bench.date = NOW + dt.timedelta(days=3 * 365)
    bench.pass_time(1)
    _, transport = bench.connect()
    assert transport.closed
    assert logs[0]["reason"] == "certificate_expired"


async def test_a_key_that_was_revoked_once_stays_refused(bench: Bench) -> None:
    await bench.enrol(client=ClientId(8), revoked_at=NOW)
    _, transport = bench.connect()
    assert transport.closed


async def test_revocation_closes_a_live_connection(bench: Bench, logs: list[Any]) -> None:
    protocol, transport = bench.connect()
    await bench.enrol(revoked_at=NOW)
    protocol.recheck()
    assert transport.closed
    receive(protocol, request(b"one"))
    assert transport.written == []
    protocol.connection_lost(None)
    assert logs[0]["reason"] == "revoked"


async def test_a_certificate_that_is_another_clients_now_has_to_come_in_anew(
    bench: Bench, logs: list[Any]
) -> None:
    """What it has of the worker is counted for the one, and what it sent is no request of the other."""
    protocol, transport = bench.connect()
    receive(protocol, request(bytes(2 * UNCOUNTED))[:-1])
    assert bench.service.buffers._of_client
    await bench.enrol(client=ClientId(8))
    assert protocol._look_up(protocol.certificate) != protocol._connection.client
    protocol.recheck()
    assert transport.closed
    protocol.connection_lost(None)
    assert logs[0]["reason"] == "client_replaced"
    assert bench.service.buffers._of_client == {}


async def test_a_changed_record_acts_on_the_next_request(bench: Bench) -> None:
    seen = []

    async def handler(message: bytes, connection: Connection) -> bytes:
        seen.append(connection.client.groups)
        return b"ok"

    bench.handler = handler
    protocol, _ = bench.connect()
    receive(protocol, request(b"one"))
    await bench.enrol(groups=("backup",))
    protocol.recheck()
    receive(protocol, request(b"two"))
    assert seen == [(), ("backup",)]


async def test_a_client_has_a_limited_number_of_connections(bench: Bench, logs: list[Any]) -> None:
    first, _ = bench.connect()
    bench.connect()
    _, third = bench.connect()
    assert third.closed
    assert logs[0]["reason"] == "too_many_connections"
    first.connection_lost(None)
    _, fourth = bench.connect()
    assert not fourth.closed


async def test_a_whole_connection_costs_one_log_line(bench: Bench, logs: list[Any]) -> None:
    protocol, _ = bench.connect()
    receive(protocol, request(b"one"))
    protocol.connection_lost(None)
    (entry,) = logs
    assert entry["event"] == "connection_closed"
    assert entry["client"] == "web"
    assert entry["requests"] == 1


# Drain


async def test_draining_closes_an_idle_connection_at_once(bench: Bench) -> None:
    protocol, transport = bench.connect()
    protocol.drain()
    assert transport.closed


async def test_draining_finishes_the_request_in_flight(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        return b"ok"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow"))
    protocol.drain()
    assert not transport.closed
    gate.set_result(None)
    await turns_pass()
    assert transport.written == [b"ok"]
    assert transport.closed


async def test_draining_lets_a_request_that_is_arriving_arrive(bench: Bench) -> None:
    protocol, transport = bench.connect()
    whole = request(b"x" * 100)
    receive(protocol, whole[:50])
    protocol.drain()
    assert not transport.closed
    receive(protocol, whole[50:])
    assert len(transport.written) == 1
    assert transport.closed


async def test_an_aborted_connection_cancels_its_request(bench: Bench) -> None:
    cancelled = []

    async def handler(message: bytes, connection: Connection) -> bytes:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return b"ok"

    bench.handler = handler
    protocol, transport = bench.connect()
    receive(protocol, request(b"slow"))
    await asyncio.sleep(0)
    protocol.abort("drain_deadline")
    await turns_pass()
    assert cancelled
    assert transport.aborted


# A client that renews its credential


async def test_the_request_under_way_is_answered_when_the_key_is_replaced_and_no_other(bench: Bench) -> None:
    """KMIP 2.1 §6.1.48: it may be the very request that replaced the key."""
    gate = asyncio.get_running_loop().create_future()

    async def handler(message: bytes, connection: Connection) -> bytes:
        await gate
        return message[8:].rstrip(b".")

    bench.handler = handler
    protocol, transport = bench.connect()
    idle, idle_transport = bench.connect()
    receive(protocol, request(b"renew") + request(b"one more"))
    await asyncio.sleep(0)
    await bench.enrol(fingerprint="0" * 64)
    protocol.recheck()
    idle.recheck()
    assert idle_transport.closed
    assert not transport.closed
    gate.set_result(None)
    await turns_pass()
    assert transport.written == [b"renew"]
    assert transport.closed
