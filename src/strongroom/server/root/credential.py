"""Passphrases, from wherever they may come.

Rule: a secret is never an argument or an environment variable; it is typed, or it is in a file that only its
owner may read. A service manager gives it in a directory of credentials (systemd: LoadCredential=).
"""

import getpass
import os
import stat
import sys
from pathlib import Path
from typing import Final

from strongroom.model.secret import SecretBytes
from strongroom.server.errors import InvalidOption, OperatorError

CREDENTIAL: Final = "strongroom-passphrase"
_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
_LONGEST: Final = 4096


class PassphraseSource:
    """Where this process gets the passphrase that opens the root key. Raises OperatorError.

    `file` goes first, then the credential of the service manager, then whoever sits at the terminal; he is
    asked once and not again by a server that runs.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._asked = False

    def ask_no_more(self) -> None:
        """Leave whoever sits at the terminal alone from now on: a server that runs waits for nobody."""
        self._asked = True

    def __call__(self) -> SecretBytes | None:
        """Return the passphrase, None when there is nobody to ask."""
        if self._file is not None:
            return read_passphrase(self._file)
        credentials = os.environ.get(_VARIABLE)
        if credentials and (Path(credentials) / CREDENTIAL).exists():
            # Who may read it is the service manager's business, which uses access lists.
            return read_passphrase(Path(credentials) / CREDENTIAL, private=False)
        if self._asked or not sys.stdin.isatty():
            return None
        self._asked = True
        return ask("Passphrase of the root key: ")


def ask(question: str, *, twice: bool = False) -> SecretBytes:
    """Ask at the terminal without showing what is typed; raises OperatorError."""
    if not sys.stdin.isatty():
        raise InvalidOption("there is no terminal to ask at; give --passphrase-file")
    try:
        typed = getpass.getpass(question)
        if twice and getpass.getpass("Once more: ") != typed:
            raise OperatorError("the two are not the same; try again")
    except EOFError:
        raise OperatorError("no passphrase was typed") from None
    return SecretBytes(typed.encode(errors="surrogateescape"))


def read_passphrase(path: Path, *, private: bool = True) -> SecretBytes:
    """Return the first line of a file, or of a descriptor (`/dev/fd/3`); raises OperatorError."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if private and stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                raise OperatorError(f"others may read the passphrase in {path}; run: chmod 600 {path}")
            line = file.readline(_LONGEST + 1)
    except OSError as error:
        raise OperatorError(f"cannot read the passphrase in {path}: {error.strerror}") from error
    passphrase = line.rstrip(b"\r\n")
    if not passphrase or len(passphrase) > _LONGEST:
        raise OperatorError(f"{path} holds no passphrase of 1 to {_LONGEST} bytes in its first line")
    return SecretBytes(passphrase)
