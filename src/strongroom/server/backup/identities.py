"""Who can open a backup: identities for reading one.

Rule: what an identity file says is never repeated in a message.

    KIT   an age identity file: lines of AGE-SECRET-KEY-1..., comments behind #; or several files with a share
          each (`rootkey/kit.py`)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyrage
from pyrage import x25519

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import kit
from strongroom.rootkey.shares import SHARE
from strongroom.server.errors import NotFound, OperatorError

_MAX_FILE: Final = 64 << 10


def read_identities(files: Sequence[Path]) -> list[x25519.Identity]:
    """Return the identities in these files. Raises NotFound and OperatorError."""
    found: list[x25519.Identity] = []
    parts: list[SecretBytes] = []
    for file in files:
        lines = _lines(_read(file))
        if lines and all(line.startswith(SHARE) for line in lines):
            parts += (SecretBytes(line.encode()) for line in lines)
            continue
        for number, line in enumerate(lines, 1):
            try:
                found.append(x25519.Identity.from_str(line))
            except pyrage.IdentityError:
                raise OperatorError(
                    f"{file} is no age identity file: line {number} (without comments) is none"
                ) from None
        if not lines:
            raise OperatorError(f"{file} holds no age identity")
    if parts:
        try:
            whole = kit.read(parts).text
        except RootKeyError as error:
            raise OperatorError(str(error)) from error
        found.append(x25519.Identity.from_str(whole.reveal().decode()))
    return found


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE + 1)
        if len(content) > _MAX_FILE:
            raise OperatorError(f"{file} is too long for an age identity file")
        return content.decode()
    except FileNotFoundError:
        raise NotFound(f"there is no {file}") from None
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise OperatorError(f"{file} is no age identity file: it is not text") from None


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
