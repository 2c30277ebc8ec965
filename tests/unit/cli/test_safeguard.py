"""Times as people write them, and what they are in seconds."""

import pytest
import typer

from strongroom.cli.safeguard import seconds, written


@pytest.mark.parametrize(
    ("text", "wanted", "shown"),
    [
        ("0", 0, "none"),
        ("45s", 45, "45s"),
        ("30m", 1800, "30m"),
        ("12h", 43_200, "12h"),
        ("7d", 604_800, "7d"),
        ("2w", 1_209_600, "14d"),
        ("90m", 5400, "90m"),
        ("24h", 86_400, "1d"),
    ],
)
def test_a_time_is_read_and_written(text: str, wanted: int, shown: str) -> None:
    assert seconds(text) == wanted
    assert written(wanted) == shown


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5d", "7 d", "7D", "\u0667d", "9999999999d", "1y"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds(text)
