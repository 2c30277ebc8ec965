"""The ports of a server, from its start to its end.

Rule: a port that was bound once stays bound. While the server is sealed it is held and not listened on, so
that no other program takes it and whoever connects is refused at once.
"""

import contextlib
import socket
from collections.abc import Sequence
from itertools import chain

from strongroom.server.address import OFF, Address, Listening, parse_listening
from strongroom.server.listening.sockets import ListeningSockets, bind, reserve


class HeldPorts:
    """Ports for so many workers, each with listening sockets of its own."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._sockets: list[ListeningSockets] = []
        self._reserved: list[socket.socket] = []
        self.where: Listening

    def of(self, slot: int) -> ListeningSockets:
        """Return the sockets of the worker in a slot."""
        return self._sockets[slot]

    def listen(self, kmip_at: str, https_at: str) -> None:
        """Bind the ports and listen; raises OperatorError."""
        kmip, kmip_sockets = self._bind(kmip_at, "--listen")
        https, https_sockets = self._bind(https_at, "--https")
        self.where = Listening(kmip, https)
        self._sockets = list(map(ListeningSockets, kmip_sockets, https_sockets))

    def stop_listening(self) -> None:
        """Let go of the listening sockets and keep the ports; raises OperatorError."""
        for sock in self._listening():
            sock.close()
        self._sockets = []
        self._reserved = [reserve(address) for address in self.where if address is not None]

    def listen_again(self) -> None:
        """Listen where it was listened before; raises OperatorError."""
        self._let_go()
        self.listen(*(str(address or OFF) for address in self.where))

    def shut(self) -> None:
        """Have clients that come now refused at once, so that they try another server."""
        for sock in self._listening():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._let_go()

    def _listening(self) -> list[socket.socket]:
        return list(filter(None, chain.from_iterable(self._sockets)))

    def _let_go(self) -> None:
        for sock in self._reserved:
            sock.close()
        self._reserved = []

    def _bind(
        self, where: str, option: str
    ) -> tuple[Address, Sequence[socket.socket]] | tuple[None, Sequence[None]]:
        """Return the address and a listening socket for each worker."""
        address = parse_listening(where)
        if address is None:
            return None, [None] * self._workers
        return bind(address, self._workers, option)
