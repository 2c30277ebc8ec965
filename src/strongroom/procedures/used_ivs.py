"""IVs that a key has encrypted with, where the policy refuses to take one twice.

Rule: an IV is written down in the commit of the encryption or wrapping that used it, whoever made it, so that
of two encryptions at once only one is done, on whatever node. Derive Key by encryption is left out: it is to
give the same key again. An IV stays for as long as the key can come back: until
the key is destroyed for good or obliterated. What ends it then is written in that commit, and the IVs go
afterwards, so many at a time (`engine/used_ivs.py`): a key may have used a million.
"""

import hashlib
from datetime import datetime
from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.entries import Entry, Kept
from strongroom.domain.errors import BadCryptographicParameters
from strongroom.domain.objects import ManagedObject
from strongroom.model.struct import Int64, Own


class UsedIv(Entry, kind=71):
    """An IV that was used, under the digest of key and IV; owned by the key (its sequence).

    Those of older releases are owned by nobody, and stay.
    """

    used_by: Annotated[Int64, Own(1)]


class EndOfIvs(Entry, kind=72, passing=True):
    """A key is gone for good, and what it has used can go; the key of the entry is its sequence."""

    unique_identifier: Annotated[str, Own(1)]


def end_of_ivs(obj: ManagedObject, now: datetime) -> Kept[EndOfIvs]:
    """Return what lets go of the IVs of a key; it belongs into the commit that ends the key."""
    value = EndOfIvs(unique_identifier=obj.unique_identifier)
    return Kept(tenant=obj.tenant, key=str(obj.sequence), owner=0, value=value, due=now)


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
    ctx.entries.put(name, UsedIv(used_by=ctx.caller.client), owner=key.sequence)
