"""Who made a backup: the server signs it with the key that signs its audit log.

Rule: encryption proves nothing of that, since anybody can encrypt to a recipient. Whoever restores compares
with a copy of `audit.pub` that was kept where the backups are not; a copy in the backup would prove nothing.
"""

from pathlib import Path

from strongroom.audit.keys import NotAnAuditKey, VerifyingKey
from strongroom.server.backup.archive import Signature
from strongroom.server.errors import NotFound, OperatorError


class NotSigned(OperatorError):
    """Somebody else made the backup, or nobody says who did."""


def statement(digest: bytes) -> bytes:
    """Return what is signed, unlike anything else that the key signs; `digest` is that of the backup."""
    return b"strongroom backup\n" + digest


def read_signer(file: Path) -> VerifyingKey:
    """Return the key in a copy of `audit.pub`. Raises OperatorError."""
    try:
        return VerifyingKey.read(file.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no {file}") from None
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from error
    except NotAnAuditKey as error:
        raise OperatorError(f"{file} is no copy of audit.pub: {error}") from error


def check(signature: Signature | None, signer: VerifyingKey) -> None:
    """Return if the server with that key made the backup. Raises NotSigned."""
    if signature is None:
        raise NotSigned(
            "nobody has signed the backup: older releases did not; if one of them made it, leave out --signer"
        )
    if signature.key != signer.id:
        raise NotSigned(f"the backup was made by the server with the key {signature.key}, not {signer.id}")
    if not signer.signed(statement(signature.digest), signature.value):
        raise NotSigned(f"the signature in the backup is not one of the key {signer.id}: it was forged")
