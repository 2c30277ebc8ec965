"""A PKCS#11 token for tests: SoftHSM2, with everything in one folder.

Debian: `apt-get install softhsm2`. Where it is not installed, the tests that need it say so and are skipped.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

LABEL: Final = "strongroom"
PIN: Final = "314159"

_LIBRARIES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


class Token:
    """A token in `folder`. Its processes need `environment`."""

    def __init__(self, folder: Path) -> None:
        self.module = _library()
        folder.mkdir(parents=True, exist_ok=True)
        self._tokens = folder / "tokens"
        self._gone = folder / "gone"
        self._tokens.mkdir()
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.pin_file = folder / "pin"
        self.pin_file.touch(mode=0o600)
        self.pin_file.write_text(PIN)
        command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN]
        subprocess.run(
            [*command, "--so-pin", "271828"],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def options(self) -> dict[str, str]:
        """Return what `rootkey.making.make` wants."""
        return {"module": self.module, "token": LABEL, "pin_file": str(self.pin_file)}

    @property
    def arguments(self) -> list[str]:
        """Return what the command line wants."""
        return [
            *("--pkcs11-module", self.module, "--pkcs11-token", LABEL),
            *("--pin-file", str(self.pin_file)),
        ]

    def lose(self) -> None:
        """Take the token out."""
        self._tokens.rename(self._gone)

    def find(self) -> None:
        """Put it back."""
        self._gone.rename(self._tokens)


def _library() -> str:
    found = next((path for path in _LIBRARIES if Path(path).exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed (Debian: apt-get install softhsm2)")
    return found
