"""`strongroom conform`: options, exit codes, one line for each mistake."""

import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from strongroom.cli.main import run
from strongroom.conformance.target import Target
from strongroom.conformance.template import parse_message
from strongroom.wire import binary
from tests.unit.conformance.conftest import Behaviour, write_profile
from tests.unit.conformance.samples import answer, request, write_case

STAMP = "2023-11-14T22:13:20+00:00"
Start = Callable[[Behaviour], Target]
Command = Callable[..., "Done"]


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    for name in ("STRONGROOM_PROFILE", "STRONGROOM_VECTORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def invoke(*options: object) -> Done:
        code = run(["conform", *map(str, options)])
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    return invoke


def answers_activate(peer: ssl.SSLSocket) -> None:
    while peer.recv(65536):
        peer.sendall(binary.encode(parse_message(answer("Activate").replace("$NOW", STAMP).encode())))


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    folder = tmp_path / "vectors"
    for name, operation in (("XX-M-1-14", "Activate"), ("XX-M-2-14", "Ping"), ("YY-M-1-21", "Activate")):
        write_case(folder, request(operation), answer(operation), name=name)
    return folder


@pytest.fixture
def profile(scripted: Start, tmp_path: Path) -> Path:
    scripted(answers_activate)
    return tmp_path / "profile.toml"


def test_success_is_when_every_case_passes(command: Command, profile: Path, vectors: Path) -> None:
    done = command("--profile", profile, "--vectors", vectors, "--case", "XX-M-1-*")
    assert done.code == 0, done.out
    assert "1 cases: 1 passed." in done.out


def test_a_failed_case_is_exit_code_1(command: Command, profile: Path, vectors: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = command("--profile", profile, "--vectors", vectors, "--version", "1.4", "--report", report)
    assert done.code == 1
    assert "failed XX-M-2-14" in done.out
    assert json.loads(report.read_text())["summary"]["failed"] == 1


def test_a_case_that_was_not_played_is_exit_code_1(command: Command, profile: Path, vectors: Path) -> None:
    write_case(vectors, request("Notify"), answer("Notify"), name="ZZ-M-1-14")
    done = command("--profile", profile, "--vectors", vectors, "--case", "ZZ-*")
    assert done.code == 1
    assert "not played ZZ-M-1-14" in done.out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--version", "1.9"], "1.9"),
        (["--case", "NONE-*"], "no case"),
        (["--report", "report.txt"], ".json or .html"),
        (["--endpoint", "here:0"], "not an address"),
        (["--profile", "none.toml"], "none.toml"),
        (["--encoding", "json"], "names no https address"),
    ],
)
def test_a_wrong_option_is_exit_code_2_and_one_line(
    command: Command, profile: Path, vectors: Path, options: list[str], reason: str
) -> None:
    done = command("--profile", profile, "--vectors", vectors, *options)
    assert done.code == 2
    assert reason in done.err
    assert len(done.err.splitlines()) == 1


def test_vectors_that_do_not_exist_are_exit_code_2(command: Command, profile: Path, tmp_path: Path) -> None:
    done = command("--profile", profile, "--vectors", tmp_path / "none")
    assert done.code == 2


def test_no_server_is_exit_code_6(
    command: Command, certificates: Path, vectors: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    done = command("--profile", write_profile(tmp_path, certificates, port), "--vectors", vectors)
    assert done.code == 6
    assert "cannot connect" in done.err


def test_without_a_profile_the_default_one_is_used(
    command: Command, profile: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PROFILE", str(profile))
    assert command("--vectors", vectors, "--case", "XX-M-1-*").code == 0


def test_no_profile_at_all_is_exit_code_2(command: Command, vectors: Path) -> None:
    done = command("--vectors", vectors)
    assert done.code == 2
    assert "--profile" in done.err
