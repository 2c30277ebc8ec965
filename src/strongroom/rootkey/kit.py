"""Recovery kits as people keep them: one file, or one file for each share.

Rule: a kit says in plain words what it is and where it belongs; whatever begins with `#` is for people. It is
made where it is written, and the server never sees it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import shares
from strongroom.rootkey.recovery import IDENTITY_PREFIX, Identity

_HEAD: Final = """\
# Strongroom recovery kit
#
# Made:      {made}
# For:       {name}
# Recipient: {recipient}
#
# Whoever has this {what}, and a copy of the data directory or a backup, can read every key in it.
# Without it, and without the root key, nobody can.
#
#   Keep it    on paper or on a medium of its own, in a safe, away from the server and from its backups.
#   Use it     when the root key is lost (key file gone, passphrase forgotten, token broken):
#                strongroom server root recover --data DIR --kit FILE{more}
#              and to restore a backup to an empty machine.
#   Replace it when somebody may have seen it: strongroom server recovery create --data DIR --out FILE
"""


class Kit(NamedTuple):
    """A kit that was made. `files` are what is to be written, one for each share or just one."""

    recipient: str
    files: tuple[SecretBytes, ...]


def make(split: shares.Split | None, *, made: str, name: str) -> Kit:
    """Make a kit, in shares or whole. `made` and `name` are for people."""
    identity = Identity.generate()
    recipient = identity.recipient
    if split is None:
        head = _HEAD.format(made=made, name=name, recipient=recipient.text, what="file", more="")
        return Kit(recipient.text, (_file(head, identity.text),))
    parts = shares.split_up(identity.text, split, kind=shares.RECOVERY, set_id=recipient.tag.hex())
    more = " --kit FILE ..."
    what = f"file and {split.threshold - 1} of the other {split.total - 1}"
    return Kit(
        recipient.text,
        tuple(
            _file(
                _HEAD.format(made=made, name=name, recipient=recipient.text, what=what, more=more)
                + f"#\n# Share {part.number} of {split.total}; any {split.threshold} of them are needed.\n",
                part.text,
            )
            for part in parts
        ),
    )


def read(files: Iterable[SecretBytes]) -> Identity:
    """Return the identity in the files of a kit. Raises RootKeyError."""
    lines = [line for file in files for line in _lines(file)]
    whole = [line for line in lines if line.startswith(IDENTITY_PREFIX)]
    if whole:
        return Identity(SecretBytes(whole[0].encode()))
    if not lines:
        raise RootKeyError("this is no recovery kit: it has no line with a secret")
    parts = [shares.read(line) for line in lines]
    if any(part.kind != shares.RECOVERY for part in parts):
        raise RootKeyError("these are shares of a root key, not of a recovery kit; use them to unseal")
    return Identity(shares.join(parts))


def _lines(file: SecretBytes) -> list[str]:
    lines = (line.strip() for line in file.reveal().decode(errors="replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _file(head: str, line: SecretBytes) -> SecretBytes:
    return SecretBytes(head.encode() + line.reveal() + b"\n")
