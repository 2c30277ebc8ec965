"""A structure as bytes before the answer it belongs to is written.

Rule: for what is encrypted or authenticated as TTLV inside a message. Whoever holds a Dialect need not know
of which version it is.
"""

from functools import cache

from strongroom.model.convert import encoder
from strongroom.model.struct import Struct
from strongroom.registry import Tag, Version
from strongroom.wire import binary


class Dialect:
    """Writes structures as the version of one request has them."""

    __slots__ = ("_version",)

    def __init__(self, version: Version) -> None:
        self._version = version

    def encode(self, tag: Tag, value: Struct) -> bytes:
        """Return the TTLV encoding of a structure; raises NotInVersion."""
        return binary.encode((int(tag), 1, encoder(type(value), self._version)(value)))


@cache
def dialect_of(version: Version) -> Dialect:
    """Return the dialect of a version."""
    return Dialect(version)
