"""Administration of a Strongroom server from another machine.

Rule: the transport of the client library with another path. What a request means, and what an error in the
answer stands for, is known to whoever calls.
"""

import json
from typing import Final

from strongroom.client.errors import InvalidSettings, ProtocolError
from strongroom.client.failover import Attempts, BrokenLink, ServerList
from strongroom.client.http import HttpFraming
from strongroom.client.profile import Profile
from strongroom.client.sync import Link
from strongroom.client.tls import make_context
from strongroom.client.transport import Transport, make_binding

PATH: Final = "/admin"
MEDIA_TYPE: Final = "application/json"

LONGEST_ANSWER: Final = 16 << 20
"""Bytes of an answer."""

TIMEOUT: Final = 60.0
"""Seconds: a command waits for every worker to follow it."""


def administer(profile: Profile, request: dict[str, object]) -> dict[str, object]:
    """Return the answer to a request, sent with the certificate of a profile.

    The servers are tried in turn until one takes it; it is never sent again after that. Raises
    InvalidSettings and KMIPError.
    """
    if not profile.https:
        raise InvalidSettings(
            "the profile names no https address, and administration from another machine needs it"
        )
    servers = ServerList(make_binding(Transport.HTTPS).servers(profile.https))
    context = make_context(cert=profile.cert, key=profile.key, ca=profile.ca)
    message = json.dumps(request).encode()
    attempts = Attempts(servers, repeatable=False)
    while True:
        server = attempts.next_server()
        try:
            framing = HttpFraming(server, path=PATH, media_type=MEDIA_TYPE, longest=LONGEST_ANSWER)
            link = Link(server, context, framing, TIMEOUT)
        except BrokenLink as broken:
            attempts.failed(server, broken)
            continue
        try:
            return _read(link.exchange(message))
        except BrokenLink as broken:
            attempts.failed(server, broken)
        finally:
            link.close()


def _read(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise ProtocolError("the answer is no JSON object")
    return answer
