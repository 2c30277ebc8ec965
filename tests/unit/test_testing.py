"""The throw-away server of `strongroom.testing`, where it does not do what was asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from strongroom import testing

SAYS_NOTHING = (sys.executable, "-c", "import time; time.sleep(600)")
SAYS_NO = (sys.executable, "-c", "import sys; sys.exit('no port is free')")


@pytest.fixture(autouse=True)
def _real_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "subprocess", subprocess)


def test_a_server_that_never_says_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "START_TIMEOUT", 0.2)
    server = testing.Server(tmp_path, command=SAYS_NOTHING)
    with pytest.raises(testing.ServerFailed, match="did not start"):
        server.start()
    with pytest.raises(testing.ServerFailed, match="is not running"):
        _ = server.process


def test_a_server_that_ends_at_once_has_failed_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(testing.ServerFailed, match="no port is free"):
        testing.Server(tmp_path, command=SAYS_NO).start()
