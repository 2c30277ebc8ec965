"""Renew `constraints.txt`: the exact versions that an installation from this repository uses.

`python tools/pin.py` installs the project with its extras into a fresh environment, without
constraints, and writes down what came. Run the suite before committing the result.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
HEADER = (
    "# Made by tools/pin.py (`make constraints`): what CI installs. Edit pyproject.toml, not this file.\n"
)

# What builds the project; installed beside it, since a build in isolation could not be pinned.
BUILD = ("hatchling", "editables")


def newest() -> list[str]:
    """Return `name==version` of every package that the newest releases bring."""
    with tempfile.TemporaryDirectory(prefix="strongroom-pin-") as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *BUILD], check=True)
        subprocess.run(
            [*pip, "install", "--quiet", "--no-build-isolation", "--editable", ".[dev]"], cwd=ROOT, check=True
        )
        frozen = subprocess.run(
            [*pip, "freeze", "--exclude-editable"], check=True, capture_output=True, text=True
        ).stdout
    pins = sorted(frozen.splitlines(), key=str.lower)
    if local := [pin for pin in pins if "==" not in pin]:
        raise SystemExit(f"these did not come from a package registry and cannot be pinned: {local}")
    return pins


def main() -> int:
    pins = newest()
    TARGET.write_text(HEADER + "".join(f"{pin}\n" for pin in pins))
    print(f"{TARGET.name}: {len(pins)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
