"""Everything that is wrapped by the root key.

Rule: whatever calls `wrap` has a place here, which is what a change of the root key goes through. A test
looks for callers that have none.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from strongroom.domain.ports import RootKey, WrappedKeys
from strongroom.server.backup.parts import SealedFile, sealed_files
from strongroom.server.data_directory import DataDirectory, write_private


def places(store_keys: WrappedKeys, directory: DataDirectory) -> Sequence[WrappedKeys]:
    """Return every place; `store_keys` is the one that the store knows."""
    return (store_keys, SealedFiles(directory))


class SealedFiles:
    """The files in the data directory that the root key protects, those that a backup has too."""

    name = "files"

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory

    async def wrapped(self) -> list[bytes]:
        return [kind.wrapped(content, str(path)) for path, kind, content in self._contents()]

    async def rewrap(self, root_key: RootKey) -> None:
        for path, kind, content in self._contents():
            if root_key.is_current(kind.wrapped(content, str(path))):
                continue
            again = kind.seal(kind.open(content, root_key, str(path)), root_key)
            # A command may have put another key there meanwhile, under the newest root key.
            if path.exists() and path.read_bytes() == content:
                write_private(path, again)

    def _contents(self) -> Iterator[tuple[Path, SealedFile, bytes]]:
        for name, kind in sealed_files(self._directory):
            path = self._directory.path / name
            with suppress(FileNotFoundError):  # retired a moment ago
                yield path, kind, path.read_bytes()
