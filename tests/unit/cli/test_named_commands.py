"""Commands that sentences tell people to give: each is there, with the options that it needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

import strongroom
from strongroom.cli import main

SOURCES: Final = Path(strongroom.__file__).parent
TOLD: Final = re.compile(r": strongroom ([^;,()`]+)")
"""What follows a colon is to be typed; it ends where the sentence goes on."""


def sentences() -> Iterator[tuple[str, str]]:
    """Give each text in the sources with its place; what is filled in is `X`."""
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text())
        parts = {
            id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                pieces = (v.value if isinstance(v, ast.Constant) else "X" for v in node.values)
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", "".join(map(str, pieces))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", node.value


COMMANDS: Final = [
    pytest.param(found[1].split(), id=f"{place} {found[1]}")
    for place, sentence in sentences()
    for found in TOLD.finditer(" ".join(sentence.split()))
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_people_are_told_to_give_is_there(words: list[str]) -> None:
    command: Any = typer.main.get_command(main._application(main.COMMANDS))
    left = list(words)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]
    assert "--help" in left or not hasattr(command, "commands"), "it is only the beginning of a command"
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    given = [options[word] for word in left if word.startswith("--") and word != "--help"]
    missing = [
        p.opts[0] for p in command.params if p.required and p.opts[0].startswith("-") and p not in given
    ]
    assert missing == []


def test_there_are_such_sentences() -> None:
    assert len(COMMANDS) > 40
