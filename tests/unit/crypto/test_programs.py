"""Programs that are started for one thing each: what they were given is shown by no error."""

import traceback
from pathlib import Path

import pytest

from strongroom.crypto.programs import NoAnswer, answer_of

SECRET = b"the key that was given"


def program(directory: Path, text: str) -> Path:
    path = directory / "program.py"
    path.write_text(f"import sys, time\ngiven = sys.stdin.buffer.read()\n{text}\n")
    return path


def test_a_program_answers_what_it_is_given(tmp_path: Path) -> None:
    upper = program(tmp_path, "sys.stdout.buffer.write(given.upper())")
    assert answer_of(upper, SECRET, patience=60) == SECRET.upper()


@pytest.mark.parametrize(
    ("text", "patience"),
    [
        ("sys.stdout.buffer.write(given); sys.exit(3)", 60),
        ("raise ValueError(given)", 60),
        ("time.sleep(60)", 0.01),
    ],
)
def test_a_failure_shows_nothing_of_what_was_given(tmp_path: Path, text: str, patience: float) -> None:
    with pytest.raises(NoAnswer) as caught:
        answer_of(program(tmp_path, text), SECRET, patience=patience)
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert SECRET.decode() not in told
