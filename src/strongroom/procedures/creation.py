"""From the attributes of a request to a new object.

Rule: what Create, Create Key Pair, Register, Re-key and the like have in common: templates, the client's
attributes, the server's own. Each operation adds only what is its own.
"""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Final

from strongroom.attributes.cryptographic import security_category
from strongroom.attributes.rules import MAXIMUM_INSTANCES, initial, require_few
from strongroom.attributes.usage import USE_COUNTERS
from strongroom.attributes.vendor import rule_of
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.context import Context
from strongroom.domain.errors import ObjectNotFound
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.reserved import REACHED_BY
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, Attributes, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, Template
from strongroom.model.struct import Seconds
from strongroom.model.structures import Link
from strongroom.procedures.factory import defaults
from strongroom.registry import (
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    State,
    Tag,
)

_ON_LINE_OR_ARCHIVED = 3
"""Storage Status Mask; an archived template is found, to say that it is archived."""

_WITHOUT_USAGE = frozenset({ObjectType.OPAQUE_OBJECT, ObjectType.TEMPLATE})
"""Object types that get no Cryptographic Usage Mask unless the client gives one (KMIP 2.1 §4.17)."""


async def gather(
    ctx: Context, *given: TemplateAttributes | None, object_type: ObjectType | None = None
) -> list[AttributeInstance]:
    """Return the attributes of a request, those of the templates that it names included.

    What the request says itself comes after the templates and, for single-valued attributes, replaces what
    they say; later lists replace earlier ones the same way. `object_type` is that of the object to be made,
    which gets the client's defaults for what is not said. Raises ObjectNotFound for an unknown template and
    ObjectArchived for an archived one.
    """
    gathered: list[AttributeInstance] = []
    for attributes in given:
        if attributes is None:
            continue
        require_few(len(attributes.names))
        for name in attributes.names:
            gathered = _merge(gathered, await _template(ctx, AttributeInstance(Tag.NAME, name)))
        gathered = _merge(gathered, attributes.attributes)
    if object_type is not None:
        said = {a.key for a in gathered}
        gathered += [a for a in await defaults(ctx, object_type, gathered) if a.key not in said]
    return gathered


async def _template(ctx: Context, name: AttributeInstance) -> list[AttributeInstance]:
    """Return what a Template prescribes (KMIP 1.4 §2.2.6)."""
    filters = [name, AttributeInstance(Tag.OBJECT_TYPE, ObjectType.TEMPLATE)]
    find = partial(ctx.objects.locate, filters, storage=_ON_LINE_OR_ARCHIVED, maximum=2, offset=0)
    # One's own comes before another's of the same name; to use that, one must be allowed to get it.
    found = (await find(mine=True)).unique_identifiers
    if not found:
        found = (await find(permission=Permission.GET)).unique_identifiers
    if len(found) != 1:
        # Of two, the newer one may be there to take the place of the other.
        raise ObjectNotFound(f"no template, or more than one, is called {name.value.name_value!r}")
    obj = await ctx.objects.get(found[0], permission=Permission.GET)
    if not isinstance(obj.material, Template) or obj.material.attributes is None:
        return []
    own = obj.owner == ctx.caller.client
    return [
        a
        for a in obj.material.attributes.attributes
        if a.key is not Tag.NAME and (own or a.key not in REACHED_BY)
    ]


def _merge(before: list[AttributeInstance], after: Iterable[AttributeInstance]) -> list[AttributeInstance]:
    """Return both lists, less what `after` says anew of single-valued attributes (KMIP 1.4 §4.2)."""
    merged = list(after)
    require_few(len(merged))
    if before:
        replaced: set[AttributeKey] = {a.key for a in merged if not rule_of(a.key).multiple}
        merged = [a for a in before if a.key not in replaced] + merged
        require_few(len(merged))
    return merged


def first(given: Iterable[AttributeInstance], key: AttributeKey) -> object:
    """Return the value of the first instance of an attribute in a request, None when it is not there."""
    return next((a.value for a in given if a.key == key), None)


def embedded(value: ManagedObjectStruct, given: list[AttributeInstance]) -> list[AttributeInstance]:
    """Return the attributes of the object that came inside it and are not given beside it.

    Those are the attributes of the Key Value, and the Name of a Template.
    """
    if isinstance(value, Template):
        inside = Attributes() if value.attributes is None else value.attributes.attributes
        return [a for a in inside if a.key is Tag.NAME]
    key_block: KeyBlock | None = getattr(value, "key_block", None)
    if key_block is None or not isinstance(key_block.key_value, KeyValue):
        return []
    beside = {a.key for a in given}
    return [a for a in key_block.key_value.attribute_instances() if a.key not in beside]


def dress(ctx: Context, obj: ManagedObject, given: Iterable[AttributeInstance]) -> None:
    """Give a new object the client's attributes and the server's own.

    Raises what `rules.initial` raises.
    """
    initial(obj, given, now=ctx.now)
    fill_in(ctx, obj)
    obj.set(Tag.ALWAYS_SENSITIVE, obj.value(Tag.SENSITIVE))
    obj.set(Tag.NEVER_EXTRACTABLE, not obj.value(Tag.EXTRACTABLE))
    if obj.material is not None:
        digest = ctx.crypto.digest(obj.material)
        obj.set(Tag.DIGEST, digest)
    obj.settle(ctx.now)


_FILLED_IN: Final[Mapping[Tag, object]] = {
    Tag.FRESH: True,
    Tag.SENSITIVE: False,
    Tag.EXTRACTABLE: True,
    Tag.CRYPTOGRAPHIC_USAGE_MASK: CryptographicUsageMask(0),
}


@cache
def _filled_in(object_type: ObjectType) -> Mapping[Tag, object]:
    """Return what an object of a type gets where nobody has said otherwise, its Lease Time aside."""
    return {
        tag: value
        for tag, value in _FILLED_IN.items()
        if object_type in rule_of(tag).applies_to
        and not (tag is Tag.CRYPTOGRAPHIC_USAGE_MASK and object_type in _WITHOUT_USAGE)
    }


def fill_in(ctx: Context, obj: ManagedObject) -> None:
    """Give an object what the server sets where nobody else has."""
    for tag, value in _filled_in(obj.object_type).items():
        if tag not in obj.attributes:
            obj.set(tag, value)
    if Tag.LEASE_TIME not in obj.attributes and obj.object_type in rule_of(Tag.LEASE_TIME).applies_to:
        obj.set(Tag.LEASE_TIME, Seconds(ctx.policy.lease_time))
    category = security_category(obj.value(Tag.CRYPTOGRAPHIC_ALGORITHM))
    if category is not None and Tag.NIST_SECURITY_CATEGORY not in obj.attributes:
        obj.set(Tag.NIST_SECURITY_CATEGORY, category)
    if ctx.policy.count_uses:
        for counter in USE_COUNTERS:
            if counter not in obj.attributes and obj.object_type in rule_of(counter).applies_to:
                obj.set(counter, 0)


async def in_wanted_format(ctx: Context, made: ManagedObjectStruct, wanted: object) -> ManagedObjectStruct:
    """Return material that was made here in the Key Format Type that is wanted, untouched for None.

    Raises InvalidAttributeValue for one that it cannot have (KMIP 2.1 §4.26).
    """
    if not isinstance(wanted, int):
        return made
    try:
        return await ctx.crypto.convert(made, KeyFormatType(wanted))
    except (KeyFormatTypeNotSupported, ValueError) as error:
        raise InvalidAttributeValue("the key cannot have the Key Format Type in the request") from error


async def in_format_of(
    ctx: Context, old: ManagedObject, made: ManagedObjectStruct, given: Iterable[AttributeInstance]
) -> ManagedObjectStruct:
    """Return the material of a replacement: as the request says, else as the old key is if it can."""
    wanted = first(given, Tag.KEY_FORMAT_TYPE)
    if wanted is not None:
        return await in_wanted_format(ctx, made, wanted)
    key_block: KeyBlock | None = getattr(old.material, "key_block", None)
    if key_block is None:
        return made
    try:
        return await ctx.crypto.convert(made, key_block.key_format_type)
    except KeyFormatTypeNotSupported:
        return made


def digest_too(ctx: Context, obj: ManagedObject, made: ManagedObjectStruct) -> None:
    """Add the Digest of the default format to an object that is kept in another (KMIP 2.1 §4.26)."""
    if obj.material is not made:
        obj.add(Tag.DIGEST, ctx.crypto.digest(made))


async def digest_of_default_format(
    ctx: Context, obj: ManagedObject, value: ManagedObjectStruct | None = None
) -> None:
    """Add the Digest of the default format to a key that came in another (KMIP 2.1 §4.21 and §4.26).

    `value` is the key in a form that can be read, where its material is not.
    """
    value = obj.material if value is None else value
    default = None if value is None else await ctx.crypto.default_digest(value)
    if default is not None:
        obj.add(Tag.DIGEST, default)


def link(obj: ManagedObject, link_type: LinkType, target: ManagedObject) -> None:
    """Link an object to another; a single link of that type is replaced."""
    link_to(obj, link_type, target.unique_identifier)


def link_to(obj: ManagedObject, link_type: LinkType, target: UniqueIdentifier) -> None:
    """Do the same where the other object is not at hand."""
    kept = tuple(i for i in obj.attributes.get(Tag.LINK, ()) if i.value.link_type is not link_type)
    obj.put(Tag.LINK, kept)
    obj.add(Tag.LINK, Link(link_type=link_type, linked_object_identifier=target))


def link_derived(base: ManagedObject, derived: ManagedObject) -> None:
    """Link a key and what was derived from it, both ways (KMIP 2.1 §6.1.14).

    A base that is full of links to what was derived from it forgets the oldest, to stay of use.
    """
    instances = base.attributes.get(Tag.LINK, ())
    oldest = next((i for i in instances if i.value.link_type is LinkType.DERIVED_KEY_LINK), None)
    if oldest is not None and sum(map(len, base.attributes.values())) >= MAXIMUM_INSTANCES:
        base.put(Tag.LINK, tuple(i for i in instances if i is not oldest))
    for obj, link_type, target in (
        (base, LinkType.DERIVED_KEY_LINK, derived),
        (derived, LinkType.DERIVATION_BASE_OBJECT_LINK, base),
    ):
        obj.add(Tag.LINK, Link(link_type=link_type, linked_object_identifier=target.unique_identifier))


def stateful(object_type: ObjectType) -> State | None:
    """Return the first state of an object; Templates have none."""
    return None if object_type is ObjectType.TEMPLATE else State.PRE_ACTIVE
