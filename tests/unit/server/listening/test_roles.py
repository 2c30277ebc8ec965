"""A connection whose client has turned the roles. Bytes are handed over by hand."""

import asyncio

import pytest

from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.outgoing import EndpointUnreachable, Exchange
from strongroom.registry import V2_1, Version
from strongroom.server.certificates.ca import Authority
from strongroom.server.listening import roles
from tests.unit.server.bench import Bench, receive, turns_pass, until
from tests.unit.server.test_ttlv import request

QUESTION = request(b"question")


def response(body: bytes) -> bytes:
    return b"\x42\x00\x7b\x01" + request(body)[4:]


class Attendant:
    """Asks `questions` and keeps the answers."""

    def __init__(self, questions: int = 1) -> None:
        self.answers: list[bytes] = []
        self.error: BaseException | None = None
        self._questions = questions

    async def __call__(self, client: ClientIdentity, exchange: Exchange, version: Version) -> None:
        assert (client.name, version) == ("web", V2_1)
        try:
            for _ in range(self._questions):
                self.answers.append(await exchange(QUESTION))
            if not self._questions:
                await asyncio.sleep(3600)
        except BaseException as error:
            self.error = error
            raise


@pytest.fixture
async def bench(authority: Authority) -> Bench:
    bench = Bench(authority)
    await bench.enrol()

    async def handler(message: bytes, connection: Connection) -> bytes:
        if b"turn" in message:
            assert connection.roles is not None
            connection.roles.turned = V2_1
        return await bench.echo(message, connection)

    bench.handler = handler
    return bench


def attended(bench: Bench, attendant: Attendant) -> Attendant:
    bench.service.attend = attendant
    return attendant


async def test_the_server_asks_after_the_answer_and_answers_again_after_that(bench: Bench) -> None:
    attendant = attended(bench, Attendant(questions=2))
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    assert transport.written == [b"<turn>", QUESTION]
    answer = response(b"first")
    receive(protocol, answer[:10])
    receive(protocol, answer[10:])
    await turns_pass()
    receive(protocol, response(b"second"))
    await turns_pass()
    assert attendant.answers == [answer, response(b"second")]
    receive(protocol, request(b"mine again"))
    assert transport.written[3:] == [b"<mine again>"]
    assert not transport.closed


async def test_a_request_sent_behind_the_one_that_turns_the_roles_ends_the_connection(bench: Bench) -> None:
    """Whether it was meant for the server that was, nobody can tell."""
    attended(bench, Attendant())
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn") + request(b"and more"))
    await asyncio.sleep(0)
    assert transport.written == [b"<turn>"]
    assert transport.closed


@pytest.mark.parametrize(
    "bytes_", [b"GET / HTTP/1.1\r\n\r\n", request(b"a request")], ids=["garbage", "request"]
)
async def test_what_is_no_answer_ends_the_connection(bench: Bench, bytes_: bytes) -> None:
    attendant = attended(bench, Attendant())
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    receive(protocol, bytes_)
    await turns_pass()
    assert transport.closed
    assert isinstance(attendant.error, EndpointUnreachable)


async def test_an_answer_that_nobody_asked_for_ends_the_connection_at_the_next_question(
    bench: Bench,
) -> None:
    attendant = attended(bench, Attendant(questions=2))
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    receive(protocol, response(b"asked") + response(b"unasked"))
    await turns_pass()
    assert isinstance(attendant.error, EndpointUnreachable)
    assert transport.closed


async def test_a_client_that_sends_without_end_is_not_listened_to(bench: Bench) -> None:
    attended(bench, Attendant(questions=0))
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    for _ in range(5):
        receive(protocol, bytes(16384))
    assert transport.closed


async def test_a_request_behind_the_answer_that_gives_the_role_back_is_served(bench: Bench) -> None:
    """The client has its role with its own answer and need not wait."""
    attended(bench, Attendant())
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    receive(protocol, response(b"taken") + request(b"at once"))
    await turns_pass()
    assert transport.written[2:] == [b"<at once>"]


async def test_a_client_that_does_not_answer_in_time_loses_the_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "ANSWER", 0.01)
    attendant = attended(bench, Attendant())
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await until(lambda: attendant.error is not None)
    assert transport.closed
    assert isinstance(attendant.error, EndpointUnreachable)


@pytest.mark.parametrize("questions", [0, 1], ids=["quiet", "asking"])
async def test_a_connection_that_is_lost_ends_the_asking(bench: Bench, questions: int) -> None:
    attendant = attended(bench, Attendant(questions))
    protocol, _ = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    await turns_pass()
    assert attendant.error is not None


async def test_draining_does_not_wait_for_a_client_that_is_asked(bench: Bench) -> None:
    attended(bench, Attendant(questions=0))
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    protocol.drain()
    assert transport.closed


async def test_a_revoked_client_is_not_asked_any_more(bench: Bench) -> None:
    attended(bench, Attendant(questions=0))
    protocol, transport = bench.connect()
    receive(protocol, request(b"turn"))
    await asyncio.sleep(0)
    await bench.enrol(revoked_at=bench.record.enrolled_at)
    protocol.recheck()
    assert transport.closed
