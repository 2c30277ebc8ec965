"""Bringing what opens a sealed server: its passphrase, or shares.

Rule: a mistake counts against whoever makes it (`attempts.py`) before it is answered.
"""

import time

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.server.errors import Denied
from strongroom.server.messages import Message, optional_text, texts
from strongroom.server.ports import RootKeys
from strongroom.server.root.attempts import Attempts


def bring(root_key: RootKeys, attempts: Attempts, request: Message) -> None:
    """Give the root key what a request brings; it may need more afterwards.

    Raises Denied; RootKeyError where what was there before cannot be opened, which is nobody's guess.
    """
    now = int(time.time())
    attempts.check(now)
    given = optional_text(request, "passphrase")
    if root_key.sealed:
        root_key.reopen()
    try:
        if given is not None and root_key.sealed:  # else what was known is enough
            root_key.give_passphrase(SecretBytes(given.encode(errors="surrogateescape")))
        for share in texts(request, "shares") if "shares" in request else ():
            root_key.give_share(share)
    except RootKeyError as error:
        attempts.refuse(now, str(error))
        raise Denied(str(error)) from error
