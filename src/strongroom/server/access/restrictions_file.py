"""The file `policy.cedar`, as the supervisor follows it for all workers.

Rule: nobody else reads it while a server runs, so that a worker that starts late has what the others have. A
file that cannot be used, is empty or is gone changes nothing, and is an alarm; only a server that starts
without a file does without restrictions.
"""

import time
from pathlib import Path
from typing import Final

from strongroom.server.access.restrictions import require_cedar
from strongroom.server.access.trial import count_policies
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

log = get_logger()

LONGEST: Final = 4 << 20
"""Bytes of the file."""

TRY_AGAIN: Final = 30.0
"""Seconds after which a file that could not be used is tried again, though it has not changed: it may have
been the machine that had no room."""

_Stamp = tuple[int, int, int, int]


class RestrictionsFile:
    """What is in force, and what is wrong with the file since then."""

    def __init__(self, file: Path) -> None:
        """Read the file as a server does that starts; raises OperatorError."""
        self._file = file
        self._seen: object = self._stamp()
        self.text: str | None = None if self._seen is None else read_policies(file)
        self.problem: str | None = None
        self._tried_at = 0.0

    def follow(self) -> bool:
        """Look at the file, and tell whether something else is in force now."""
        try:
            # Before it is read: what is written meanwhile is seen by the next look.
            stamp: object = self._stamp()
        except OperatorError as error:
            stamp = str(error)
        same, now = stamp == self._seen, time.monotonic()
        if same and (self.problem is None or now < self._tried_at + TRY_AGAIN):
            return False
        self._seen = stamp
        try:
            text = self._read_again()
        except OperatorError as error:
            self._tried_at = time.monotonic()  # it may have taken long
            if not same or self.problem != str(error):
                log.error("restrictions_refused", error=str(error), kept="the ones before")
            self.problem = str(error)
            return False
        self.problem = None
        if text == self.text:
            return False
        self.text = text
        log.info("restrictions_followed", file=str(self._file))
        return True

    def _read_again(self) -> str | None:
        if self._stamp() is not None:
            return read_policies(self._file)
        if self.text is not None:
            raise OperatorError(f"{self._file} is gone; restart the server to do without restrictions")
        return None

    def _stamp(self) -> _Stamp | None:
        """Return what changes with the file, None when there is none; raises OperatorError."""
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"cannot read {self._file}: {error.strerror}") from error
        return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def policies_at_rest(file: Path) -> str | None:
    """Return what a server that started now would enforce, None without a file; raises OperatorError."""
    return RestrictionsFile(file).text


def read_policies(file: Path) -> str:
    """Return the text of a file that holds policies; raises OperatorError for any other one."""
    require_cedar(f"for {file}")
    try:
        with file.open("rb") as opened:
            content = opened.read(LONGEST + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot read {file}: {error}") from error
    if len(content) > LONGEST:
        raise OperatorError(f"{file} has more than {LONGEST} bytes")
    try:
        policies = count_policies(text)
    except OperatorError as error:
        raise OperatorError(f"{file} cannot be used: {error}") from error
    if not policies:
        raise OperatorError(
            f"{file} holds no policy, as if it had been cut off; to do without restrictions, remove it and"
            " restart the server"
        )
    return text
