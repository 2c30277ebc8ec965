"""The data directory: where everything of one installation lies, who may read it, who works on it.

Rule: every path in the directory is named here, and nobody opens the directory without the checks made here.

    strongroom.toml   configuration            root.key          root key (0600)
    ca.pem            internal CA              ca.key            its key, wrapped by the root key
    server.pem        server certificate       server.key        its key (0600)
    root.json         which root keys there are, and how each is opened; absent while it is root.key
    root-N.key        root key N while it takes the place of root.key
    root.lock         held while root.json or recovery.pub is changed
    recovery.pub      whom the recovery kit belongs to (an age recipient)
    unseal.json       attempts to unseal that were refused
    policy.cedar      what an administrator forbids beyond rules; absent where nothing is
    lock              held while a server or an administration command works
    admin.sock        administration of the live server (0600)
    worker-N.sock     where worker N takes requests that others pass on (0600)
    clients/          what `dev` enrols
    authorities/      older CAs that are still trusted, and their keys, wrapped by the root key
    crl.pem           certificates of the internal CAs that are revoked
    audit/            audit log: reads, checkpoints (0700)
    audit.pub         verifies checkpoints     audit.key         signs them, wrapped by the root key
    clients.sealed    there once the client records in the store are sealed
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final

from strongroom.server.config import FILE_NAME, TlsSettings
from strongroom.server.errors import DirectoryLocked, NotFound, OperatorError

_SECRET_FILES: Final = ("root.key", "root.json", "ca.key", "server.key", "audit.key")
_SOCKET_PATH_LIMIT: Final = 107
_HALF: Final = re.compile(r"\..+\.([0-9]+)")
"""What `_write` calls a file that is not whole yet; ends with the number of the process."""

_LARGEST_PID: Final = 1 << 22
"""A number beyond is no process: somebody has named a copy after a date."""

PATIENCE: Final = 10.0
"""Seconds for another process to put a key in its place."""

HARMLESS: Final = frozenset({"lost+found"})
"""What may lie in a directory that counts as empty."""


class DataDirectory:
    """Paths of one data directory. Make one with `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def configuration(self) -> Path:
        return self.path / FILE_NAME

    @property
    def root_key(self) -> Path:
        return self.path / "root.key"

    @property
    def root_keys(self) -> Path:
        return self.path / "root.json"

    @property
    def root_lock(self) -> Path:
        return self.path / "root.lock"

    @property
    def recovery(self) -> Path:
        return self.path / "recovery.pub"

    @property
    def unseal_attempts(self) -> Path:
        return self.path / "unseal.json"

    @property
    def ca_certificate(self) -> Path:
        return self.path / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.path / "ca.key"

    @property
    def server_certificate(self) -> Path:
        return self.path / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.path / "server.key"

    @property
    def audit(self) -> Path:
        return self.path / "audit"

    @property
    def audit_key(self) -> Path:
        return self.path / "audit.key"

    @property
    def audit_public(self) -> Path:
        return self.path / "audit.pub"

    @property
    def restrictions(self) -> Path:
        return self.path / "policy.cedar"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def admin_path(self) -> Path:
        return self.path / "admin.sock"

    @property
    def older_authorities(self) -> Path:
        return self.path / "authorities"

    def older_authority(self, fingerprint: str) -> Path:
        return self.older_authorities / f"{fingerprint[:16]}.pem"

    def older_authority_key(self, fingerprint: str) -> Path:
        return self.older_authorities / f"{fingerprint[:16]}.key"

    @property
    def revocation_list(self) -> Path:
        return self.path / "crl.pem"

    def external_lists(self, settings: TlsSettings) -> Path | None:
        """Return the file with the revocation lists of other authorities, None for none."""
        return None if settings.client_crl is None else self.path / settings.client_crl

    @property
    def clients_sealed(self) -> Path:
        return self.path / "clients.sealed"

    def worker_socket(self, row: int) -> Path:
        return self.path / f"worker-{row}.sock"

    @property
    def clients(self) -> Path:
        return self.path / "clients"

    @classmethod
    def create(cls, path: Path) -> "DataDirectory":
        """Make the directory (0700); raises OperatorError when it holds anything.

        It counts as a data directory once its configuration is written, which is therefore done last.
        """
        path = path.absolute()
        make_empty(path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "DataDirectory":
        """Return an existing data directory after checking owner and modes; raises OperatorError."""
        path = path.absolute()
        try:
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                raise OperatorError(f"{path} is not a directory; name the one that `strongroom init` made")
            (path / FILE_NAME).stat()
        except FileNotFoundError as error:
            raise NotFound(f"{path} holds no data directory; make one: strongroom init {path}") from error
        except OSError as error:
            raise OperatorError(f"cannot open {path}: {error.strerror}") from error
        _check_private(path, status)
        for name in _SECRET_FILES:
            with contextlib.suppress(FileNotFoundError):
                _check_private(path / name, (path / name).stat())
        return cls(path)

    def lock(self, *, patience: float = 1.0) -> int:
        """Take the lock and return its descriptor; it is held until every process that inherits it is gone.

        Waits `patience` seconds, since the children of a server that was killed need a moment to go too.
        Raises DirectoryLocked, and OperatorError, also for root in a directory of somebody else: whoever has
        the lock writes files there, which the owner could not read.
        """
        owner = self.path.stat().st_uid
        if os.geteuid() != owner:
            raise OperatorError(
                f"{self.path} belongs to user {owner}; run this as that user: sudo -u '#{owner}'"
            )
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"cannot open {self.lock_file}: {error.strerror}") from error
        if not _lock(descriptor, patience):
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise DirectoryLocked(
                f"{self.path} is in use by process {holder or '(unknown)'}; stop that one first"
            )
        _sign(descriptor)
        return descriptor

    def alone(self, *, patience: float = PATIENCE) -> contextlib.AbstractContextManager[object]:
        """Keep every other process from making, replacing or removing a key that the root key protects.

        For moments, and not while the root keys are held. Raises DirectoryLocked when another one does so for
        longer than `patience`, and OperatorError.
        """
        return _held(self.path, os.O_RDONLY | os.O_DIRECTORY, patience)

    @contextlib.contextmanager
    def root_keys_alone(self, *, patience: float = PATIENCE) -> Iterator[None]:
        """Keep every other process from changing root keys and the recovery kit; raises as `alone` does."""
        with _held(self.root_lock, os.O_RDWR | os.O_CREAT, patience) as descriptor:
            _sign(descriptor)
            yield

    def sweep(self) -> list[Path]:
        """Remove the halves of files that processes have left which were killed while they wrote.

        For whoever holds the lock. Returns what was removed.
        """
        found = [
            entry
            for folder in (self.path, self.older_authorities)
            for entry in folder.glob(".*")
            if (half := _HALF.fullmatch(entry.name)) is not None
            and int(half[1]) <= _LARGEST_PID
            and not Path("/proc", half[1]).exists()
        ]
        with contextlib.suppress(OSError):
            for entry in found:
                entry.unlink()
        return found

    @contextlib.contextmanager
    def admin_socket(self) -> Iterator[str]:
        """Give the administration socket's path in a form that fits into a socket address.

        The kernel takes 107 bytes; a longer path is reached through a descriptor of the directory.
        """
        plain = os.fspath(self.admin_path)
        if len(os.fsencode(plain)) <= _SOCKET_PATH_LIMIT:
            yield plain
            return
        descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.admin_path.name}"
        finally:
            os.close(descriptor)


def make_empty(path: Path, *, but: Set[str] = frozenset()) -> None:
    """Make a directory (0700) that holds nothing `but` these files; raises OperatorError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = {entry.name for entry in path.iterdir()} - HARMLESS - but
        if FILE_NAME in held:
            raise OperatorError(f"{path} already holds a data directory; start it: strongroom serve {path}")
        if held:
            raise OperatorError(
                f"{path} is not empty and not a complete data directory; name another one, or empty it"
            )
        path.chmod(0o700)
    except OSError as error:
        raise OperatorError(f"cannot make {path}: {error.strerror}") from error


@contextlib.contextmanager
def _held(path: Path, flags: int, patience: float) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(f"cannot open {path}: {error.strerror}") from error
    try:
        if not _lock(descriptor, patience):
            raise DirectoryLocked(f"another process changes keys at this moment ({path}); try again")
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, patience: float) -> bool:
    """Take a lock within `patience` seconds; False when another process has it."""
    give_up = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            time.sleep(0.02)
        else:
            return True


def _sign(descriptor: int) -> None:
    """Write into a lock who has it, if there is room for that."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads (0600), whole or not at all, and flush it to disk."""
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Write a file that anybody may read (0644), whole or not at all, and flush it to disk."""
    _write(path, content, 0o644)


def sync_directory(path: Path) -> None:
    """Bring to disk which files are in a directory; raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        cure = "; free some space and run the command again" if error.errno == errno.ENOSPC else ""
        raise OperatorError(f"cannot write {path}: {error.strerror}{cure}") from error


def _check_private(path: Path, status: os.stat_result) -> None:
    uid = os.geteuid()
    if uid not in (0, status.st_uid):
        raise OperatorError(
            f"{path} belongs to user {status.st_uid}, this is user {uid}; "
            f"run as its owner, or: chown {uid} {path}"
        )
    if status.st_mode & 0o077:
        wanted = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise OperatorError(
            f"{path} is open to other users (mode {status.st_mode & 0o7777:04o}); run: chmod {wanted} {path}"
        )
