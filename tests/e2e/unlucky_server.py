"""The whole server, out of descriptors while a file is there: `python -m tests.e2e.unlucky_server`."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

from strongroom.cli import main

NO_PAIRS = "no-pairs"
"""A file in the data directory; as long as it is there, its number of pairs of sockets is made at most."""


def be_unlucky(directory: Path) -> None:
    """Have this process, and none of its children, find no descriptors."""
    original, own = socket.socketpair, os.getpid()

    def socketpair(*arguments: Any, **keywords: Any) -> Any:
        file = directory / NO_PAIRS
        if os.getpid() == own and file.exists():
            left = int(file.read_text())
            if not left:
                raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
            file.write_text(str(left - 1))
        return original(*arguments, **keywords)

    socket.socketpair = socketpair


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        be_unlucky(Path(sys.argv[2]))
    main.main()
