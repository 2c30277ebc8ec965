"""How messages travel: over TLS as they are, or in HTTPS requests in one of three encodings.

Rule: no I/O. A framing is what the shells of the client feed bytes to; it knows one connection and nothing of
what the messages say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from strongroom.client.address import KMIP_PORT, Address, parse_servers
from strongroom.client.errors import InvalidSettings, ProtocolError
from strongroom.registry import Tag
from strongroom.wire.encodings import CODECS, Codec, Encoding
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer

HTTPS_PORT: Final = 5697
PATH: Final = "/kmip"

E = TypeVar("E", bound=StrEnum)


class Transport(StrEnum):
    """What carries the messages."""

    TLS = "tls"
    HTTPS = "https"


class Framing(Protocol):
    """Messages into and out of the bytes of one connection."""

    @property
    def reusable(self) -> bool:
        """Tell whether another request may be sent, after an answer."""

    def wrap(self, message: bytes) -> bytes:
        """Return what to send for a request message."""

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes and return the answer when it is whole; no bytes mean that the connection has ended.

        Raises ProtocolError for what is no answer, and BrokenLink for an answer that says to ask elsewhere.
        """


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A transport and an encoding; `path` is where KMIP is on an HTTPS server."""

    transport: Transport = Transport.TLS
    encoding: Encoding = Encoding.TTLV
    path: str = PATH

    @property
    def codec(self) -> Codec:
        return CODECS[self.encoding]

    def servers(self, servers: str | Sequence[str]) -> tuple[Address, ...]:
        """Return the addresses meant by one text or several; raises InvalidSettings."""
        port = HTTPS_PORT if self.transport is Transport.HTTPS else KMIP_PORT
        return parse_servers(servers, default_port=port)

    def framing(self, server: Address) -> Framing:
        """Return the framing of a new connection."""
        if self.transport is Transport.TLS:
            return TtlvFraming()
        # What HTTP takes is loaded only where it is spoken.
        from strongroom.client.http import HttpFraming

        codec = self.codec
        longest = codec.answer_limits.message_size
        return HttpFraming(server, path=self.path, media_type=codec.media_type, longest=longest)


OVER_TLS: Final = Binding()


def make_binding(
    transport: Transport | str = Transport.TLS, encoding: Encoding | str = Encoding.TTLV, path: str = PATH
) -> Binding:
    """Return what the settings of a client mean; raises InvalidSettings."""
    made = Binding(
        transport=_one_of(Transport, "transport", transport),
        encoding=_one_of(Encoding, "encoding", encoding),
        path=path,
    )
    if made.transport is Transport.TLS and made.encoding is not Encoding.TTLV:
        raise InvalidSettings(f'{made.encoding} is only spoken over HTTPS; set transport to "https"')
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise InvalidSettings(f"{path!r} is no path of a URL; write it as in {PATH}")
    return made


class TtlvFraming:
    """TTLV as it is; see `Framing`."""

    reusable = True

    def __init__(self) -> None:
        self._framer = Framer(CODECS[Encoding.TTLV].answer_limits, expects=Tag.RESPONSE_MESSAGE)

    def wrap(self, message: bytes) -> bytes:
        return message

    def receive(self, data: bytes) -> bytes | None:
        if not data:
            return None
        self._framer.feed(data)
        try:
            message = self._framer.next_message()
        except DecodeError as exc:
            raise ProtocolError(f"the server did not send a response message: {exc}") from exc
        if message is not None and self._framer.pending:
            raise ProtocolError("bytes follow the answer")
        return message


def _one_of(kind: type[E], name: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise InvalidSettings(f"{name} {value!r} is none of {', '.join(kind)}") from None
