"""How tests run commands: in this process, in a directory of their own."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from strongroom import testing
from strongroom.cli import main
from strongroom.cli.exit import ExitCode


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    raw: bytes
    error: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def identifier(self) -> str:
        """Return the identifier that the command printed, alone on its line."""
        (line,) = self.out.splitlines()
        return line


Run = Callable[..., Result]


@pytest.fixture
def run(
    server: testing.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Run:
    """Return a runner of commands, in this process, in a directory of their own."""
    monkeypatch.setenv("STRONGROOM_PROFILE", str(server.profile))
    monkeypatch.chdir(tmp_path)

    def call(*words: str, stdin: bytes = b"", code: ExitCode = ExitCode.OK) -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        found = main.run(words)
        captured = capsysbinary.readouterr()
        error = captured.err.decode()
        assert found == code, error
        if code is not ExitCode.OK:
            assert captured.out == b""
            assert error.startswith("strongroom: ")
            assert error.count("\n") == 1
        return Result(found, captured.out, error)

    return call
