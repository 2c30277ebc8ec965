"""docs/configuration.md says what the configuration takes."""

import re
from pathlib import Path

from strongroom.server.config import ClientSettings, Settings, setting_names

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_every_setting_is_documented_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    declared = {name for name in setting_names(Settings) if not _is_section(name)}
    declared |= {f"client.NAME.{name}" for name in setting_names(ClientSettings)}
    assert documented == declared


def _is_section(name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in setting_names(Settings)) or name == "client"
