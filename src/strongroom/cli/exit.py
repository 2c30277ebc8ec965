"""Exit codes of every command, and which error means which.

Rule: a command stops by raising. The message is one line that says what is wrong and what to do; the class
decides the code, here and nowhere else. An error that is not listed is a mistake of ours.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell apart."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    PENDING_APPROVAL = 5
    UNREACHABLE = 6
    SEALED = 7


class Stop(Exception):
    """End the command with a message on stderr and this exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILURE) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: BaseException) -> ExitCode | None:
    """Return the exit code for an error that was foreseen, None for any other."""
    if isinstance(error, Stop):
        return error.code
    # Only a command that has failed needs these.
    from strongroom.client import errors as client
    from strongroom.domain.approvals import NEEDS
    from strongroom.server import errors as server

    # KMIP has no reason for it: the sentence tells.
    if isinstance(error, client.PermissionDenied) and error.message.startswith(NEEDS):
        return ExitCode.PENDING_APPROVAL
    for cls, code in (
        (server.InvalidOption, ExitCode.USAGE),
        (server.NotFound, ExitCode.NOT_FOUND),
        (server.Denied, ExitCode.DENIED),
        (server.PendingApproval, ExitCode.PENDING_APPROVAL),
        (server.Sealed, ExitCode.SEALED),
        (server.Unreachable, ExitCode.UNREACHABLE),
        (server.OperatorError, ExitCode.FAILURE),
        (client.InvalidSettings, ExitCode.USAGE),
        (client.ObjectNotFound, ExitCode.NOT_FOUND),
        (client.PermissionDenied, ExitCode.DENIED),
        (client.AuthenticationFailed, ExitCode.DENIED),
        (client.OperationPending, ExitCode.PENDING_APPROVAL),
        (client.ServerUnreachable, ExitCode.UNREACHABLE),
        (client.KMIPError, ExitCode.FAILURE),
    ):
        if isinstance(error, cls):
            return code
    return None
