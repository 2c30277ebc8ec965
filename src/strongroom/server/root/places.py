"""Everything that is wrapped by the root key.

Rule: whatever calls `wrap` has a place here, which is what a change of the root key goes through. A test
looks for callers that have none.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from strongroom.domain.ports import RootKey, WrappedKeys
from strongroom.server.backup.parts import RECIPIENT, SealedFile, sealed_files
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import DirectoryLocked, OperatorError

_MOMENT: Final = 0.5
"""Seconds that a look waits for somebody who puts a key in its place."""


def places(
    store_keys: WrappedKeys, directory: DataDirectory, *, without: Container[str] = ()
) -> Sequence[WrappedKeys]:
    """Return every place; `store_keys` is the one that the store knows, `without` are files left out."""
    return (store_keys, SealedFiles(directory, without=without))


def wrapped_files(directory: DataDirectory) -> Sequence[bytes]:
    """Return what the root key has wrapped of the files that were always under it; skips damaged ones."""
    found = []
    for name, kind in sealed_files(directory):
        with suppress(OSError, OperatorError):
            path = directory.path / name
            wrapped = None if name == RECIPIENT else kind.wrapped(path.read_bytes(), str(path))
            found += [] if wrapped is None else [wrapped]
    return found


class SealedFiles:
    """The files in the data directory that the root key protects, those that a backup has too."""

    name = "files"

    def __init__(self, directory: DataDirectory, *, without: Container[str] = ()) -> None:
        self._directory = directory
        self._without = without

    async def wrapped(self) -> list[bytes]:
        return [wrapped for *_, wrapped in self._contents()]

    async def rewrap(self, root_key: RootKey) -> None:
        for path, kind, content, wrapped in self._contents():
            if root_key.is_current(wrapped):
                continue
            again = kind.seal(kind.open(content, root_key, str(path)), root_key)
            # A command may have put another key there meanwhile, under the newest root key, or a new kit. Who
            # hangs while it does so is not waited for: the next look sees what is left.
            with (
                suppress(DirectoryLocked),
                self._directory.alone(patience=_MOMENT),
                self._directory.root_keys_alone(patience=_MOMENT),
            ):
                if path.exists() and path.read_bytes() == content:
                    write_private(path, again)

    async def is_lasting(self, root_key: RootKey) -> bool:
        # What is written is on disk. A key may be on its way that is wrapped already.
        with suppress(DirectoryLocked), self._directory.alone(patience=_MOMENT):
            return all(root_key.is_current(wrapped) for *_, wrapped in self._contents())
        return False

    def _contents(self) -> Iterator[tuple[Path, SealedFile, bytes, bytes]]:
        for name, kind in sealed_files(self._directory):
            path = self._directory.path / name
            if name in self._without:
                continue
            with suppress(FileNotFoundError):  # retired a moment ago
                content = path.read_bytes()
                wrapped = kind.wrapped(content, str(path))
                if wrapped is not None:
                    yield path, kind, content, wrapped
