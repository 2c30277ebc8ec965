"""The key that signs checkpoints of the audit log, in a data directory.

Rule: made once, at `init` or at the first start of a directory that has none, and never replaced by itself:
a log that another key goes on signing proves nothing. The private part is sealed like that of the CA, the
public part is for everybody.
"""

from strongroom.audit.keys import NotAnAuditKey, SigningKey, VerifyingKey
from strongroom.domain.ports import RootKey
from strongroom.server.certificates.ca import open_key, seal_key
from strongroom.server.data_directory import DataDirectory, write_private, write_public
from strongroom.server.errors import OperatorError


def create_audit_key(directory: DataDirectory, root_key: RootKey) -> SigningKey:
    """Make the key. Raises OperatorError and RootKeyError."""
    private = SigningKey.new()
    key = SigningKey(private)
    # The private part comes last: it alone says that there is a key.
    write_public(directory.audit_public, key.public.pem())
    write_private(directory.audit_key, seal_key(private, root_key))
    return key


def open_audit_key(directory: DataDirectory, root_key: RootKey) -> SigningKey:
    """Return the key; a directory of an older release gets one. Raises OperatorError and RootKeyError."""
    path = directory.audit_key
    if not path.exists():
        with directory.alone():  # the workers of a first start would make a key each
            if not path.exists():
                if directory.audit_public.exists() and (directory.audit / "checkpoints").exists():
                    raise OperatorError(f"{path} is missing; restore it from a backup")
                return create_audit_key(directory, root_key)
    try:
        private = open_key(path.read_bytes(), root_key, str(path))
        key = SigningKey(private)
        if not directory.audit_public.exists():
            write_public(directory.audit_public, key.public.pem())
        if VerifyingKey.read(directory.audit_public.read_bytes()).id != key.public.id:
            raise OperatorError(
                f"{directory.audit_public} is not the public part of {path}; restore both from one backup"
            )
    except OSError as error:
        raise OperatorError(f"cannot read {error.filename}: {error.strerror}") from error
    except NotAnAuditKey as error:
        raise OperatorError(f"{path} or {directory.audit_public}: {error}; restore both") from error
    return key
