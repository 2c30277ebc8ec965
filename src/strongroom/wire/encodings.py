"""The three forms in which a message travels, and their media types.

Rule: a table; the forms themselves are `binary.py`, `json.py` and `xml.py`. The transport says which one is
used: TLS carries TTLV only, HTTPS has it in Content-Type (KMIP Additional Message Encodings 1.0 §2).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from strongroom.registry import Version
from strongroom.wire import binary, json, xml
from strongroom.wire.item import Item
from strongroom.wire.limits import DEFAULT_LIMITS, Limits


class Encoding(StrEnum):
    """How a message is written."""

    TTLV = "ttlv"
    JSON = "json"
    XML = "xml"


class Encoder(Protocol):
    """Writes an item."""

    def __call__(self, item: Item, *, version: Version) -> bytes:
        """Return `item` with the names that `version` has; raises EncodeError."""


class Codec(NamedTuple):
    """One form: its media type and both directions. `decode` raises DecodeError.

    `answer_limits` are what a client takes. An answer may be longer than any request: what is decrypted in
    parts in a mode with a tag comes all at once. Text takes more bytes than TTLV.
    """

    media_type: str
    decode: Callable[[bytes, Limits], Item]
    encode: Encoder
    answer_limits: Limits


def _encode_ttlv(item: Item, *, version: Version) -> bytes:
    """Return TTLV, which has numbers in place of names."""
    return binary.encode(item)


_ANSWERS: Final = replace(DEFAULT_LIMITS, message_size=80 << 20)
_TEXT_ANSWERS: Final = replace(_ANSWERS, message_size=4 * _ANSWERS.message_size)

CODECS: Final[Mapping[Encoding, Codec]] = {
    Encoding.TTLV: Codec("application/octet-stream", binary.decode, _encode_ttlv, _ANSWERS),
    Encoding.JSON: Codec("application/json", json.decode, json.encode, _TEXT_ANSWERS),
    Encoding.XML: Codec("text/xml", xml.decode, xml.encode, _TEXT_ANSWERS),
}
