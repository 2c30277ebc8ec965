"""What holds for every test: the processes it starts, and commands that run inside its own."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from strongroom import testing
from tests import preloaded

# How long an example takes is up to the machine. All else stays as it is set there.
settings.register_profile(
    "any machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# What is imported a thousand times is compiled once, also where nobody wants to find compiled modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session", autouse=True)
def _the_program_is_loaded_once() -> Iterator[None]:
    """Servers and commands are forks of a process that has loaded the program, see `tests/preloaded.py`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "subprocess", preloaded)
        yield


@pytest.fixture(scope="module")
def new_processes() -> Iterator[None]:
    """Servers and commands of a module are loaded as those of users are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "subprocess", subprocess)
        yield


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sets up the logs of its process for good; this process has other tests to run."""
    monkeypatch.setattr("strongroom.server.logs.configure_logs", lambda **_: None)
