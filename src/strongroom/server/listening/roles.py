"""A connection whose client has turned the roles: the server asks, the client answers.

Rule: bytes and one question at a time; what is asked is the courier's business, and when the connection ends
that of `ttlv.py`.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from strongroom.domain.identity import Connection
from strongroom.domain.outgoing import EndpointUnreachable
from strongroom.domain.store_failures import StoreFailure
from strongroom.registry import Tag, Version
from strongroom.server.listening.binding import Attendant
from strongroom.server.logs import get_logger
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer
from strongroom.wire.limits import Limits

log = get_logger()

ANSWER: Final = 10.0
"""Seconds that a client has to answer."""

ANSWERS: Final = Limits(message_size=64 * 1024)
"""What an answer of a client may cost: it has hardly anything to say."""


class Asking:
    """The server's side of such a connection. `write` sends bytes."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._framer: Framer
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._ended = False

    @property
    def waiting(self) -> bool:
        """Tell whether a question is under way."""
        return self._answer is not None

    async def attend(self, attend: Attendant, connection: Connection, version: Version) -> str:
        """Ask what there is to ask; return why the connection ends after that, nothing when it goes on."""
        try:
            await attend(connection.client, self.exchange, version)
        except (EndpointUnreachable, StoreFailure) as error:
            log.info("roles_ended", client=connection.client.name, error=str(error))
            return "no_answer_as_server"
        except Exception:
            log.exception("attendant_failed", client=connection.client.name, peer=connection.peer)
            return "attendant_failed"
        return ""

    async def exchange(self, message: bytes) -> bytes:
        """See `domain.outgoing.Exchange`."""
        if self._ended:
            raise EndpointUnreachable("the connection has ended")
        if self._buffer:
            raise EndpointUnreachable("the client sent something that nobody asked for")
        self._framer = Framer(ANSWERS, expects=Tag.RESPONSE_MESSAGE)
        self._answer = asyncio.get_running_loop().create_future()
        self._write(message)
        try:
            async with asyncio.timeout(ANSWER):
                return await self._answer
        except TimeoutError as error:
            raise EndpointUnreachable("the client does not answer in time") from error
        finally:
            self._answer = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the client; raises DecodeError for what is no answer to a question."""
        self._buffer += data
        if self._answer is None or self._answer.done():
            if len(self._buffer) > ANSWERS.message_size:
                raise DecodeError("too much that nobody asked for", at=0)
            return
        self._framer.feed(data)
        answer = self._framer.next_message()
        if answer is not None:
            del self._buffer[: len(answer)]
            self._answer.set_result(answer)

    def rest(self) -> bytes:
        """Return what came after the last answer: the client has its role back and asks again."""
        return bytes(self._buffer)

    def end(self, reason: str) -> None:
        """The connection ends: nobody answers any more."""
        self._ended = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(EndpointUnreachable(reason))
