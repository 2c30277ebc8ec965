"""The server and its commands, which die at one step of a change of the root key: `python -m ... STEP ...`.

Everything is real but that: at the step, the whole server gets SIGKILL, as if the power had gone. Store keys
are replaced after a few uses, so that there are many of them; passphrases are stretched for a short time.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from strongroom.cli import main
from strongroom.rootkey import passphrase
from strongroom.rootkey.place import Place
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.root.places import SealedFiles
from strongroom.store import sealing
from strongroom.store.store_keys import StoredStoreKeys

NEVER: Final = "never"
STEPS: Final = (
    "the key file is written",
    "both root keys are in the record",
    "some store keys are wrapped again",
    "store keys are wrapped again",
    "everything is wrapped again",
    "the newer one is alone in the record",
    "its key file has its place",
)


def die() -> None:
    """End the server: its children die with it."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(step: str) -> None:
    """Let this process and those it forks die at a step."""
    match step:
        case "the key file is written":
            _after(StoredKeyring, "_keep", lambda *_: True)
        case "both root keys are in the record":
            _after(Place, "write_records", lambda _, records: len(records) == 2)
        case "some store keys are wrapped again":
            _after_some(StoredStoreKeys)
        case "store keys are wrapped again":
            _after(StoredStoreKeys, "rewrap", lambda _, root_key: root_key.changing, asynchronous=True)
        case "everything is wrapped again":
            _after(SealedFiles, "rewrap", lambda _, root_key: root_key.changing, asynchronous=True)
        case "the newer one is alone in the record":
            _after(Place, "write_records", lambda _, records: len(records) == 1)
        case "its key file has its place":
            _before_last(Place)


def _after(cls: type, name: str, when: Callable[..., bool], *, asynchronous: bool = False) -> None:
    inner = getattr(cls, name)

    def wrapped(*arguments: Any) -> Any:
        result = inner(*arguments)
        if when(*arguments):
            die()
        return result

    async def awaited(*arguments: Any) -> Any:
        result = await inner(*arguments)
        if when(*arguments):
            die()
        return result

    setattr(cls, name, awaited if asynchronous else wrapped)


def _after_some(cls: type) -> None:
    """Die when the first commit of several is on disk."""
    from strongroom.store import store_keys

    vars(store_keys)["_BATCH"] = 2
    inner = cls.rewrap  # type: ignore[attr-defined]

    async def rewrap(self: Any, root_key: Any) -> None:
        commit = self._backend.commit

        async def once(changes: Any) -> None:
            await commit(changes)
            if root_key.changing and changes.store_keys_rewrapped:
                die()

        self._backend.commit = once
        await inner(self, root_key)

    cls.rewrap = rewrap  # type: ignore[attr-defined]


def _before_last(cls: type) -> None:
    """Die before the last step, once a change has been completed."""
    inner = cls.write_records  # type: ignore[attr-defined]

    def write(self: Any, records: Any) -> None:
        inner(self, records)
        if len(records) == 1:
            cls.clear_up = lambda *_: die()  # type: ignore[attr-defined]

    cls.write_records = write  # type: ignore[attr-defined]


if __name__ == "__main__":
    sealing.SEALS_PER_PROCESS = 2  # type: ignore[misc]
    passphrase.MEMORY_KIB = 1024  # type: ignore[misc]
    die_at(sys.argv[1])
    sys.exit(main.run(sys.argv[2:]))
