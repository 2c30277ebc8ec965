"""A secret in shares (Shamir): M of N open it, fewer say nothing about it.

Rule: a share is one line of text that says which secret it belongs to, its number, and a check against typing
errors. For root keys the server also keeps a hash of each share. A share is 32 random bytes or more, of which
a hash gives nothing away, and so a wrong one is refused at once, by itself.

    strongroom-share-1:KIND:SET:M-of-N:NUMBER:DATA:CHECK
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from strongroom.domain.errors import CryptographicFailure
from strongroom.domain.galois import Bytes
from strongroom.domain.ports import RootKeyError
from strongroom.domain.sharing import reconstruct, share
from strongroom.model.secret import SecretBytes

MOST_SHARES: Final = 16
ROOT: Final = "root"
RECOVERY: Final = "recovery"
SHARE: Final = "strongroom-share-1"
"""What the line of a share begins with."""

_CHECK_SIZE: Final = 4
_HASH_SIZE: Final = 16
_POLYNOMIAL: Final = 0x11B
_LONGEST: Final = 1024


class WrongShare(RootKeyError):
    """A share that does not belong here; the message says why, and nothing about the others."""


class Split(NamedTuple):
    """M of N."""

    threshold: int
    total: int

    @classmethod
    def parse(cls, text: str) -> "Split":
        """Return what `3/5` says. Raises ValueError."""
        threshold, slash, count = text.partition("/")
        if not slash or not text.isascii() or not threshold.isdecimal() or not count.isdecimal():
            raise ValueError(f"{text!r} is not M/N, such as 3/5")
        split = cls(int(threshold), int(count))
        if not 2 <= split.threshold <= split.total <= MOST_SHARES:
            raise ValueError(f"{text!r}: M and N have to be such that 2 <= M <= N <= {MOST_SHARES}")
        return split


class Share(NamedTuple):
    """One share. `set_id` names the secret that it is a part of (hex), `number` counts from 1."""

    kind: str
    set_id: str
    split: Split
    number: int
    data: SecretBytes

    def __str__(self) -> str:
        return f"share {self.number} of {self.split.total} ({self.kind} {self.set_id})"

    @property
    def text(self) -> SecretBytes:
        """Return the line that somebody keeps."""
        data = base64.urlsafe_b64encode(self.data.reveal()).decode()
        head = f"{SHARE}:{self.kind}:{self.set_id}:{self.split.threshold}-of-{self.split.total}:{self.number}"
        return SecretBytes(f"{head}:{data}:{_check(head, data)}".encode())

    @property
    def hash(self) -> str:
        """Return what the server keeps to recognise the share."""
        bound = f"{SHARE}:{self.kind}:{self.set_id}:{self.number}:".encode()
        return hashlib.sha256(bound + self.data.reveal()).digest()[:_HASH_SIZE].hex()


def split_up(secret: SecretBytes, split: Split, *, kind: str, set_id: str) -> list[Share]:
    """Return the shares of a secret of at least 32 bytes."""
    size = len(secret)
    field = Bytes(size, _POLYNOMIAL)
    coefficients = [int.from_bytes(secret.reveal(), "big")]
    coefficients += [int.from_bytes(os.urandom(size), "big") for _ in range(split.threshold - 1)]
    return [
        Share(
            kind, set_id, split, number, SecretBytes(share(field, coefficients, number).to_bytes(size, "big"))
        )
        for number in range(1, split.total + 1)
    ]


def read(text: str) -> Share:
    """Return the share in a line of text; spaces around it do not matter. Raises WrongShare."""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        prefix, kind, set_id, of, number, data, check = text.strip().split(":")
        threshold, _, count = of.partition("-of-")
        split = Split.parse(f"{threshold}/{count}")
        if prefix != SHARE or check != _check(":".join((prefix, kind, set_id, of, number)), data):
            raise ValueError
        share_ = Share(kind, set_id, split, int(number), SecretBytes(base64.urlsafe_b64decode(data)))
        if not 1 <= share_.number <= split.total or len(share_.data) < 32:
            raise ValueError
    except (ValueError, binascii.Error):
        raise WrongShare("this is no share, or a character of it is wrong; copy the whole line") from None
    return share_


def join(shares: Iterable[Share]) -> SecretBytes:
    """Return the secret of enough different shares of one set. Raises WrongShare."""
    points = {one.number: one for one in shares}
    some = next(iter(points.values()))
    if any(
        (one.kind, one.set_id, one.split) != (some.kind, some.set_id, some.split) for one in points.values()
    ):
        raise WrongShare("these shares belong to different secrets")
    if len(points) < some.split.threshold:
        raise WrongShare(f"{some.split.threshold} different shares are needed, here are {len(points)}")
    size = len(some.data)
    if any(len(one.data) != size for one in points.values()):
        raise WrongShare("these shares do not fit together")
    values = {number: int.from_bytes(one.data.reveal(), "big") for number, one in points.items()}
    try:
        secret = reconstruct(Bytes(size, _POLYNOMIAL), values, some.split.threshold)
    except CryptographicFailure:
        raise WrongShare("these shares do not fit together: one of them was altered") from None
    return SecretBytes(secret.to_bytes(size, "big"))


def parameters(shares: Sequence[Share]) -> dict[str, Any]:
    """Return what the server keeps of the shares of a root key."""
    split = shares[0].split
    return {
        "threshold": split.threshold,
        "count": split.total,
        "hashes": [one.hash for one in shares],
    }


class Collection:
    """The shares of one root key that have been brought so far, in memory only."""

    def __init__(self, set_id: str, kept: Mapping[str, Any]) -> None:
        self._set_id = set_id
        try:
            self.needed = int(kept["threshold"])
            self._hashes = [str(one) for one in kept["hashes"]]
        except (KeyError, ValueError, TypeError) as error:
            raise RootKeyError(
                "the record of the root key is damaged; restore root.json from its backup"
            ) from error
        self._shares: dict[int, Share] = {}

    @property
    def brought(self) -> int:
        return len(self._shares)

    def belongs(self, one: Share) -> bool:
        """Tell whether a share says that it is of this root key."""
        return one.kind == ROOT and one.set_id == self._set_id

    def add(self, one: Share) -> None:
        """Take a share. Raises WrongShare."""
        if not self.belongs(one):
            raise WrongShare(
                "this share belongs to another root key, an older one perhaps, "
                f"and not to {self._set_id}; bring one of that"
            )
        kept = self._hashes[one.number - 1] if one.number <= len(self._hashes) else ""
        if one.split.threshold != self.needed or not hmac.compare_digest(kept, one.hash):
            raise WrongShare("this share is not one of those that were given out")
        if one.number in self._shares:
            raise WrongShare(f"share {one.number} has been brought already; bring another one")
        self._shares[one.number] = one

    def secret(self) -> SecretBytes | None:
        """Return the root key once there are enough shares, and forget them; None before."""
        if len(self._shares) < self.needed:
            return None
        shares, self._shares = list(self._shares.values()), {}
        return join(shares)

    def forget(self) -> None:
        """Start again with none."""
        self._shares = {}


def _check(head: str, data: str) -> str:
    return hashlib.sha256(f"{head}:{data}".encode()).digest()[:_CHECK_SIZE].hex()
