"""Checkpoints: the signed ends of all chains, one after the other in a file.

Rule: a checkpoint says where the chain of changes and every segment ended, in which order checkpoints were
made, and nothing that was not on disk. Anchors get its digest with the end of the chain of changes, signed by
itself, since it is short.

    {"checkpoint":{...},"signature":"..."}      a line of the file
    {"anchor":{...},"signature":"..."}          a line of an anchor
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from strongroom.audit.heads import Published
from strongroom.audit.keys import SigningKey, VerifyingKey
from strongroom.domain.audit import canonical
from strongroom.domain.chain import Head

FILE: Final = "checkpoints"
_PURPOSE: Final = b"strongroom audit 1\n"
"""What is signed begins so: the key signs nothing else."""

NO_DIGEST: Final = "0" * 64
"""What the first checkpoint names as the one before it."""


class NotSigned(Exception):
    """A line is no checkpoint or anchor, or another key has signed it; the message says which."""


class Checkpoint(NamedTuple):
    """The ends of all chains at one moment.

    `number` counts from 1 in each node, `previous` is the digest of the one before it. `changes` is the end
    of the chain of changes. `reads` are the ends of segments: of every row the newest, and before that those
    that ended since the last checkpoint. `removed` are segments that were removed because they were old.
    """

    number: int
    at: int
    node: str
    reason: str
    previous: str
    changes: Head
    reads: tuple[Published, ...]
    removed: tuple[str, ...] = ()

    def line(self, key: SigningKey) -> bytes:
        """Return the checkpoint signed, as a line without its newline."""
        return _signed(
            "checkpoint",
            {
                "at": self.at,
                "changes": _head(self.changes),
                "key": key.public.id,
                "node": self.node,
                "number": self.number,
                "previous": self.previous,
                "reads": [
                    {
                        "head": end.head.hash.hex(),
                        "name": end.name,
                        "records": end.head.position,
                        "size": end.size,
                    }
                    for end in self.reads
                ],
                "reason": self.reason,
                "removed": list(self.removed),
            },
            key,
        )

    def anchor(self, line: bytes, key: SigningKey) -> bytes:
        """Return what an anchor gets, signed, as a line without its newline."""
        said = Anchor(self.number, self.at, self.node, digest(line), self.changes)
        facts = {**said._asdict(), "changes": _head(self.changes), "key": key.public.id}
        return _signed("anchor", facts, key)

    @classmethod
    def read(cls, line: bytes, keys: Sequence[VerifyingKey]) -> "Checkpoint":
        """Return the checkpoint of a line. Raises NotSigned."""
        facts = _verified("checkpoint", line, keys)
        try:
            return cls(
                number=int(facts["number"]),
                at=int(facts["at"]),
                node=str(facts["node"]),
                reason=str(facts["reason"]),
                previous=str(facts["previous"]),
                changes=_to_head(facts["changes"]),
                reads=tuple(
                    Published(
                        str(end["name"]),
                        int(end["size"]),
                        Head(int(end["records"]), bytes.fromhex(end["head"])),
                    )
                    for end in facts["reads"]
                ),
                removed=tuple(map(str, facts["removed"])),
            )
        except (KeyError, TypeError, ValueError):
            raise NotSigned("this is no checkpoint of this release") from None


class Anchor(NamedTuple):
    """What an anchor keeps of a checkpoint; `checkpoint` is the digest of its line."""

    number: int
    at: int
    node: str
    checkpoint: str
    changes: Head

    @classmethod
    def read(cls, line: bytes, keys: Sequence[VerifyingKey]) -> "Anchor":
        """Return what a line says, whatever stands before it: a header of syslog, or a line that was never
        finished. Raises NotSigned."""
        facts = _verified("anchor", _of_anchor(line), keys)
        try:
            return cls(
                int(facts["number"]),
                int(facts["at"]),
                str(facts["node"]),
                str(facts["checkpoint"]),
                _to_head(facts["changes"]),
            )
        except (KeyError, TypeError, ValueError):
            raise NotSigned("this is no anchor of this release") from None


def is_unfinished(line: bytes) -> bool:
    """Tell whether a line is no anchor but perhaps the beginning of one: the disk was full in its middle."""
    try:
        json.loads(_of_anchor(line))
    except (ValueError, RecursionError):
        return True
    return False


def _of_anchor(line: bytes) -> bytes:
    return line[max(line.rfind(b'{"anchor":'), 0) :]


def digest(line: bytes) -> str:
    """Return the digest of a checkpoint's line."""
    return sha256(line).hexdigest()


def _signed(kind: str, facts: Mapping[str, object], key: SigningKey) -> bytes:
    inner = canonical({kind: facts})
    signature = b64encode(key.sign(_PURPOSE + inner)).decode()
    return canonical({kind: facts, "signature": signature})


def _verified(kind: str, line: bytes, keys: Sequence[VerifyingKey]) -> Mapping[str, Any]:
    try:
        said = json.loads(line)
        facts: Mapping[str, Any] = said[kind]
        signature = b64decode(said["signature"], validate=True)
        key_id = facts["key"]
        inner = canonical({kind: facts})
    except (ValueError, KeyError, TypeError, Base64Error, RecursionError):
        raise NotSigned(f"this is no {kind}") from None
    for key in keys:
        if key.id == key_id:
            if key.signed(_PURPOSE + inner, signature):
                return facts
            raise NotSigned(f"the signature of the {kind} does not fit")
    raise NotSigned(f"the {kind} was signed by another key ({key_id!r:.40})")


def _head(head: Head) -> dict[str, object]:
    return {"head": head.hash.hex(), "position": head.position}


def _to_head(facts: Mapping[str, Any]) -> Head:
    return Head(int(facts["position"]), bytes.fromhex(facts["head"]))
