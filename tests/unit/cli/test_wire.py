"""`strongroom wire decode` on every encoding, on several messages, on none."""

import io
import sys
from pathlib import Path

import pytest

from strongroom.cli import main
from strongroom.cli.exit import ExitCode
from strongroom.registry import V1_4
from strongroom.wire import binary, json, xml
from tests.unit.wire.build import GET_REQUEST, GET_RESPONSE

BINARY = binary.encode(GET_RESPONSE)
MATERIAL = bytes(range(32)).hex()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BINARY, id="binary"),
        pytest.param(BINARY.hex().encode(), id="hex"),
        pytest.param(b":".join(BINARY[i : i + 1].hex().encode() for i in range(len(BINARY))), id="colons"),
        pytest.param(xml.encode(GET_RESPONSE, version=V1_4), id="XML"),
        pytest.param(json.encode(GET_RESPONSE, version=V1_4), id="JSON"),
    ],
)
def test_every_encoding_is_recognised_and_no_secret_shown(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "message"
    file.write_bytes(data)
    assert main.run(["wire", "decode", str(file)]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert printed.startswith("ResponseMessage\n")
    assert "Operation (Enumeration): Get" in printed
    assert "KeyMaterial (ByteString): 32 bytes, not shown" in printed
    assert MATERIAL not in printed


def test_a_stream_of_messages_is_read_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = binary.encode(GET_REQUEST) + BINARY
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main.run(["wire", "decode"]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert printed.index("RequestMessage") < printed.index("ResponseMessage")


@pytest.mark.parametrize(
    ("data", "options", "complaint"),
    [
        (b"hello", [], "say which with --format"),
        (BINARY[:-8], [], "this is no message in binary"),
        (b"<a/>", [], "this is no message in xml"),
        (b"{}", [], "this is no message in json"),
        (BINARY, ["--format", "json"], "this is no message in json"),
        (b"", [], "this is no message in hex"),
    ],
)
def test_what_is_no_message_is_one_line(
    data: bytes, options: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "message"
    file.write_bytes(data)
    assert main.run(["wire", "decode", str(file), *options]) == ExitCode.FAILURE
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
