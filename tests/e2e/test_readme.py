"""What the README shows works as it stands."""

import re
from pathlib import Path

import pytest

from strongroom import testing

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
FIRST_KEY = README.partition("## The first key")[2].partition("\n## ")[0]


def test_the_commands_of_the_first_key_work(
    server: testing.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # `key export` writes a file
    commands = re.findall(r"^ +\.venv/bin/strongroom (.+)$", FIRST_KEY, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert server.run(*command.split(), "--profile", str(server.profile))
    assert len((tmp_path / "first.key").read_bytes()) == 32


def test_the_python_example_works(server: testing.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PROFILE", str(server.profile))
    (example,) = re.findall(r"```python\n(.*?)```", FIRST_KEY, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["material"]) == 32  # type: ignore[arg-type]
