"""An object with the attributes that it had on another server (Import).

Rule: the values are those of the request, whoever sets them otherwise, as long as they are not false: what
contradicts the object itself, or another attribute, is refused.
"""

from collections.abc import Iterable
from typing import Final

from strongroom.attributes.conditions import check_dates
from strongroom.attributes.declaration import SERVER
from strongroom.attributes.rules import initial
from strongroom.attributes.vendor import rule_of
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.context import Context
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyValue, SecretItems
from strongroom.model.structures import Digest, UsageLimits
from strongroom.procedures.creation import digest_of_default_format, fill_in
from strongroom.procedures.wrapping import key_block_of
from strongroom.registry import HashingAlgorithm, State, Tag

_NOT_TAKEN_OVER: Final = frozenset({Tag.STATE, Tag.PROTECTION_STORAGE_MASK})
"""State is not kept as an attribute (the object has it already), and where it is stored is our own affair."""


async def restore(
    ctx: Context, obj: ManagedObject, given: Iterable[AttributeInstance], facts: ObjectFacts | None
) -> None:
    """Give an imported object its attributes; `facts` are what its material tells, None without material.

    Raises InvalidAttributeValue for what is false, and what `rules.initial` raises.
    """
    given = [a for a in given if a.key not in _NOT_TAKEN_OVER]
    _check_digests(ctx, obj, given)
    _check_limits(given)
    _tell(obj, given, facts)
    rest = []
    for instance in given:
        if instance.key is Tag.SHORT_UNIQUE_IDENTIFIER:
            obj.set(Tag.SHORT_UNIQUE_IDENTIFIER, instance.value)
        elif instance.key is not Tag.KEY_FORMAT_TYPE or key_block_of(obj.material) is not None:
            # INTEROP(OASIS TC-IMPEXP-5 2.0): calls the format of a certificate Raw, where 2.1 says X.509.
            rest.append(instance)
    initial(obj, rest, now=ctx.now, by=SERVER)
    if obj.state is State.PRE_ACTIVE or obj.state is None:
        check_dates(obj, ctx.now)  # later on, they may have been overtaken on the other server
    obj.archived = obj.value(Tag.ARCHIVE_DATE) is not None
    if obj.value(Tag.INITIAL_DATE) is None:
        obj.set(Tag.INITIAL_DATE, ctx.now)
    fill_in(ctx, obj)
    if not any(digest.hashing_algorithm is HashingAlgorithm.SHA_256 for digest in obj.values(Tag.DIGEST)):
        await _digest(ctx, obj)
    _protect(obj, Tag.ALWAYS_SENSITIVE, bool(obj.value(Tag.SENSITIVE)))
    _protect(obj, Tag.NEVER_EXTRACTABLE, obj.value(Tag.EXTRACTABLE) is False)
    obj.settle(ctx.now)


def _tell(obj: ManagedObject, given: list[AttributeInstance], facts: ObjectFacts | None) -> None:
    """Set what the material tells and the request does not."""
    if facts is None:
        return
    said = {a.key for a in given}
    told = [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, facts.cryptographic_algorithm),
        AttributeInstance(Tag.CRYPTOGRAPHIC_LENGTH, facts.cryptographic_length),
        *facts.attributes,
    ]
    for key, value, _ in told:
        if key in said or value is None:
            continue
        if rule_of(key).multiple:
            obj.add(key, value)
        else:
            obj.set(key, value)


async def _digest(ctx: Context, obj: ManagedObject) -> None:
    """Add the Digests that every object has whose material can be read (KMIP 2.1 §4.21)."""
    own = None if obj.material is None else ctx.crypto.digest(obj.material)
    if own is not None:
        obj.add(Tag.DIGEST, own)
        await digest_of_default_format(ctx, obj)


def _check_digests(ctx: Context, obj: ManagedObject, given: list[AttributeInstance]) -> None:
    """Return unless a Digest of the material, in the form in which it is here, is another one."""
    own = None if obj.material is None else ctx.crypto.digest(obj.material)
    key_block = key_block_of(obj.material)
    value = None if key_block is None else key_block.key_value
    if own is None or (isinstance(value, KeyValue) and isinstance(value.key_material, SecretItems)):
        return  # of a structure each server encodes and hashes what it will
    for instance in given:
        digest = instance.value
        if (
            isinstance(digest, Digest)
            and digest.digest_value is not None
            and (digest.hashing_algorithm, digest.key_format_type)
            == (own.hashing_algorithm, own.key_format_type)
            and digest.digest_value != own.digest_value
        ):
            raise InvalidAttributeValue("the Digest in the request is not that of the object")


def _check_limits(given: Iterable[AttributeInstance]) -> None:
    """Return unless Usage Limits say that there is more left of them than there was, or less than nothing."""
    for instance in given:
        limits = instance.value
        if (
            isinstance(limits, UsageLimits)
            and limits.usage_limits_count is not None
            and not 0 <= limits.usage_limits_count <= limits.usage_limits_total
        ):
            raise InvalidAttributeValue("the Usage Limits Count in the request is not within the total")


def _protect(obj: ManagedObject, tag: Tag, now: bool) -> None:
    """Set Always Sensitive or Never Extractable where it is not; what it says cannot be false today."""
    if obj.value(tag) is None:
        obj.set(tag, now)
    elif obj.value(tag) and not now:
        raise InvalidAttributeValue(
            "Always Sensitive and Never Extractable contradict Sensitive and Extractable in the request"
        )
