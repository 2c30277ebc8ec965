"""HTTP/1.1 around the messages of a client.

Rule: no I/O; h11 reads and writes the protocol. An answer is status 200 with the media type of the request;
what comes instead is said in the error, shortened and without what a terminal would obey.
"""

import re
from http import HTTPStatus
from typing import Final

import h11

from strongroom.client.address import Address
from strongroom.client.errors import ProtocolError
from strongroom.client.failover import BrokenLink

_TOLD: Final = 200
"""Characters of an error page that are passed on."""

_START: Final = b"HTTP/"
_NOT_SHOWN: Final = re.compile(r"[^\x20-\x7e]+")

_ELSEWHERE: Final = {
    HTTPStatus.BAD_GATEWAY: True,
    HTTPStatus.SERVICE_UNAVAILABLE: False,
    HTTPStatus.GATEWAY_TIMEOUT: True,
}
"""Answers with which another server may be asked, and whether the request may have been carried out."""

_SAME: Final = {"application/xml": "text/xml"}


class HttpFraming:
    """POST requests of one connection, and answers of at most `longest` bytes; see `transport.Framing`."""

    def __init__(self, server: Address, *, path: str, media_type: str, longest: int) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._host = str(server)
        self._path = path
        self._media_type = media_type
        self._longest = longest
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._start = b""

    @property
    def reusable(self) -> bool:
        return self._http.our_state is h11.IDLE

    def wrap(self, message: bytes) -> bytes:
        """Return a request with the header fields of KMIP Additional Message Encodings 1.0 §2.4."""
        head = h11.Request(
            method="POST",
            target=self._path,
            headers=[
                ("Host", self._host),
                ("Content-Type", self._media_type),
                ("Content-Length", str(len(message))),
                ("Cache-Control", "no-cache"),
            ],
        )
        send = self._http.send
        return send(head) + send(h11.Data(data=message)) + send(h11.EndOfMessage())

    def receive(self, data: bytes) -> bytes | None:
        if len(self._start) < len(_START):
            # h11 would wait for the end of a line, and so would whoever asked.
            self._start += data[: len(_START) - len(self._start)]
            if not _START.startswith(self._start):
                raise ProtocolError("the server does not speak HTTP")
        try:
            self._http.receive_data(data)
            while True:
                match event := self._http.next_event():
                    case h11.Response():
                        self._head = event
                    case h11.Data():
                        self._body += event.data
                        if len(self._body) > self._longest:
                            raise ProtocolError(f"the answer has more than {self._longest} bytes")
                    case h11.EndOfMessage():
                        return self._answer()
                    case h11.InformationalResponse():
                        continue
                    case _:
                        return None
        except h11.RemoteProtocolError as exc:
            if not data:
                return None
            raise ProtocolError("the server does not speak HTTP") from exc

    def _answer(self) -> bytes:
        head, body = self._head, bytes(self._body)
        if head is None:
            raise RuntimeError("an answer has ended that did not begin")
        self._head, self._start = None, b""
        self._body.clear()
        if self._http.trailing_data[0]:
            raise ProtocolError("bytes follow the answer")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        fields = dict(head.headers)
        told = fields.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if head.status_code != HTTPStatus.OK:
            raise _failure(head.status_code, head.reason, body if told.startswith("text/plain") else b"")
        if told and _SAME.get(told, told) != self._media_type:
            raise ProtocolError(f"the answer is {_shown(told)}, not {self._media_type}")
        return body


def _failure(status: int, reason: bytes, page: bytes) -> ProtocolError | BrokenLink:
    """Return what to raise for an answer that is no KMIP."""
    words = _shown(reason.decode("latin-1"))
    sentence = _shown(page[: 4 * _TOLD].decode("utf-8", "replace"))
    text = f"HTTP {status} {words}".rstrip() + (f": {sentence}" if sentence else "")
    for known, sent in _ELSEWHERE.items():
        if status == known:
            return BrokenLink(f"it answers {text}", sent=sent)
    return ProtocolError(f"the server answers {text}")


def _shown(text: str) -> str:
    return _NOT_SHOWN.sub(" ", text).strip()[:_TOLD]
