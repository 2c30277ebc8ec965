"""What stops a server or an administration command.

Rule: the message is one line for the person at the terminal: what is wrong, then what to do. It never holds a
secret. The command line turns each class into an exit code; nothing here knows of one.
"""

from collections.abc import Mapping
from typing import Final

from strongroom.domain.ports import RootKeyError, RootKeySealed, RootKeyUnavailable


class OperatorError(Exception):
    """Something only the operator can put right."""


class InvalidOption(OperatorError):
    """An option of the command line has a value that cannot be."""


class NotFound(OperatorError):
    """What the command names does not exist."""


class Unreachable(OperatorError):
    """A server that should answer does not."""


class DirectoryLocked(OperatorError):
    """Another process works on the data directory."""


class Denied(OperatorError):
    """Whoever asks may not have this done."""


class NothingBegun(OperatorError):
    """It was refused before anything was changed, for certain: what was made for it is for nothing."""


class PendingApproval(OperatorError):
    """It is done once enough people have approved it."""


class Sealed(OperatorError):
    """The server is sealed, or the key that opens it cannot be reached."""


def for_the_operator(error: RootKeyError) -> OperatorError:
    """Return what stops a command, for a root key that did not do what was asked of it."""
    unusable = isinstance(error, RootKeySealed | RootKeyUnavailable)
    return Sealed(str(error)) if unusable else OperatorError(str(error))


_TOLD: Final = {
    cls.__name__: cls
    for cls in (
        OperatorError,
        InvalidOption,
        NotFound,
        Unreachable,
        Denied,
        NothingBegun,
        PendingApproval,
        Sealed,
    )
}


def to_answer(error: Exception) -> dict[str, object]:
    """Return an error as one process tells it to another; what is no OperatorError becomes one."""
    unusable = isinstance(error, RootKeySealed | RootKeyUnavailable)
    return {"error": str(error), "kind": Sealed.__name__ if unusable else type(error).__name__}


def raise_for(answer: Mapping[str, object]) -> None:
    """Return unless an answer of another process is an error, which is raised again."""
    if "error" in answer:
        raise _TOLD.get(str(answer.get("kind")), OperatorError)(str(answer["error"]))
