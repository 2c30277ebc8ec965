"""The client's endpoint that a server connects to for Put, Notify and its own queries.

Rule: as `connection.py`, with the parts turned round: the server asks, we answer, and whatever goes
wrong is a ServerFault. It behaves as a listening client does: what no case waits for is answered, too, so
that nothing stands in front of what the next case waits for.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final

from strongroom.client.address import Address
from strongroom.conformance.connection import CHUNK, ServerFault, decode_answer, reason_of
from strongroom.conformance.target import Target
from strongroom.conformance.trees import child
from strongroom.registry import V2_1, VERSIONS, Operation, ResultStatus, Tag
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer
from strongroom.wire.item import ENUMERATION, INTEGER, STRUCTURE, Item

_CONNECTION: Final = 900.0
"""Seconds that a connection of the server may be idle."""


class Endpoint:
    """Listens with the profile's certificate, for one connection of the server at a time.

    How the server learns of it is the business of that server's administration.
    """

    def __init__(self, target: Target, address: Address, *, timeout: float) -> None:
        self._context = target.server_context()
        self._timeout = timeout
        self._listening = socket.create_server((address.host, address.port))
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._held = self._owed = False
        self._arrived: queue.Queue[bytes | ServerFault] = queue.Queue()
        self._answers: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        number: int = self._listening.getsockname()[1]
        return number

    def hold(self) -> None:
        """Keep what arrives from now on for `receive`."""
        with self._lock:
            self._held = True

    def release(self) -> None:
        """Answer what arrives from now on, and what was kept, as any client does."""
        with self._lock:
            self._held = False
            owed = self._owed
            self._owed = False
            while not self._arrived.empty():
                owed = isinstance(self._arrived.get(), bytes) or owed
        if owed:  # one at most: the server waits for its answer
            self._answers.put(None)

    def receive(self, fits: Callable[[Item], bool] = lambda _: True) -> bytes:
        """Return the next request of the server that fits, and answer the others; raises ServerFault."""
        give_up = time.monotonic() + self._timeout
        other = b""
        while True:
            try:
                message = self._arrived.get(timeout=max(0.0, give_up - time.monotonic()))
            except queue.Empty:
                raise ServerFault("the server sent no message: timed out", received=other) from None
            if isinstance(message, ServerFault):
                raise message
            try:
                self._owed = fits(decode_answer(message))
            except ServerFault:
                self._answers.put(None)
                raise
            if self._owed:
                return message
            other = message
            self._answers.put(None)

    def answer(self, message: bytes) -> None:
        """Answer the request that was received last."""
        self._owed = False
        self._answers.put(message)

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        self.release()
        self._listening.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                plain, _ = self._listening.accept()
                plain.settimeout(self._timeout)
                with self._context.wrap_socket(plain, server_side=True) as connected:
                    connected.settimeout(_CONNECTION)
                    self._serve(connected)
            except DecodeError as exc:
                self._fault(f"the server sent no request message: {exc}")
            except OSError as exc:
                self._fault(f"the server sent no message: {reason_of(exc)}")

    def _fault(self, text: str) -> None:
        with self._lock:
            if self._held and not self._closed.is_set():
                self._arrived.put(ServerFault(text))

    def _serve(self, connected: ssl.SSLSocket) -> None:
        """Answer what comes over one connection; the server may end it after any message."""
        framer = Framer(expects=Tag.REQUEST_MESSAGE)
        while data := connected.recv(CHUNK):
            framer.feed(data)
            while (message := framer.next_message()) is not None:
                with self._lock:
                    held = self._held
                    if held:
                        self._arrived.put(message)
                answer = self._answers.get() if held else None
                connected.sendall(polite(message) if answer is None else answer)


def polite(message: bytes) -> bytes:
    """Return what a client answers to any request: done, and what it speaks; raises DecodeError."""
    root = binary.decode(message)
    version = child(root[2][0], Tag.PROTOCOL_VERSION) if root[2] else None
    if version is None:
        raise DecodeError("a request without Protocol Version")
    items = [_polite_item(item) for item in root[2][1:]]
    header: Item = (
        Tag.RESPONSE_HEADER,
        STRUCTURE,
        [version, (Tag.TIME_STAMP, 9, int(time.time())), (Tag.BATCH_COUNT, INTEGER, len(items))],
    )
    return binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, [header, *items]))


def _polite_item(item: Item) -> Item:
    operation = child(item, Tag.OPERATION)
    payload: list[Item] = []
    if operation is not None and operation[2] == Operation.DISCOVER_VERSIONS:
        payload = [
            (
                Tag.PROTOCOL_VERSION,
                STRUCTURE,
                [
                    (Tag.PROTOCOL_VERSION_MAJOR, INTEGER, version.major),
                    (Tag.PROTOCOL_VERSION_MINOR, INTEGER, version.minor),
                ],
            )
            for version in reversed(VERSIONS)
            if version <= V2_1
        ]
    return (
        Tag.BATCH_ITEM,
        STRUCTURE,
        [
            *([] if operation is None else [operation]),
            (Tag.RESULT_STATUS, ENUMERATION, int(ResultStatus.SUCCESS)),
            (Tag.RESPONSE_PAYLOAD, STRUCTURE, payload),
        ],
    )
