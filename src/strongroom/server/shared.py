"""Numbers that all workers see: how many connections each of them has, and each client, tenant and address.

Rule: every cell has one writer, the worker whose row it is in, so nothing is locked; a reader may see the
past. The memory is made before the workers fork. The supervisor gives out the rows, and clears the row of a
worker that has died.

The kernel spreads connections over the workers by chance. A worker that accepts one while another has fewer
hands it on through the other's inbox, so that each ends with the same number.
"""

import hashlib
import mmap
import secrets
import socket
from typing import Final

from strongroom.domain.identity import ClientId
from strongroom.server.guesses import GuessMemory
from strongroom.server.logs import get_logger

log = get_logger()

COUNTED: Final = 1 << 16
GUESTS: Final = 1 << 12
"""The last cells of clients, which are for invited guests; no new client has one of them."""

_TENANTS: Final = 1 << 12
_ADDRESSES: Final = 1 << 16
"""Cells for each. Numbers beyond share cells, so such clients may meet their cap early."""

_GROUPS: Final = (COUNTED, _TENANTS, _ADDRESSES)

_WORD: Final = 8


class SharedNumbers:
    """The memory and the inboxes of at most `rows` workers at once. Make it before forking."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._memory = mmap.mmap(-1, _WORD * rows * (2 + 2 * rows) + 4 * rows * sum(_GROUPS))
        view = memoryview(self._memory)
        ends = [_WORD * rows, _WORD * rows * 2, _WORD * rows * (2 + rows), _WORD * rows * (2 + 2 * rows)]
        self.accepting = view[: ends[0]].cast("q")
        self.live = view[ends[0] : ends[1]].cast("q")
        self.sent = view[ends[1] : ends[2]].cast("q")
        """Connections handed on: cell `from * rows + to`, written by `from`."""
        self.taken = view[ends[2] : ends[3]].cast("q")
        """Connections taken: cell `to * rows + from`, written by `to`."""
        cells = view[ends[3] :].cast("I")
        self.clients = cells[: rows * COUNTED]
        """Connections of a client: cell `row * COUNTED + client`; tenants and addresses alike."""
        self.tenants = cells[rows * COUNTED : rows * (COUNTED + _TENANTS)]
        self.addresses = cells[rows * (COUNTED + _TENANTS) :]
        self.secret = secrets.token_bytes(16)
        """So that nobody can choose an address that shares its cell with another one."""
        self.guesses = GuessMemory(rows)
        self.inboxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(rows)]
        for pair in self.inboxes:
            for end in pair:
                end.setblocking(False)

    def clear(self, row: int) -> None:
        """Forget a worker that is gone, together with the connections that still wait in its inbox."""
        self.accepting[row] = 0
        self.live[row] = 0
        for cells, size in zip((self.clients, self.tenants, self.addresses), _GROUPS, strict=True):
            cells[row * size : (row + 1) * size] = memoryview(bytes(4 * size)).cast("I")
        self.guesses.clear(row)
        while _take(self.inboxes[row][0]) is not None:
            continue
        for other in range(self.rows):
            self.taken[row * self.rows + other] = self.sent[other * self.rows + row]


class Seat:
    """One worker's view of the shared numbers: it writes its own row and reads the others."""

    def __init__(self, numbers: SharedNumbers, row: int) -> None:
        self._numbers = numbers
        self._row = row

    @property
    def inbox(self) -> socket.socket:
        """Return where connections from other workers arrive; see `take`."""
        return self._numbers.inboxes[self._row][0]

    @property
    def live(self) -> int:
        """Return the connections of this worker, handshakes included."""
        return self._numbers.live[self._row]

    @live.setter
    def live(self, count: int) -> None:
        self._numbers.live[self._row] = count

    def accept(self, accepting: bool) -> None:
        """Tell the others whether this worker takes connections."""
        self._numbers.accepting[self._row] = accepting

    def lightest(self) -> int | None:
        """Return the accepting worker with fewest connections, None when it is this one."""
        numbers, rows, own = self._numbers, self._numbers.rows, self._row
        best, least = None, numbers.live[own]
        for row in range(rows):
            if row != own and numbers.accepting[row]:
                # What this worker has sent and the other has not seen yet counts as there.
                on_the_way = numbers.sent[own * rows + row] - numbers.taken[row * rows + own]
                load = numbers.live[row] + on_the_way
                if load < least:
                    best, least = row, load
        return best

    def hand_on(self, connection: socket.socket, row: int, door: int) -> bool:
        """Give a connection to another worker; False when its inbox is full.

        `door` is the number of the listener that it came in by, the same in all workers.
        """
        try:
            socket.send_fds(self._numbers.inboxes[row][1], [bytes([self._row, door])], [connection.fileno()])
        except OSError:
            return False
        self._numbers.sent[self._row * self._numbers.rows + row] += 1
        connection.close()
        return True

    def take(self) -> tuple[socket.socket, int] | None:
        """Return the next connection from the inbox and its door, None when there is none."""
        while (taken := _take(self.inbox)) is not None:
            sender, door, connection = taken
            self._numbers.taken[self._row * self._numbers.rows + sender] += 1
            if connection is not None:
                return connection, door
            log.error("connection_lost", cure="raise the limit of open files")
        return None


class ConnectionCounts:
    """How many connections each client, tenant or address has in all workers together."""

    def __init__(self, cells: "memoryview[int]", row: int, rows: int) -> None:
        self._cells = cells
        self._size = len(cells) // rows
        self._rows = range(0, rows * self._size, self._size)
        self._own = row * self._size

    def enter(self, number: int, limit: int | None) -> bool:
        """Count one more connection, unless there are `limit` (None: no limit)."""
        if limit is not None and self.total(number) >= limit:
            return False
        self._cells[self._own + number % self._size] += 1
        return True

    def leave(self, number: int) -> None:
        """Count one connection less."""
        self._cells[self._own + number % self._size] -= 1

    def total(self, number: int) -> int:
        """Return the connections in all workers."""
        cell, cells = number % self._size, self._cells
        return sum(cells[row + cell] for row in self._rows)

    def share(self, number: int) -> float:
        """Return which part of them this worker has; 1.0 where there are none."""
        total = self.total(number)
        return self._cells[self._own + number % self._size] / total if total else 1.0


def counts_of(
    numbers: SharedNumbers, row: int
) -> tuple[ConnectionCounts, ConnectionCounts, ConnectionCounts]:
    """Return the counts of clients, tenants and addresses, as one worker sees them."""
    groups = (numbers.clients, numbers.tenants, numbers.addresses)
    clients, tenants, addresses = (ConnectionCounts(cells, row, numbers.rows) for cells in groups)
    return clients, tenants, addresses


def guest_number(invitation: str) -> ClientId:
    """Return the number that whoever holds an invitation is counted under, in all workers.

    `invitation` is the fingerprint of the token's key. The number is below 0: no object or rule names it.
    """
    number = int.from_bytes(hashlib.blake2b(invitation.encode(), digest_size=6).digest())
    block, cell = divmod(number, GUESTS)
    return ClientId(-1 - block * COUNTED - cell)


def address_number(numbers: SharedNumbers, host: str) -> int:
    """Return the number that an address is counted under."""
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=4, key=numbers.secret).digest())


def _take(inbox: socket.socket) -> tuple[int, int, socket.socket | None] | None:
    """Return who sent the next connection, its door and the connection; None in its place when this process
    had no descriptor for it, and the kernel has closed it."""
    try:
        data, descriptors, _, _ = socket.recv_fds(inbox, 2, 1)
    except BlockingIOError:
        return None
    return data[0], data[1], socket.socket(fileno=descriptors[0]) if descriptors else None
