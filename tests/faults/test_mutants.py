"""Whatever is changed in the decision about access, or in the life cycle, a test notices.

Rule: `tests/faults/mutants.toml` lists the mutants that change nothing; no other survives.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def hunt(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "mutate.py"), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_some_mutants_are_noticed() -> None:
    assert int(hunt("--every", "15").split()[0]) > 15


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_all_mutants_are_noticed() -> None:
    assert " of them equivalent" in hunt()
