"""Everything that is wrapped by the root key.

Rule: whatever calls `wrap` has a place here, which is what a change of the root key goes through. A test
looks for callers that have none.
"""

from collections.abc import Sequence

from strongroom.domain.ports import RootKey, WrappedKeys
from strongroom.server.backup.parts import sealed_files
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
        found = []
        for name, kind in sealed_files(self._directory):
            path = self._directory.path / name
            found.append(kind.wrapped(path.read_bytes(), str(path)))
        return found

    async def rewrap(self, root_key: RootKey) -> None:
        for name, kind in sealed_files(self._directory):
            path = self._directory.path / name
            content = path.read_bytes()
            if not root_key.is_current(kind.wrapped(content, str(path))):
                write_private(path, kind.seal(kind.open(content, root_key, str(path)), root_key))
