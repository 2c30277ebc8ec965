"""docs/client.md: its examples run, in their order, and every method has its place in its table."""

import re
from pathlib import Path

import pytest

from strongroom import Client, testing

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
METHODS = PAGE.partition("## The methods")[2].partition("\n\nParameters")[0]
ITSELF = {"batch", "call", "close", "from_profile", "later", "pause", "poll", "submit", "with_profile"}


def test_the_examples_run(server: testing.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PROFILE", str(server.profile))
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/client.md", "exec"), names)


def test_every_method_is_in_the_table() -> None:
    listed = re.findall(r"`(\w+)`", METHODS)
    assert sorted(listed) == sorted({name for name in dir(Client) if not name.startswith("_")} - ITSELF)
