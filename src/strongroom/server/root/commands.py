"""What the command line does about root keys, beyond asking a server.

Rule: secrets are made here, in the process of whoever holds them; the server is told what it needs, through
the administration socket. Each command may be killed at any point and be given again. What only its caller
has, shares or a kit, is removed only when it is certain that nothing depends on it and nothing ever will.
"""

import asyncio
import base64
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.secret import SecretBytes
from strongroom.server.admin import call, call_server
from strongroom.server.app import StrongroomAdapters
from strongroom.server.config import load_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import (
    Denied,
    DirectoryLocked,
    NothingBegun,
    OperatorError,
    PendingApproval,
    Sealed,
)
from strongroom.server.messages import Message
from strongroom.server.root.credential import ask, read_passphrase
from strongroom.server.root.files import Kit, RootChoice, prepare_files, remove, write_files

_PAUSE: Final = 0.5
_FINISH_WITHIN: Final = 300.0
_LONGEST_FILE: Final = 1 << 16

_NOTHING_BEGUN: Final = (Denied, DirectoryLocked, NothingBegun, PendingApproval)
"""After any other error what was asked for may have been done, or be done soon by the server itself."""


def unseal(directory: DataDirectory, *, shares: Sequence[Path], passphrase_file: Path | None) -> object:
    """Bring shares, or a passphrase, to a sealed server, and return its status; raises OperatorError."""
    request: Message = {"command": "unseal"}
    if shares:
        request["shares"] = [line for path in shares for line in _lines(path)]
    elif passphrase_file is not None:
        request["passphrase"] = _as_text(read_passphrase(passphrase_file))
    else:
        waiting = cast(Message, call_server(directory, {"command": "status"})).get("unsealing")
        if waiting == "passphrase":
            request["passphrase"] = _as_text(ask("Passphrase of the root key: "))
    return call_server(directory, request)


def provider_now(directory: DataDirectory) -> str:
    """Return where the root key comes from; raises OperatorError."""
    return str(_status(directory)["provider"])


def rotate(directory: DataDirectory, choice: RootChoice) -> Message:
    """Make a root key and have it take over; raises OperatorError."""
    adapters = StrongroomAdapters()
    before = _ready(directory)
    new, kept = choice.make(adapters, generation=cast(int, before["generation"]) + 1)
    which = f"root key {new.described['id']}"
    shares = f"; keep its shares in {kept[0].parent}" if kept else ""
    request: Message = {"command": "root.rotate", "record": new.described}
    if new.secret is not None:
        request["secret"] = base64.b64encode(new.secret.reveal()).decode()
    look = "look in an hour whether it does: strongroom server root status --data DIR"
    _begin(directory, request, kept, unsure=f"{which} may take over all the same{shares}, and {look}")
    return _go_on(directory, sure=f"{which} takes over all the same{shares}")


def finish(directory: DataDirectory) -> Message:
    """Wait until nothing is under the older root key any more; raises OperatorError."""
    give_up = time.monotonic() + _FINISH_WITHIN
    while True:
        done = cast(Message, call(directory, StrongroomAdapters(), {"command": "root.finish"}))
        if done["finished"]:
            return _status(directory)
        if time.monotonic() > give_up:
            raise OperatorError(
                "the older root key is still needed; the server goes on by itself, "
                "look at: strongroom server root status --data DIR"
            )
        time.sleep(_PAUSE)


def create_recovery(directory: DataDirectory, kit: Kit) -> Message:
    """Make a recovery kit and have everything wrapped for it; raises OperatorError."""
    adapters = StrongroomAdapters()
    _ready(directory)
    paths = prepare_files(kit.out, 1 if kit.split is None else int(kit.split.partition("/")[2] or 1))
    made = adapters.make_recovery_kit(kit.split, name=str(directory.path))
    write_files(paths, made.files)
    request: Message = {"command": "recovery.create", "recipient": made.recipient}
    look = f"look whether {made.recipient} is named: strongroom server status"
    _begin(
        directory, request, paths, unsure=f"keep the kit, {paths[0]}: it may count all the same, and {look}"
    )
    return _go_on(
        directory, sure=f"the kit, {paths[0]}, counts; the server wraps everything for it by itself"
    )


def recover(directory: DataDirectory, kit: Sequence[Path], choice: RootChoice) -> Message:
    """Open what is wrapped with the kit and put it under a new root key; raises OperatorError."""
    adapters = StrongroomAdapters()
    lock = directory.lock()
    try:
        settings = load_settings(directory.configuration)
        adapters.check_store(settings, directory)
        try:
            return asyncio.run(adapters.recover(settings, directory, [_read(path) for path in kit], choice))
        except (RootKeyError, StoreFailure) as error:
            raise OperatorError(str(error)) from error
        except OSError as error:
            raise OperatorError(f"cannot change {error.filename}: {error.strerror}; give it again") from error
    finally:
        os.close(lock)


def _status(directory: DataDirectory) -> Message:
    return cast(Message, call(directory, StrongroomAdapters(), {"command": "root.status"}))


def _ready(directory: DataDirectory) -> Message:
    """Return how the root keys are once a new one, or a kit, can be made; raises OperatorError.

    A change that was begun is finished first: without a server nobody else does.
    """
    found = _status(directory)
    if not all(key["open"] for key in cast(list[Message], found["root_keys"])):
        raise Sealed(f"the root key is not open; bring it: strongroom serve {directory.path}")
    return finish(directory) if found["changing"] else found


def _begin(directory: DataDirectory, request: Message, made: Sequence[Path], *, unsure: str) -> None:
    """Have a change begun that `made` is for; raises OperatorError, saying `unsure` where that is so."""
    try:
        call(directory, StrongroomAdapters(), request)
    except _NOTHING_BEGUN:
        remove(made)  # it opens nothing; the next try makes another
        raise
    except OperatorError as error:
        raise type(error)(f"{error}; {unsure}") from error


def _go_on(directory: DataDirectory, *, sure: str) -> Message:
    """Have a change finished that was begun; raises OperatorError, saying that it was."""
    try:
        return finish(directory)
    except OperatorError as error:
        raise type(error)(f"{error}; {sure}") from error


def _lines(path: Path) -> list[str]:
    lines = _as_text(_read(path)).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _read(path: Path) -> SecretBytes:
    try:
        with (Path("/dev/stdin") if str(path) == "-" else path).open("rb") as file:
            return SecretBytes(file.read(_LONGEST_FILE))
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error


def _as_text(secret: SecretBytes) -> str:
    return secret.reveal().decode(errors="surrogateescape")
