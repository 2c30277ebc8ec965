"""Administration: through the socket of a live server, or alone on a directory that none is using.

Rule: whoever administers, the same code decides, and when a command returns, its change is in force. The
socket belongs to the user of the server (0600), and being able to open it is all the authentication there is.
"""

import asyncio
import contextlib
import os
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from strongroom.domain.ports import RootKeyError, RootKeySealed, RootKeyUnavailable
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.server.administration.command import Administrator, perform
from strongroom.server.config import load_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import DirectoryLocked, OperatorError, Sealed, Unreachable, raise_for, to_answer
from strongroom.server.logs import get_logger
from strongroom.server.messages import BrokenMessage, Message, MessageReader, encode
from strongroom.server.ports import Adapters
from strongroom.server.recording import BY_USER

log = get_logger()

ANSWER_TIMEOUT: Final = 60.0
_RECEIVE: Final = 1 << 16
_STARTING_PATIENCE: Final = 5.0
"""Seconds to wait for a server that holds the lock but does not listen yet."""


def call(directory: DataDirectory, adapters: Adapters, request: Message) -> object:
    """Have a request done by the live server, or by this process if there is none.

    Raises OperatorError; Unreachable when a server runs but does not answer.
    """
    give_up = time.monotonic() + _STARTING_PATIENCE
    while True:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return _call_server(directory, request)
        try:
            lock = directory.lock(patience=0.1)
        except DirectoryLocked:
            if time.monotonic() > give_up:
                raise
            continue
        try:
            return _work_alone(directory, adapters, request)
        finally:
            os.close(lock)


def call_server(directory: DataDirectory, request: Message) -> object:
    """Have a request done by the live server, sealed or not.

    Raises OperatorError, Unreachable when no server runs.
    """
    try:
        return _call_server(directory, request)
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unreachable(
            f"no server runs on {directory.path}; start it: strongroom serve {directory.path}"
        ) from None


def _call_server(directory: DataDirectory, request: Message) -> object:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_TIMEOUT)
        with directory.admin_socket() as address:
            connection.connect(address)
        reader = MessageReader()
        try:
            connection.sendall(encode(request))
            while data := connection.recv(_RECEIVE):
                for answer in reader.feed(data):
                    return result_of(answer)
        except (OSError, BrokenMessage) as error:
            raise Unreachable(
                f"the server on {directory.path} does not answer ({error}); it may still do it: look at its"
                " log, and before you repeat the command"
            ) from error
    raise Unreachable(
        f"the server on {directory.path} stopped before it answered, and may have done it: start it, and look"
        " before you repeat the command"
    )


def _user(connection: socket.socket) -> int:
    """Return the user at the other end of a Unix socket."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(user)


def _work_alone(directory: DataDirectory, adapters: Adapters, request: Message) -> object:
    settings = load_settings(directory.configuration)
    adapters.check_store(settings, directory)
    root_key = adapters.open_root_key(directory)
    if root_key.sealed:
        raise Sealed(
            f"no server runs on {directory.path}, and somebody has to bring its root key; start it:"
            f" strongroom serve {directory.path}"
        )

    async def run() -> object:
        opened = await adapters.open_administration(settings, directory, root_key)
        admin = Administrator(
            clients=opened.clients,
            store=opened.store,
            directory=directory,
            settings=settings,
            root_key=root_key,
            now=datetime.now(UTC).replace(microsecond=0),
            live=None,
            wrapped=opened.wrapped,
        )
        try:
            return await perform(admin, request)
        finally:
            await opened.close()

    try:
        return asyncio.run(run())
    except (RootKeySealed, RootKeyUnavailable) as error:
        raise Sealed(str(error)) from error
    except (StoreFailure, TamperedRecord, RootKeyError) as error:
        raise OperatorError(str(error)) from error


def result_of(answer: Message) -> object:
    """Return the result in an answer; raises what the other process raised."""
    raise_for(answer)
    return answer.get("result")


class AdminSocket:
    """The listening end, in the supervisor: collects requests, and answers them one by one."""

    def __init__(self, directory: DataDirectory, selector: selectors.BaseSelector) -> None:
        self._path = directory.admin_path
        self._selector = selector
        self._requests: deque[tuple[socket.socket, Message]] = deque()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            with directory.admin_socket() as address:
                self._listener.bind(address)
            # Nobody can connect before `listen`, so the socket is never open to others.
            self._path.chmod(0o600)
            self._listener.listen()
        except OSError as error:
            raise OperatorError(f"cannot make {self._path}: {error.strerror}") from error
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def waiting(self) -> bool:
        """Tell whether there is a request to answer."""
        return bool(self._requests)

    def serve(self, answer: Callable[[Message], object]) -> None:
        """Answer one of the requests that have arrived whole: each may take its time."""
        if self._requests:
            connection, request = self._requests.popleft()
            reply: Message = {}
            try:
                reply["result"] = answer(request)
            except (OperatorError, BrokenMessage, RootKeyError, ValueError) as error:
                reply = to_answer(error)
            except Exception:
                # A mistake in a command must not take the server down.
                log.exception("admin_command_failed", command=request.get("command"))
                reply["error"] = "the server could not do it; its log says why"
            connection.settimeout(1.0)
            with contextlib.suppress(OSError):
                connection.sendall(encode(reply))
            connection.close()

    def close(self) -> None:
        """Stop listening and remove the socket file."""
        with contextlib.suppress(OSError):  # the next server removes it
            self._path.unlink(missing_ok=True)
        self._selector.unregister(self._listener)
        self._listener.close()

    def leave(self) -> None:
        """In a child process: let go of the descriptor."""
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            # It left again.
            return
        connection.setblocking(False)
        reader = MessageReader()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(connection, reader))

    def _receive(self, connection: socket.socket, reader: MessageReader) -> None:
        try:
            data = connection.recv(_RECEIVE)
            requests = list(reader.feed(data))
        except (OSError, BrokenMessage):
            data, requests = b"", []
        if requests:
            self._requests.append((connection, {**requests[0], BY_USER: _user(connection)}))
        if requests or not data:
            self._selector.unregister(connection)
        if not requests and not data:
            connection.close()
