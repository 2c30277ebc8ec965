"""Members of object groups (KMIP 1.4 §3.33 and §4.9, 2.1 §4.35 and §6.1.28).

Rule: what the specification leaves to "server policy" is decided here, and told in
`docs/decisions/0014-object-groups.md`.
"""

from collections.abc import Sequence
from typing import Final

from strongroom.attributes.rules import matches
from strongroom.domain.context import Context
from strongroom.domain.store import Found
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.objects import SymmetricKey
from strongroom.procedures.creation import dress
from strongroom.registry import CryptographicAlgorithm, CryptographicUsageMask, ObjectType, Tag

_FRESH: Final = AttributeInstance(Tag.FRESH, value=True)
_DEFAULT_GROUP: Final = AttributeInstance(Tag.OBJECT_GROUP, "default")
"""The reserved name: the group of which the server itself keeps fresh members in stock."""


async def fresh_members(
    ctx: Context, filters: Sequence[AttributeInstance], *, storage: int, maximum: int, offset: int
) -> Found:
    """Return the members that no client has got yet: who waits longest comes first.

    Of the group `default` there is always one, made for the occasion where none is left.
    """
    wanted = [*filters, _FRESH]
    found = await ctx.objects.locate(
        wanted, storage=storage, maximum=maximum, offset=offset, oldest_first=True
    )
    given = {(f.key, f.value) for f in filters if f.key is Tag.OBJECT_GROUP}
    if found.unique_identifiers or offset or not maximum or given != {_DEFAULT_GROUP[:2]}:
        return found
    if ctx.caller.rights is not None:
        return found  # the rights of the ticket are for looking, not for making
    obj = ctx.objects.create(ObjectType.SYMMETRIC_KEY)
    block = await ctx.crypto.create_symmetric_key(CryptographicAlgorithm.AES, 256)
    obj.material = SymmetricKey(key_block=block)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, block.cryptographic_length)
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
    dress(ctx, obj, [_DEFAULT_GROUP, AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask)])
    if not obj.storage & storage or not matches(obj, wanted, ctx.now):
        obj.remove()  # the request asks for something else
        return found
    return Found([obj.unique_identifier], 1)


async def default_member(
    ctx: Context, filters: Sequence[AttributeInstance], *, storage: int, maximum: int, offset: int
) -> Found:
    """Return the default member: the oldest that no client has got yet, or the oldest when all have been."""
    for wanted in ([*filters, _FRESH], filters):
        found = await ctx.objects.locate(wanted, storage=storage, maximum=1, offset=0, oldest_first=True)
        if found.unique_identifiers:
            return Found(found.unique_identifiers[offset : offset + maximum], 1)
    return Found([], 0)
