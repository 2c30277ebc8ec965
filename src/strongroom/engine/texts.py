"""Responses in JSON and XML.

Rule: a long one is written beside the event loop, as a long request is read: in one go it would hold up all
other clients of the process.
"""

import contextlib

from strongroom.domain.errors import ServerFailure
from strongroom.engine.services import Aside
from strongroom.engine.slices import is_long
from strongroom.registry import Version
from strongroom.wire.encodings import Encoder
from strongroom.wire.item import Item


async def write(response: Item, version: Version, encode: Encoder, aside: Aside | None) -> bytes:
    """Return a response message in an encoding other than TTLV; raises EncodeError."""
    if aside is not None and is_long(response[2]):
        with contextlib.suppress(ServerFailure):  # too much waits for that: then it is done here
            return await aside.run(encode, response, version=version)
    return encode(response, version=version)
