"""From a key or certificate to its replacement (KMIP 1.4 §4.4-4.5 and §4.8, 2.1 §6.1.45-6.1.47).

Rule: what Re-key, Re-key Key Pair and Re-certify carry over, leave behind and count anew, as one table.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from strongroom.attributes.certificate import CERTIFICATE_CONTENTS
from strongroom.attributes.matching import NO_DATE
from strongroom.attributes.usage import USE_COUNTERS
from strongroom.attributes.vendor import rule_of
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidMessage, KeyValueNotPresent, OffsetWithoutActivationDate
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock
from strongroom.model.struct import Seconds
from strongroom.procedures.creation import dress, first, link
from strongroom.registry import LinkType, ObjectType, Tag

KIND: Final = (
    Tag.CRYPTOGRAPHIC_ALGORITHM,
    Tag.CRYPTOGRAPHIC_LENGTH,
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
)
"""What kind of key it is: each operation says it of the key that it made."""

LEFT_BEHIND: Final = frozenset(
    {
        Tag.SHORT_UNIQUE_IDENTIFIER,
        *KIND,
        Tag.INITIAL_DATE,
        Tag.DESTROY_DATE,
        Tag.COMPROMISE_DATE,
        Tag.COMPROMISE_OCCURRENCE_DATE,
        Tag.REVOCATION_REASON,
        Tag.DEACTIVATION_REASON,
        Tag.ARCHIVE_DATE,
        Tag.DIGEST,
        Tag.LINK,
        Tag.JOINED_SPLIT_KEY_PARTS_LINK,
        Tag.KEY_VALUE_LOCATION,
        Tag.LAST_CHANGE_DATE,
        Tag.RANDOM_NUMBER_GENERATOR,
        Tag.ORIGINAL_CREATION_DATE,
        Tag.FRESH,
        Tag.ALWAYS_SENSITIVE,
        Tag.NEVER_EXTRACTABLE,
        Tag.ACTIVATION_DATE,
        Tag.PROCESS_START_DATE,
        Tag.PROTECT_STOP_DATE,
        Tag.DEACTIVATION_DATE,
        *CERTIFICATE_CONTENTS,
        *USE_COUNTERS,
        Tag.ROTATE_DATE,
        Tag.ROTATE_GENERATION,
        Tag.ROTATE_LATEST,
    }
)
"""Attributes that the replacement does not take from the old key, or not as they are."""

_DATES: Final = frozenset(
    {Tag.ACTIVATION_DATE, Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE}
)
_NEVER: Final = (None, NO_DATE)
_SHIFTED: Final = (Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE)


def replace(
    ctx: Context,
    old: ManagedObject,
    new: ManagedObject,
    *,
    offset: Seconds | None,
    given: Iterable[AttributeInstance],
) -> None:
    """Make `new` the replacement of `old`: attributes, dates, names and links.

    `offset` is the time from now to the new Activation Date; None copies the dates of the old key. Given
    attributes take the place of the old key's, or stand beside them where there may be several.
    """
    given = list(given)
    replaced = {a.key for a in given}
    if offset is not None and replaced & _DATES:
        raise InvalidMessage("Offset and dates are given; the dates follow from the Offset")
    same_kind = all(new.value(tag) == old.value(tag) for tag in KIND)
    for key in old.attributes:
        if key is Tag.NIST_SECURITY_CATEGORY and not same_kind:
            continue
        if key not in LEFT_BEHIND and (key not in replaced or rule_of(key).multiple):
            new.take_over(key, old)
    for tag, date in carried_dates(old, offset, ctx.now).items():
        new.set(tag, date)
    old.put(Tag.NAME, ())
    limits = new.value(Tag.USAGE_LIMITS)
    if limits is not None:
        new.set(Tag.USAGE_LIMITS, limits.replace(usage_limits_count=limits.usage_limits_total))
    for counter in USE_COUNTERS:
        if old.value(counter) is not None:
            new.set(counter, 0)
    if new.object_type is not ObjectType.CERTIFICATE:
        new.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
        new.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    dress(ctx, new, given)
    _count(ctx, old, new)
    link(old, LinkType.REPLACEMENT_OBJECT_LINK, new)
    link(new, LinkType.REPLACED_OBJECT_LINK, old)


def require_here(old: ManagedObject) -> None:
    """Return unless the value of a key is kept elsewhere, where no successor would be; raises
    KeyValueNotPresent (KMIP 1.4 §11.5 and §11.6)."""
    key_block: KeyBlock | None = getattr(old.material, "key_block", None)
    if key_block is not None and key_block.key_value is None:
        raise KeyValueNotPresent("the key value is kept elsewhere, so it is not replaced here")


def said_or_kept(given: Iterable[AttributeInstance], old: ManagedObject, tag: Tag) -> object:
    """Return what the request says of the key to be made or, where it says nothing, what the old one has."""
    said = first(given, tag)
    return old.value(tag) if said is None else said


def _count(ctx: Context, old: ManagedObject, new: ManagedObject) -> None:
    """Say which rotation this was, of the object that ends its turn and of the one that begins it.

    KMIP 2.1 §4.49-4.52; they count alike whoever asked for the rotation.
    """
    generation = old.value(Tag.ROTATE_GENERATION) or 0
    for obj, number, latest in ((old, generation, False), (new, generation + 1, True)):
        obj.set(Tag.ROTATE_GENERATION, number)
        obj.set(Tag.ROTATE_LATEST, value=latest)
        obj.set(Tag.ROTATE_DATE, ctx.now)


def carried_dates(old: ManagedObject, offset: Seconds | None, now: datetime) -> dict[Tag, datetime | None]:
    """Return the dates of the replacement (KMIP 2.1 tables 298 and 303)."""
    before = old.value(Tag.ACTIVATION_DATE)
    if offset is None:
        shift = timedelta(0)
        activation = before
    elif before in _NEVER and any(old.value(tag) not in _NEVER for tag in _SHIFTED):
        raise OffsetWithoutActivationDate(
            "the key has dates but no Activation Date, so an Offset cannot move them; give the dates instead"
        )
    else:
        activation = now + timedelta(seconds=offset)
        shift = timedelta(0) if before in _NEVER else activation - before
    dates = {tag: old.value(tag) for tag in _SHIFTED}
    shifted = {tag: None if date is None else _moved(date, shift) for tag, date in dates.items()}
    return {Tag.ACTIVATION_DATE: activation, **shifted}


def _moved(date: datetime, shift: timedelta) -> datetime:
    """Return a date moved; never stays never, and past the largest date there is nothing else."""
    return NO_DATE if date >= NO_DATE or shift > NO_DATE - date else date + shift
