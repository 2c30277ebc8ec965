"""Which certificates a chain is judged with, and what the server knows of them (KMIP 1.4 §4.24, 2.1 §6.1.57).

Rule: beside what the request gives, only objects that the caller owns count: a certificate of theirs that
issues itself and is Active is a trust anchor, one that was revoked is not to be relied on. Another's object,
even one that the caller may read, is never an anchor: its owner would decide what the caller trusts. How much
is looked for is bounded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom.domain.certification import Candidate
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidObjectType, ObjectNotFound
from strongroom.domain.objects import ARCHIVED, DESTROYED, ON_LINE, ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import Certificate, OpaqueObject
from strongroom.model.structures import Link
from strongroom.procedures.creation import first
from strongroom.registry import LinkType, ObjectType, State, Tag

MAXIMUM_CERTIFICATES: Final = 32
"""Certificates of one chain, together with those that are found to it."""
MAXIMUM_OF_ONE_NAME: Final = 4
"""Certificates of one subject, and revocation lists of one issuer, that are looked at."""
MAXIMUM_KEYS: Final = 16
"""Links of a certificate, or of its public key, to keys that are followed."""

_COMPROMISED: Final = (State.COMPROMISED, State.DESTROYED_COMPROMISED)
_ANYWHERE: Final = ON_LINE | ARCHIVED | DESTROYED


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A certificate with its names, and the caller's object of it, if there is one."""

    certificate: Certificate
    subject: object
    issuer: object
    managed: ManagedObject | None
    asked: bool


async def candidates(
    ctx: Context, values: Iterable[Certificate], references: Iterable[ObjectReference], at: datetime
) -> list[Candidate]:
    """Return what is to be validated, and what it may be validated with, at a time.

    Raises InvalidObjectType for an object that is no Certificate, InvalidField for what is not X.509.
    """
    asked = [await _managed(ctx, await ctx.objects.get(r), asked=True) for r in references]
    asked += [await _by_value(ctx, value) for value in values]
    known = list({k.certificate.certificate_value: k for k in asked}.values())
    looked_for: set[object] = set()
    for each in known:  # grows while it is gone through
        if each.issuer not in looked_for and len(known) < MAXIMUM_CERTIFICATES:
            looked_for.add(each.issuer)
            have = {k.certificate.certificate_value for k in known}
            found = [await _managed(ctx, o, asked=False) for o in await _of_subject(ctx, each.issuer)]
            known += [k for k in found if k.certificate.certificate_value not in have]
    return [await _candidate(ctx, each, at) for each in known[:MAXIMUM_CERTIFICATES]]


async def _managed(ctx: Context, obj: ManagedObject, *, asked: bool) -> Known:
    if not isinstance(obj.material, Certificate):
        raise InvalidObjectType("only Certificates are validated")
    return Known(
        certificate=obj.material,
        subject=obj.value(Tag.CERTIFICATE_SUBJECT_DN),
        issuer=obj.value(Tag.CERTIFICATE_ISSUER_DN),
        managed=obj,
        asked=asked,
    )


async def _by_value(ctx: Context, value: Certificate) -> Known:
    """Return a certificate of the request; it may be one that the caller has an object of."""
    facts = await ctx.crypto.examine(value)
    digest = AttributeInstance(Tag.DIGEST, ctx.crypto.digest(value))
    # One that was put away says no less than before what became of the certificate.
    found = await _locate(ctx, ObjectType.CERTIFICATE, digest, maximum=1) or await _locate(
        ctx, ObjectType.CERTIFICATE, digest, maximum=1, storage=_ANYWHERE
    )
    return Known(
        certificate=value,
        subject=first(facts.attributes, Tag.CERTIFICATE_SUBJECT_DN),
        issuer=first(facts.attributes, Tag.CERTIFICATE_ISSUER_DN),
        managed=found[0] if found else None,
        asked=True,
    )


async def _of_subject(ctx: Context, name: object) -> list[ManagedObject]:
    if name is None:
        return []
    subject = AttributeInstance(Tag.CERTIFICATE_SUBJECT_DN, name)
    return await _locate(ctx, ObjectType.CERTIFICATE, subject, maximum=MAXIMUM_OF_ONE_NAME)


async def _locate(
    ctx: Context,
    object_type: ObjectType,
    *wanted: AttributeInstance,
    maximum: int,
    storage: int = ON_LINE,
) -> list[ManagedObject]:
    filters = [AttributeInstance(Tag.OBJECT_TYPE, object_type), *wanted]
    found = await ctx.objects.locate(filters, storage=storage, maximum=maximum, offset=0, mine=True)
    return [
        await ctx.objects.get(identifier, archived=True, destroyed=True)
        for identifier in found.unique_identifiers
    ]


async def _candidate(ctx: Context, known: Known, at: datetime) -> Candidate:
    managed = known.managed
    if managed is None:
        return Candidate(certificate=known.certificate, asked=known.asked)
    return Candidate(
        certificate=known.certificate,
        asked=known.asked,
        trusted=known.subject == known.issuer
        and managed.owner == ctx.caller.client
        and managed.storage == ON_LINE
        and _active(managed, at),
        revoked=_revoked(managed, at)
        or await _compromised_elsewhere(ctx, known.certificate, at)
        or await _key_compromised(ctx, managed),
        revocation_lists=await _revocation_lists(ctx, managed.unique_identifier),
    )


def _active(obj: ManagedObject, at: datetime) -> bool:
    """Tell whether an object may be relied on: Active now, or only retired after that time."""
    return obj.state is State.ACTIVE or (obj.state is State.DEACTIVATED and not _revoked(obj, at))


def _revoked(obj: ManagedObject, at: datetime) -> bool:
    """Tell whether an object was withdrawn at that time; of an unknown time the worst is assumed."""
    if obj.state in _COMPROMISED:
        since = obj.value(Tag.COMPROMISE_OCCURRENCE_DATE)
    elif obj.state is State.DEACTIVATED:
        since = obj.value(Tag.DEACTIVATION_DATE)
    elif obj.state is State.DESTROYED:
        since = obj.value(Tag.DEACTIVATION_DATE)
        if since is None:  # it was never in use, so nobody withdrew it
            return False
    else:
        return False
    return since is None or since <= at


async def _compromised_elsewhere(ctx: Context, certificate: Certificate, at: datetime) -> bool:
    """Tell whether some object of the same certificate is compromised: another one of it is no better."""
    digest = AttributeInstance(Tag.DIGEST, ctx.crypto.digest(certificate))
    for state in _COMPROMISED:
        copies = await _locate(
            ctx,
            ObjectType.CERTIFICATE,
            digest,
            AttributeInstance(Tag.STATE, state),
            maximum=MAXIMUM_OF_ONE_NAME,
            storage=_ANYWHERE,
        )
        if any(_revoked(copy, at) for copy in copies):
            return True
    return False


async def _key_compromised(ctx: Context, certificate: ManagedObject) -> bool:
    """Tell whether a key of the certificate is compromised; it may be linked to its private key over two.

    Of one with more links than are followed the worst is assumed.
    """
    links = _links_to_keys(certificate)
    keys = await _keys_at(ctx, links)
    for public in [key for key in keys if key.object_type is ObjectType.PUBLIC_KEY]:
        further = _links_to_keys(public)
        keys += await _keys_at(ctx, further)
        links += further
    return len(links) > MAXIMUM_KEYS or any(key.state in _COMPROMISED for key in keys)


def _links_to_keys(obj: ManagedObject) -> list[ObjectReference]:
    wanted = {LinkType.PRIVATE_KEY_LINK}
    if obj.object_type is ObjectType.CERTIFICATE:
        wanted.add(LinkType.PUBLIC_KEY_LINK)
    return [link.linked_object_identifier for link in obj.values(Tag.LINK) if link.link_type in wanted]


async def _keys_at(ctx: Context, links: list[ObjectReference]) -> list[ManagedObject]:
    keys = []
    for link in links[:MAXIMUM_KEYS]:
        try:
            keys.append(await ctx.objects.get(link, archived=True, destroyed=True))
        except ObjectNotFound:
            continue
    return [key for key in keys if key.object_type in (ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY)]


async def _revocation_lists(ctx: Context, issuer: UniqueIdentifier) -> tuple[bytes, ...]:
    """Return the Opaque Objects that are linked to the issuing certificate."""
    link = Link(link_type=LinkType.CERTIFICATE_LINK, linked_object_identifier=issuer)
    wanted = AttributeInstance(Tag.LINK, link)
    found = await _locate(ctx, ObjectType.OPAQUE_OBJECT, wanted, maximum=MAXIMUM_OF_ONE_NAME)
    return tuple(o.material.opaque_data_value.reveal() for o in found if isinstance(o.material, OpaqueObject))
