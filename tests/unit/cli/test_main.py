"""The command line as a whole: codes, one-line errors, nothing loaded in vain."""

import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.cli import main
from strongroom.cli.exit import ExitCode, Stop, exit_code
from strongroom.client import errors as client
from strongroom.registry import ResultReason, ResultStatus
from strongroom.server.errors import InvalidOption, NotFound, OperatorError, Unreachable


def test_help_lists_every_noun(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == ExitCode.OK
    listed = capsys.readouterr().out
    for name in main.COMMANDS:
        assert f"\n  {name} " in listed


def test_without_a_word_it_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == ExitCode.OK
    assert "Commands:" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("strongroom 0.")


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["init"],
        ["init", "d", "--bogus"],
        ["init", "d", "--listen", "nonsense"],
        ["init", "d", "--https", "nonsense"],
        ["init", "d", "--host", "two words"],
        ["serve", "d", "--workers", "none"],
        ["client"],
        ["client", "enrol", "web", "--data", "d"],
        ["client", "enrol", "web", "--data", "d", "--out", "o", "--username", "u"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error_and_changes_nothing(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(words) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_noun_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    main.run(["serv"])
    assert "'serve'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["bogus"], "strongroom"),
        (["client", "bogus"], "strongroom client"),
        (["client", "enrol", "web"], "strongroom client enrol"),
    ],
)
def test_a_wrong_command_line_is_told_where_its_help_is(
    words: list[str], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(words) == ExitCode.USAGE
    assert capsys.readouterr().err.endswith(f" (see {path} --help)\n")


def test_what_is_neither_a_data_directory_nor_a_profile_is_said_to_be_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever mistypes a profile is not told to make a key manager there."""
    assert main.run(["client", "list", "--profile", str(tmp_path / "proflie")]) == ExitCode.NOT_FOUND
    assert f"there is no {tmp_path / 'proflie'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["join", "none", "--out", "o"], ["map", "m", "--san", "dns:x", "--issuer", "none"]]
)
def test_a_file_that_cannot_be_read_says_why(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["client", *words]) == ExitCode.FAILURE
    assert "No such file or directory" in capsys.readouterr().err


def test_a_foreseen_error_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main.run(["serve", str(tmp_path / "nowhere")]) == ExitCode.NOT_FOUND
    error = capsys.readouterr().err
    assert error.startswith("strongroom: ")
    assert error.count("\n") == 1
    assert "strongroom init" in error


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_with_debug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LookupError("hunter2")

    monkeypatch.setitem(main.COMMANDS, "broken", f"{__name__}:unused")
    module = type("Module", (), {"unused": broken})
    monkeypatch.setattr("strongroom.cli.main.importlib.import_module", lambda _: module)
    assert main.run(["broken"]) == ExitCode.FAILURE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "LookupError" in error
    assert "hunter2" not in error
    assert main.run(["broken", "--debug"]) == ExitCode.FAILURE
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Stop("x", ExitCode.SEALED), ExitCode.SEALED),
        (OperatorError("x"), ExitCode.FAILURE),
        (InvalidOption("x"), ExitCode.USAGE),
        (NotFound("x"), ExitCode.NOT_FOUND),
        (Unreachable("x"), ExitCode.UNREACHABLE),
        (client.ServerUnreachable("x"), ExitCode.UNREACHABLE),
        (client.KMIPError("x"), ExitCode.FAILURE),
        (client.OperationPending(None, None), ExitCode.PENDING_APPROVAL),
        (ValueError("x"), None),
    ],
)
def test_every_error_has_the_exit_code_of_its_kind(error: Exception, code: ExitCode | None) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (ResultReason.ITEM_NOT_FOUND, ExitCode.NOT_FOUND),
        (ResultReason.PERMISSION_DENIED, ExitCode.DENIED),
        (ResultReason.AUTHENTICATION_NOT_SUCCESSFUL, ExitCode.DENIED),
        (ResultReason.INVALID_FIELD, ExitCode.FAILURE),
    ],
)
def test_a_refusal_of_the_server_has_the_exit_code_of_its_reason(
    reason: ResultReason, code: ExitCode
) -> None:
    error = client.failure("x", operation=None, status=ResultStatus.OPERATION_FAILED, reason=reason)
    assert exit_code(error) == code


@pytest.mark.parametrize("noun", ["init", "client"])
def test_a_command_loads_no_other_and_nothing_heavy(noun: str) -> None:
    heavy = ["sqlalchemy", "cryptography", "asyncio", "structlog", "strongroom.engine"]
    others = [name.partition(":")[0] for other, name in main.COMMANDS.items() if other != noun]
    program = (
        "import sys; from strongroom.cli import main; main.run([sys.argv[1], '--help']);"
        f"loaded = [name for name in {heavy + others!r} if name in sys.modules];"
        "sys.exit(', '.join(loaded) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, noun],
        env={"PYTHONPATH": str(Path(main.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def as_process(program: str, redirected: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program with its streams as a shell redirects them."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(main.__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_does_not_take_the_place_of_a_stream_that_is_closed() -> None:
    """What is printed would go into it."""
    program = (
        "from strongroom.cli import main;"
        "main.run = lambda _: print('x') or open(main.__file__).fileno() <= 2; main.main()"
    )
    assert as_process(program, "<&- >&- 2>&-").returncode == 0


def test_output_that_finds_no_room_is_one_line() -> None:
    done = as_process("from strongroom.cli import main; main.main()", ">/dev/full")
    assert done.returncode == ExitCode.FAILURE
    assert done.stderr == "strongroom: cannot write the output: No space left on device\n"


def test_a_character_that_the_output_does_not_have_is_printed_as_an_escape() -> None:
    program = "from strongroom.cli import main; main.run = lambda _: print('\\xfc'); main.main()"
    done = as_process(program, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "\\xfc\n")
