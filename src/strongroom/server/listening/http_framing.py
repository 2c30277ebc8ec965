"""HTTP/1.1 requests out of a stream of bytes, and responses into one.

Rule: no I/O and no clock; h11 reads and writes the protocol. A request is judged by its head, before any of
its body is kept, and what is refused here ends the connection: nobody knows where the next request begins.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

import h11

from strongroom.wire.errors import DecodeError
from strongroom.wire.limits import Limits

LONGEST_HEAD: Final = 16 * 1024
"""Bytes of request line and header fields."""

TEXT: Final = "text/plain; charset=utf-8"

_NO_BODY: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE"})
"""Methods whose requests need not tell the length of their body; all of them are refused later."""


class HttpRefusal(DecodeError):
    """Bytes that are not a request that can be read; `status` is the answer to them."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpResponse(NamedTuple):
    """What to answer. `allow` names the methods that are possible, for status 405."""

    status: HTTPStatus
    content_type: str
    body: bytes
    allow: str | None = None


class HttpRequest(NamedTuple):
    """One whole request. Header fields that it lacks are empty."""

    method: str
    target: str
    content_type: str
    content_encoding: str
    body: bytes
    respond: Callable[[HttpResponse, str], bytes]
    """Return the bytes of a response; called once, before the next request is taken. The text is its date."""


class HttpFramer:
    """Cuts the stream of one connection into requests; see `binding.Framing`."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.message_size
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        self._head: h11.Request | None = None
        self._method = b""
        self._body = bytearray()
        self._declared = 0
        self._pending = 0
        self._last = False
        self.finished = False
        """Whether the connection ends here: the last response has said so."""

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def declared(self) -> int:
        return self._declared

    def room(self) -> None:
        """Have everything be fed."""

    def fill(self, count: int) -> None:
        raise RuntimeError("there is no room to fill")

    def finish(self) -> None:
        """Have the next response say that the connection ends after it."""
        self._last = True

    def feed(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._pending += len(data)

    def next_message(self) -> HttpRequest | None:
        """Return the next request, None when more bytes are needed; raises HttpRefusal."""
        while not self.finished:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                # Its frames hold the connection of h11, which would hold them.
                raise _refusal(error) from error.with_traceback(None)
            match event:
                case h11.Request():
                    self._head, self._declared = event, self._judge(event)
                case h11.Data():
                    self._body += event.data
                case h11.EndOfMessage():
                    return self._request()
                case _:
                    return None
        return None

    def go_ahead(self) -> bytes:
        """Return what a client hears that asks before it sends its body; empty for any other."""
        if not self._http.they_are_waiting_for_100_continue:
            return b""
        return self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def _judge(self, head: h11.Request) -> int:
        """Return the length of the body that follows; raises HttpRefusal."""
        if not head.http_version.startswith(b"1."):
            raise HttpRefusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "speak HTTP/1.1 or HTTP/1.0")
        fields = dict(head.headers)
        length = fields.get(b"content-length")
        if b"transfer-encoding" in fields or (length is None and head.method not in _NO_BODY):
            # SPEC(KMIP Additional Message Encodings 1.0 §2.4): the client SHALL specify a Content-Length.
            raise HttpRefusal(HTTPStatus.LENGTH_REQUIRED, "a KMIP request has a Content-Length; send one")
        size = int(length or 0)
        if size > self._limit:
            raise HttpRefusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{size} bytes are declared, the limit is {self._limit}"
            )
        return size

    def _request(self) -> HttpRequest:
        head = self._head
        if head is None:
            raise RuntimeError("a request has ended that did not begin")
        body, self._body = bytes(self._body), bytearray()
        self._head, self._method, self._declared = None, head.method, 0
        self._pending = len(self._http.trailing_data[0])
        fields = dict(head.headers)
        return HttpRequest(
            head.method.decode("ascii"),
            head.target.decode("ascii"),
            fields.get(b"content-type", b"").decode("latin-1"),
            fields.get(b"content-encoding", b"").decode("latin-1"),
            body,
            self._respond,
        )

    def _respond(self, response: HttpResponse, date: str) -> bytes:
        http = self._http
        headers = _fields(response, date)
        if self._last:
            headers.append(("Connection", "close"))
        head = http.send(
            h11.Response(
                status_code=response.status, headers=headers, reason=response.status.phrase.encode("ascii")
            )
        )
        if self._method != b"HEAD":
            head += http.send(h11.Data(data=response.body))
        head += http.send(h11.EndOfMessage())
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        else:
            self.finished = True
        return head


def last_response(response: HttpResponse, date: str) -> bytes:
    """Return a response after which the connection ends, whatever state it is in."""
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in [*_fields(response, date), ("Connection", "close")]]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + response.body


def refused(error: HttpRefusal) -> HttpResponse:
    """Return the response to what cannot be read."""
    return HttpResponse(error.status, TEXT, f"{error.message}\n".encode())


def _fields(response: HttpResponse, date: str) -> list[tuple[str, str]]:
    """Return the header fields of a response.

    KMIP Additional Message Encodings 1.0 §2.5: Content-Type, Content-Length, Cache-Control are always there.
    """
    fields = [
        ("Date", date),
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("Cache-Control", "no-cache"),
    ]
    if response.allow is not None:
        fields.append(("Allow", response.allow))
    return fields


def _refusal(error: h11.RemoteProtocolError) -> HttpRefusal:
    """Return what to say of bytes that h11 does not take; its own words hold some of them."""
    status = HTTPStatus(error.error_status_hint)
    match status:
        case HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            return HttpRefusal(status, f"the head of a request has at most {LONGEST_HEAD} bytes")
        case HTTPStatus.NOT_IMPLEMENTED:
            return HttpRefusal(status, "only a body of known length is understood; send a Content-Length")
        case _:
            return HttpRefusal(HTTPStatus.BAD_REQUEST, "this is not a well-formed HTTP/1.1 request")
