"""Which root key the process has that forks others, in memory that it shares with them.

Rule: only that process writes here, and only what is open. Whoever is forked later has root keys from it, and
nothing else may open them; so a root key goes only when it has the one after it.
"""

import mmap
import os

from strongroom.rootkey.envelope import ID_SIZE


class Parent:
    """The process that this was made in, as itself and those that are forked from it see it."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._id = mmap.mmap(-1, ID_SIZE)

    @property
    def is_this(self) -> bool:
        """Tell whether this process is that one."""
        return os.getpid() == self._process

    def has(self, root_id: bytes) -> bool:
        """Tell whether the newest root key that it can use is this one."""
        return self._id[:] == root_id

    def show(self, root_id: bytes | None) -> None:
        """Say which is the newest root key, None while it cannot be used. Ignored in other processes."""
        if self.is_this:
            self._id[:] = bytes(ID_SIZE) if root_id is None else root_id
