"""The folder of the audit log in a data directory.

Rule: which files there are is said here. All are their owner's alone.

    node                  what this node is called in the audit log
    reads-ROW-NUMBER.log  reads and refusals (`segments`)
    end-ROW               where the segment of a row ends (`heads`)
    checkpoints           signed ends of all chains (`checkpoints`)
"""

import os
import secrets
from pathlib import Path
from typing import Final

NODE: Final = "node"


def open_directory(path: Path) -> str:
    """Make the folder where it is not there yet (0700); return what the node is called. Raises OSError."""
    path.mkdir(mode=0o700, exist_ok=True)
    node = path / NODE
    try:
        descriptor = os.open(node, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return node.read_text(encoding="ascii").strip()
    try:
        os.write(descriptor, secrets.token_hex(8).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path)
    return node.read_text(encoding="ascii").strip()


def sync_directory(path: Path) -> None:
    """Bring to disk which files a directory has. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
