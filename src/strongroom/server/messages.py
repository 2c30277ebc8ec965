"""Messages between our own processes: one JSON object a line.

Rule: both ends run as the same user on the same machine. A message may hold what the store holds about
clients (a password hash included), never a password or a private key.
"""

import json
from collections.abc import Iterator
from typing import Final, TypeAlias

Message: TypeAlias = dict[str, object]

LONGEST: Final = 64 << 20
"""Bytes in one message: a list of some hundred thousand clients."""


class BrokenMessage(Exception):
    """The other end sent something that is no message."""


class MessageReader:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take the next bytes and yield the messages they complete; raises BrokenMessage."""
        self._buffer += data
        if len(self._buffer) > LONGEST:
            raise BrokenMessage("a message is too long")
        *lines, rest = bytes(self._buffer).split(b"\n") if b"\n" in data else [bytes(self._buffer)]
        if lines:
            self._buffer = bytearray(rest)
        for line in lines:
            yield decode(line)


def encode(message: Message) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line; raises BrokenMessage."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise BrokenMessage("a message is no JSON") from error
    if not isinstance(message, dict):
        raise BrokenMessage("a message is no JSON object")
    return message


def integer(message: Message, field: str) -> int:
    """Return a number in a message; raises BrokenMessage when it is missing or something else."""
    value = message.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BrokenMessage(f"{field} must be a number")
    return value


def text(message: Message, field: str) -> str:
    """Return a text field of a message; raises BrokenMessage when it is missing or something else."""
    value = message.get(field)
    if not isinstance(value, str):
        raise BrokenMessage(f"{field} must be a text")
    return value


def optional_text(message: Message, field: str) -> str | None:
    """Return a text field of a message, None when it is missing or null; raises BrokenMessage."""
    return None if message.get(field) is None else text(message, field)


def texts(message: Message, field: str) -> tuple[str, ...]:
    """Return a field that holds a list of texts; raises BrokenMessage."""
    value = message.get(field)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BrokenMessage(f"{field} must be a list of texts")
    return tuple(value)


def nested(message: Message, field: str) -> Message:
    """Return a field that holds an object; raises BrokenMessage."""
    value = message.get(field)
    if not isinstance(value, dict):
        raise BrokenMessage(f"{field} must be an object")
    return value
