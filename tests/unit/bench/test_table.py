"""The table of `make bench` says what was measured, and marks what misses its target."""

from dataclasses import replace

from bench import table
from bench.load import Measurement
from bench.table import Scenario

SCENARIO = Scenario(name="get", title="Get", scenario="get", below_pykmip=60, over_echo=4.5)
OURS = Measurement(
    cpu_us=30.0, rate=20_000.0, p50_us=350.0, p99_us=900.0, rss_mib=80.0, errors=0, first_error=""
)
PYKMIP = replace(OURS, cpu_us=2400.0)
ECHO = replace(OURS, cpu_us=10.0)


def test_a_row_holds_both_ratios_and_no_mark_when_the_targets_are_met() -> None:
    line = table.row(SCENARIO, OURS, PYKMIP, ECHO)
    assert "80.0x (>= 60)" in line
    assert "3.00x (<= 4.5)" in line
    assert "!" not in line


def test_a_missed_target_is_marked() -> None:
    line = table.row(SCENARIO, replace(OURS, cpu_us=48.0), PYKMIP, ECHO)
    assert "!  50.0x (>= 60)" in line
    assert "!  4.80x (<= 4.5)" in line


def test_failed_requests_stand_in_the_row() -> None:
    line = table.row(SCENARIO, replace(OURS, errors=3, first_error="op 0xa: status 1"), PYKMIP, ECHO)
    assert line.endswith("3 failed: op 0xa: status 1")


def test_rounds_are_combined_by_their_median_and_their_errors_added() -> None:
    rounds = [replace(OURS, cpu_us=cost, errors=failed) for cost, failed in ((10.0, 1), (90.0, 0), (20.0, 2))]
    combined = table.combined(rounds)
    assert combined.cpu_us == 20.0
    assert combined.errors == 3
