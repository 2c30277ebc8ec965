"""Files that commands read and write.

Rule: `-` is stdin or stdout. What may be secret is written with mode 0600, never over another file unless
asked to, never in the place of what is no file, and never to a terminal unless asked to.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from strongroom.cli.exit import ExitCode, Stop

STREAM: Final = "-"
_MODE: Final = 0o600

ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it is there already.")]
ForceStdoutOption = Annotated[bool, typer.Option("--force-stdout", help="Print to a terminal all the same.")]


def read_bytes(path: str) -> bytes:
    """Return what is in a file; raises Stop."""
    try:
        return sys.stdin.buffer.read() if path == STREAM else Path(path).read_bytes()
    except OSError as exc:
        raise Stop(f"cannot read {path}: {exc.strerror}") from exc


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Give a file that is read bit by bit; raises Stop."""
    if path == STREAM:
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 (closed below)
    except OSError as exc:
        raise Stop(f"cannot read {path}: {exc.strerror}") from exc
    with file:
        yield file


def write_secret(path: str, data: bytes, *, force: bool = False, force_stdout: bool = False) -> None:
    """Write what only the caller may read; raises Stop."""
    if path == STREAM:
        if sys.stdout.isatty() and not force_stdout:
            raise Stop(
                "stdout is a terminal; name a file, redirect it, or say --force-stdout", ExitCode.USAGE
            )
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if force:
        _check_replaceable(path)
    # A replaced file must not keep the mode that it had, and must be there in full or not at all.
    beside = f"{path}.{os.getpid()}.new" if force else path
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError:
        raise Stop(f"{beside} exists already; name another file or say --force") from None
    except OSError as exc:
        raise Stop(f"cannot create {path}: {exc.strerror}") from exc
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        if force:
            os.replace(beside, path)
    except OSError as exc:
        Path(beside).unlink(missing_ok=True)
        raise Stop(f"cannot write {path}: {exc.strerror}") from exc


def _check_replaceable(path: str) -> None:
    # Root could replace /dev/null by a file, or /dev/stdout, and every other program would miss it.
    with suppress(OSError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Stop(f"{path} is no file that could be replaced; name another one")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal, unless `yes`; raises Abort. A script is not asked."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)
