"""What people keep: shares of a root key, and recovery kits.

Rule: it is on disk, in full, before anything depends on it, readable by its owner alone, and never written
over another file.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from strongroom.model.secret import SecretBytes
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.ports import Adapters, NewRoot

_SHARE: Final = "share-{}.txt"


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A recovery kit to be made: the file `out`, or with `split` (M/N) the files `out`.1 to `out`.N."""

    out: Path
    split: str | None = None


class Made(NamedTuple):
    """A root key that was made, and the files that were written for people."""

    root: NewRoot
    paths: list[Path]


@dataclass(frozen=True, kw_only=True)
class RootChoice:
    """Where a root key is to come from; `rootkey/making.py` has the options. `shares_out` is a directory."""

    provider: str = "file"
    options: Mapping[str, Any] = field(default_factory=dict)
    shares_out: Path | None = None

    def make(self, adapters: Adapters, *, generation: int) -> Made:
        """Make the root key and write what people are to keep of it; raises OperatorError."""
        if self.provider != "shares":
            return Made(adapters.make_root_key(self.provider, generation, self.options), [])
        if self.shares_out is None:
            raise InvalidOption("--shares-out is missing: the directory that the shares are written to")
        new = adapters.make_root_key(self.provider, generation, self.options)
        try:
            self.shares_out.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"cannot make {self.shares_out}: {error.strerror}") from error
        paths = [self.shares_out / _SHARE.format(number + 1) for number in range(len(new.shares))]
        files = [SecretBytes(share.reveal() + b"\n") for share in new.shares]
        return Made(new, write_files(_free(paths), files))


def prepare_files(out: Path, count: int) -> list[Path]:
    """Return the names of a kit in `count` files; raises OperatorError when one of them is taken."""
    return _free(
        [out] if count == 1 else [out.with_name(f"{out.name}.{number + 1}") for number in range(count)]
    )


def write_files(paths: Sequence[Path], contents: Iterable[SecretBytes]) -> list[Path]:
    """Write each file (0600), on disk when this returns; all of them or none. Raises OperatorError."""
    written: list[Path] = []
    try:
        for path, content in zip(paths, contents, strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            written.append(path)
            with open(descriptor, "wb") as file:
                file.write(content.reveal())
                file.flush()
                os.fsync(descriptor)
        for folder in {path.parent for path in paths}:
            _sync(folder)
    except OSError as error:
        remove(written)
        raise OperatorError(f"cannot write {error.filename or path}: {error.strerror}") from error
    return written


def remove(paths: Iterable[Path]) -> None:
    """Remove what turned out to be for nothing."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _free(paths: list[Path]) -> list[Path]:
    for path in paths:
        if path.exists():
            raise OperatorError(f"{path} exists already; name another place")
    return paths


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
