"""KMIP over HTTPS: `POST /kmip` in TTLV, JSON or XML, answered in kind; and `POST /admin` for people.

Rule: this binding is framing and routing, and `_ROUTES` has all there is. Admission, limits, deadlines and
order are those of `ttlv.py`, and what a request does is the engine's (`remote.py` for administration):
whatever it answers, failures included, goes out with status 200.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.engine.answers import joined
from strongroom.server.clients.directory import PeerCertificate, Refusal
from strongroom.server.listening.deadlines import NEVER, Deadlines
from strongroom.server.listening.http_framing import (
    TEXT,
    HttpFramer,
    HttpRefusal,
    HttpRequest,
    HttpResponse,
    last_response,
    refused,
)
from strongroom.server.listening.shares import MOST_DELAY, Buffers
from strongroom.server.ports import Application
from strongroom.server.remote import LONGEST_REQUEST, RemoteAdministration
from strongroom.server.ttlv import READ_AHEAD, KmipProtocol
from strongroom.wire.encodings import CODECS, Codec, Encoding
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item
from strongroom.wire.limits import Limits

PATH: Final = "/kmip"
ADMIN_PATH: Final = "/admin"
METHOD: Final = "POST"

_NOTHING: Final = f"there is nothing here; KMIP is at {METHOD} {PATH}"

TRUST: Final = "/ca"
PEM: Final = "application/x-pem-file"
"""Where clients learn, with GET, which authorities the server is known by, and how that is written."""

LINGER: Final = 2.0
"""Seconds in which a client that was refused may go on sending, so that it gets to read why."""

_ENCODINGS: Final = {
    **{codec.media_type: encoding for encoding, codec in CODECS.items()},
    "application/xml": Encoding.XML,
}
_ROUTES: Final = {PATH: _ENCODINGS, ADMIN_PATH: {CODECS[Encoding.JSON].media_type: Encoding.JSON}}
"""Every path that is answered, with the Content-Types that it takes."""
_CHARSETS: Final = frozenset({"utf-8", "us-ascii"})
_CHARSET: Final = re.compile(r';[ \t]*charset="?([^";\s]*)', re.IGNORECASE)


class _Unanswerable(Exception):
    """A request that is none for KMIP."""

    def __init__(self, status: HTTPStatus, sentence: str, *, allow: str | None = None) -> None:
        super().__init__(sentence)
        self.response = HttpResponse(status, TEXT, f"{sentence}\n".encode(), allow)


class HttpsProtocol(KmipProtocol[HttpRequest]):
    """One connection; differs from that of the TLS port in how it begins a body, and how it ends."""

    __slots__ = ()

    _framer: HttpFramer

    def _look_up(self, certificate: PeerCertificate) -> ClientIdentity | Refusal:
        join = self._service.join
        guest = self._service.directory.guest(certificate)
        if join is None or guest is None:
            return super()._look_up(certificate)
        # From here on nothing that this connection sends gets near the engine.
        self._handle = join
        return guest

    def _await_request(self) -> None:
        if self._framer.finished:
            self.close("finished")
            return
        before = self._stage
        super()._await_request()
        if self._stage == "body" and before != "body" and not self._closing:
            ahead = self._framer.go_ahead()
            if ahead:
                self._departures.leave()
                self.transport.write(ahead)

    def drain(self) -> None:
        self._framer.finish()
        super().drain()

    def _give_up(self) -> None:
        # Closed at once, the connection would be reset under the bytes that are still on their way to us, and
        # with it the answer. They are thrown away (`buffer_updated`) until the client has gone.
        self._departures.leave()
        self._closing = True
        self._reason = "malformed_message"
        self._stage = "linger"
        self.deadline = self._service.deadlines.now + LINGER

    def expire(self) -> None:
        if self._stage == "linger":
            self.deadline = NEVER
            self._departures.leave()
            self.transport.close()
        else:
            super().expire()


class HttpHandler:
    """Answers the requests of all connections of a worker."""

    def __init__(
        self,
        application: Application,
        administration: RemoteAdministration | None = None,
        *,
        limits: Limits,
        buffers: Buffers,
        deadlines: Deadlines,
        trust: Callable[[], bytes] | None = None,
    ) -> None:
        self._trust = trust
        self._application = application
        self._administration = administration
        self._limits = limits
        self._buffers = buffers
        self._deadlines = deadlines
        # One thread: what a long message costs to read is spent once at a time.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="http-reader")

    async def handle(self, request: HttpRequest, connection: Connection) -> bytes:
        """Return the bytes of the response; raises only CancelledError."""
        try:
            if request.method == "GET" and request.target == TRUST and self._trust is not None:
                return request.respond(HttpResponse(HTTPStatus.OK, PEM, self._trust()), self._date())
            path, encoding = route(request)
            if path == ADMIN_PATH:
                body = await self._administer(request.body, connection)
            else:
                body = await self._answer(request.body, connection, encoding=encoding)
        except _Unanswerable as error:
            return request.respond(error.response, self._date())
        return request.respond(
            HttpResponse(HTTPStatus.OK, media_type(request.content_type), body), self._date()
        )

    def reject(self, error: DecodeError, connection: Connection) -> bytes:
        """Return the response to bytes that are no request; the connection ends after it."""
        if not isinstance(error, HttpRefusal):
            raise TypeError("an HTTP connection refuses with HttpRefusal") from error
        return last_response(refused(error), self._date())

    async def _administer(self, body: bytes, connection: Connection) -> bytes:
        if self._administration is None:
            raise _Unanswerable(HTTPStatus.NOT_FOUND, _NOTHING)
        if len(body) > LONGEST_REQUEST:
            raise _Unanswerable(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"an administration request has {LONGEST_REQUEST} bytes at most",
            )
        return await self._administration.answer(body, connection)

    def shed(self, request: HttpRequest, _connection: Connection) -> bytes:
        """Return the response to a request that comes too soon after too many others."""
        sentence = f"too many requests a second; send less, and try again in {MOST_DELAY:.0f} s"
        refusal = HttpResponse(HTTPStatus.TOO_MANY_REQUESTS, TEXT, f"{sentence}\n".encode())
        return request.respond(refusal, self._date())

    async def _answer(self, body: bytes, connection: Connection, *, encoding: Encoding) -> bytes:
        if encoding is Encoding.TTLV:
            return joined(await self._application.handle(body, connection))
        codec = CODECS[encoding]
        try:
            root = await self._read(body, codec, connection)
        except DecodeError as error:
            return self._application.refuse(error, connection, codec.encode)
        return await self._application.answer(root, connection, codec.encode)

    async def _read(self, body: bytes, codec: Codec, connection: Connection) -> Item:
        """Return the message; a long one is read beside the event loop, where others are waiting."""
        if len(body) <= READ_AHEAD:
            return codec.decode(body, self._limits)
        if not self._buffers.reserve(len(body), connection.client.client):
            raise _Unanswerable(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many long messages are being read; try again"
            )
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._reader, codec.decode, body, self._limits)
        finally:
            self._buffers.release(len(body), connection.client.client)

    def _date(self) -> str:
        return _date(int(self._deadlines.date))


def route(request: HttpRequest) -> tuple[str, Encoding]:
    """Return where a request goes and how its message is written; raises what to answer to any other."""
    try:
        path = urlsplit(request.target).path
    except ValueError:
        path = ""
    encodings = _ROUTES.get(path)
    if encodings is None:
        raise _Unanswerable(HTTPStatus.NOT_FOUND, _NOTHING)
    if request.method != METHOD:
        raise _Unanswerable(HTTPStatus.METHOD_NOT_ALLOWED, f"send the request with {METHOD}", allow=METHOD)
    encoding = encodings.get(media_type(request.content_type))
    if encoding is None:
        known = ", ".join(encodings)
        raise _Unanswerable(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type is none of {known}")
    if _charset(request.content_type) not in _CHARSETS:
        raise _Unanswerable(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the charset of a message is UTF-8")
    if request.content_encoding.lower() not in {"", "identity"}:
        raise _Unanswerable(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the message without a Content-Encoding")
    return path, encoding


def media_type(content_type: str) -> str:
    """Return the type of a Content-Type, without its parameters and in small letters."""
    return content_type.partition(";")[0].strip().lower()


def _charset(content_type: str) -> str:
    named = _CHARSET.search(content_type)
    return named[1].lower() if named else "utf-8"


@lru_cache(2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
