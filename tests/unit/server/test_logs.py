"""Log lines."""

import io
import sys

import pytest
import structlog

from strongroom.server.logs import configure_logs, get_logger


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\x9b2J", "one\nother", "\u202eabc"])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_client_cannot_command_the_terminal_that_shows_the_log(
    text: str, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", shown)
    before = structlog.get_config()
    try:
        configure_logs()
        get_logger().info("client_message", text=text)
    finally:
        structlog.configure(**before)
    assert "client_message" in shown.getvalue()
    assert text not in shown.getvalue()
