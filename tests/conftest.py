"""Commands run inside the test process."""

import pytest


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sets up the logs of its process for good; this process has other tests to run."""
    monkeypatch.setattr("strongroom.server.logs.configure_logs", lambda **_: None)
