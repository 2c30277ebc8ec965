"""Messages out of a stream of bytes.

Rule: no I/O and no clock. A message is judged by its first 8 bytes, before any more of it is kept.
"""

from struct import Struct
from typing import Final

from strongroom.registry import Tag
from strongroom.wire.errors import DecodeError, MessageTooLarge
from strongroom.wire.item import STRUCTURE
from strongroom.wire.limits import DEFAULT_LIMITS, Limits
from strongroom.wire.place import Place
from strongroom.wire.text import tag_name

HEADER_SIZE: Final = 8

_head = Struct(">II").unpack_from


class Framer:
    """Cuts a byte stream into whole TTLV messages; one per connection and direction.

    A server expects `Tag.REQUEST_MESSAGE`, a client `Tag.RESPONSE_MESSAGE`. After an error the stream
    has no known next message: close the connection.

    What is read goes to `feed`. The rest of a long message may be read to its place instead: see `room`.
    """

    __slots__ = ("_buffer", "_expects", "_filled", "_limit", "_long", "_room", "_root", "_size")

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, expects: Tag = Tag.REQUEST_MESSAGE) -> None:
        self._limit = limits.message_size
        self._expects = expects
        self._root = expects << 8 | STRUCTURE
        self._buffer: bytes | bytearray = b""
        self._size = 0  # of the message at the head of the buffer, header included; 0: not known yet
        self._long: Place | None = None  # of that message, where it is a long one
        self._filled = 0  # bytes of it that are there
        self._room: memoryview | None = None  # what `room` has given

    @property
    def pending(self) -> int:
        """Bytes held of messages that were not taken yet; 0 between messages."""
        return len(self._buffer) if self._long is None else self._filled + len(self._buffer)

    @property
    def declared(self) -> int:
        """Size of the message that is being received, header included; 0 until its header was read."""
        return self._size

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._long is not None:
            part = data[: self._size - self._filled]
            self._long.view[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            data = data[len(part) :]
        if not self._buffer:
            # Nearly always a read is one whole message: it is handed on without a copy.
            self._buffer = data
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        self._buffer += data

    def room(self) -> memoryview | None:
        """Return where the rest of the message goes whose size is known; None when it is all there.

        Takes the memory for all of it. Whoever writes to the room says so with `fill`, before anything else.
        """
        if self._long is None:
            if not self._size:
                return None
            self._long = Place(self._size)
            self._filled, buffer, self._buffer = 0, self._buffer, b""
            self.feed(bytes(buffer))
        if self._filled == self._size:
            return None
        self._room = self._long.view[self._filled :]
        return self._room

    def fill(self, count: int) -> None:
        """Take as many bytes of the stream as were written to the beginning of the room, which ends here."""
        self._filled += count
        self._leave_room()

    def next_message(self) -> bytes | None:
        """Return one whole message, or None when more bytes are needed.

        Raises MessageTooLarge when the header declares more than the limit, and DecodeError when it is
        not the header of the expected message.
        """
        if self._long is not None:
            return self._next_long(self._long)
        held = len(self._buffer)
        if not self._size:
            if held < HEADER_SIZE:
                return None
            self._size = self._declared_size()
        size = self._size
        if held < size:
            return None
        self._size = 0
        buffer = self._buffer
        if held == size:
            self._buffer = b""
            return bytes(buffer)
        if isinstance(buffer, bytes):
            self._buffer = buffer = bytearray(buffer)
        message = bytes(buffer[:size])
        del buffer[:size]
        return message

    def _next_long(self, message: Place) -> bytes | None:
        size = self._size
        if self._filled < size:
            return None
        self._size, self._long = 0, None
        self._leave_room()
        return message.take(size)

    def _leave_room(self) -> None:
        if self._room is not None:
            self._room.release()
            self._room = None

    def _declared_size(self) -> int:
        head, length = _head(self._buffer)
        if head != self._root:
            raise DecodeError(f"expected the header of a {tag_name(self._expects)}", at=0)
        if length & 7:
            raise DecodeError(
                f"STRUCTURE length {length} is not a multiple of 8",
                path=((tag_name(self._expects), None),),
                at=0,
            )
        size: int = HEADER_SIZE + length
        if size > self._limit:
            raise MessageTooLarge(f"{size} bytes are declared, the limit is {self._limit}", at=0)
        return size
