"""IVs that a key has encrypted with, where the policy refuses to take one twice.

Rule: an IV is written down in the commit of the encryption that used it, whoever made it, so that of two
encryptions at once only one is done, on whatever node. It stays for as long as the store does: a key that
comes back from a backup has used its IVs all the same.
"""

import hashlib
from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.entries import Entry
from strongroom.domain.errors import BadCryptographicParameters
from strongroom.domain.objects import ManagedObject
from strongroom.model.struct import Int64, Own


class UsedIv(Entry, kind=71):
    """An IV that was used, under the digest of key and IV."""

    used_by: Annotated[Int64, Own(1)]


async def refuse_used_iv(ctx: Context, key: ManagedObject, iv: bytes | None) -> None:
    """Write an IV down (None: there is none to note); raises BadCryptographicParameters for a used one."""
    if iv is None or ctx.policy.iv_reuse:
        return
    name = hashlib.sha256(key.unique_identifier.encode() + b"\0" + iv).hexdigest()
    if await ctx.entries.get(UsedIv, name) is not None:
        raise BadCryptographicParameters(
            "this key has encrypted with this IV/Counter/Nonce before; use a fresh one, or leave it out and"
            " set Random IV"
        )
    ctx.entries.put(name, UsedIv(used_by=ctx.caller.client), shared=True)
