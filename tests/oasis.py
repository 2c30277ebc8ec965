"""Where the OASIS test cases are.

Rule: a test that needs them says plainly why it is skipped; nothing else decides about the folder.
"""

import os
from pathlib import Path

import pytest

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "kmip" / "oasis"


def folder() -> Path:
    """Return the folder of the test cases, or skip the test."""
    named = os.environ.get("STRONGROOM_VECTORS")
    found = Path(named) if named else BESIDE_THE_REPOSITORY
    if not found.is_dir():
        pytest.skip(f"the OASIS test cases are not at {found}; set STRONGROOM_VECTORS to their folder")
    return found
