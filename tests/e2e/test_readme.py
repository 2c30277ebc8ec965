"""What the README shows works as it stands."""

import re
import shutil
import subprocess
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


def test_the_request_made_with_curl_works(server: testing.Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (block,) = re.findall(r"^    cd strongroom-data/clients/dev\n((?:    .+\n)+)", FIRST_KEY, re.MULTILINE)
    command = re.sub("^    ", "", block, flags=re.MULTILINE).replace("127.0.0.1:5697", server.https_address)
    done = subprocess.run(
        ["bash", "-c", command], cwd=server.profile.parent, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert '"tag":"ResultStatus","type":"Enumeration","value":"Success"' in done.stdout


def test_the_python_example_works(server: testing.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PROFILE", str(server.profile))
    (example,) = re.findall(r"```python\n(.*?)```", FIRST_KEY, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["material"]) == 32  # type: ignore[arg-type]
