"""A data directory that is being made.

Rule: it is filled under its lock and by one process. Whoever fails removes what it has made, as long as the
lock is its own; whoever does not get the lock removes nothing.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from strongroom.server.data_directory import HARMLESS, DataDirectory, make_empty
from strongroom.server.errors import OperatorError


@contextlib.contextmanager
def reserve(path: Path) -> Iterator[DataDirectory]:
    """Make the directory as `DataDirectory.create` does, and hold its lock until the end of the block.

    When the block raises, whatever was made in the directory is removed, and the directory too if it is new.
    Raises OperatorError.
    """
    path, existed = path.absolute(), path.exists()
    directory = DataDirectory(path)
    own = frozenset({directory.lock_file.name})
    make_empty(path, but=own)
    descriptor = directory.lock()
    try:
        if not _is_locked(directory, descriptor):
            raise OperatorError(f"{path} was removed by another process; run the command again")
        # Somebody may have made a data directory of it before the lock was ours.
        make_empty(path, but=own)
        try:
            yield directory
        except BaseException:
            if _is_locked(directory, descriptor):
                _remove_all(directory, keep=existed)
            raise
    finally:
        os.close(descriptor)


def _is_locked(directory: DataDirectory, descriptor: int) -> bool:
    """Tell whether the lock file is still the one that was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), directory.lock_file.stat())
    except OSError:
        return False


def _remove_all(directory: DataDirectory, *, keep: bool) -> None:
    """Remove what is in a directory, the lock last, and the directory itself unless to `keep`."""
    with contextlib.suppress(OSError):
        lock = directory.lock_file
        for entry in [*(entry for entry in directory.path.iterdir() if entry != lock), lock]:
            if entry.name in HARMLESS:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    entry.unlink()
        if not keep:
            directory.path.rmdir()
