"""Small programs of our own that compute in a process of their own, which can be stopped.

Rule: each is started here, for one thing; it imports nothing of Strongroom and limits itself. What it
was given may be a key, so no error shows it.
"""

import subprocess
import sys
from pathlib import Path


class NoAnswer(Exception):
    """A program refused what it was given, died of it, or took too long."""


def answer_of(program: Path, given: bytes, *, patience: float) -> bytes:
    """Return what a program makes of what it is `given`; slow.

    `patience` is in seconds, for a program that gets no processor time. Raises NoAnswer.
    """
    try:
        return subprocess.run(  # noqa: S603 - our own program; what comes from outside is its input
            [sys.executable, "-I", str(program)],
            input=given,
            capture_output=True,
            check=True,
            timeout=patience,
        ).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        # Either error would show what was given, and what the program said is of no use to a client.
        raise NoAnswer from None
