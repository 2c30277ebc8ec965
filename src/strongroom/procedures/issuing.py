"""Who issues a certificate, and what a new one gets (KMIP 1.4 §4.7-4.8, 2.1 §6.1.6 and §6.1.45).

Rule: an issuing key is a managed object like any other: it is reached through the caller's permission and
used in the state, with the mask and within the limits that it has. No key of the server's own ever signs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom.attributes.certificate import SUBJECT_PARTS
from strongroom.attributes.vendor import resolved
from strongroom.domain import usage
from strongroom.domain.certification import Issued, Issuer
from strongroom.domain.context import Context
from strongroom.domain.errors import (
    FeatureNotSupported,
    InvalidField,
    InvalidObjectType,
    PermissionDenied,
    WrongKeyLifecycleState,
)
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import Certificate, CertificateRequest, PrivateKey, PublicKey
from strongroom.procedures.creation import first
from strongroom.registry import (
    CertificateRequestType,
    CertificateType,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    LinkType,
    State,
    Tag,
)

SUBJECT: Final = frozenset(
    {
        *SUBJECT_PARTS,
        Tag.CERTIFICATE_SUBJECT,
        Tag.CERTIFICATE_SUBJECT_DN,
        Tag.X_509_CERTIFICATE_SUBJECT,
    }
)
"""Attributes that say who is to be certified; the certificate's own follow from what was certified."""

_SIGN: Final = CryptographicUsageMask.CERTIFICATE_SIGN
_SIGN_ITSELF: Final = CryptographicUsageMask.CERTIFICATE_SIGN | CryptographicUsageMask.SIGN
_USABLE: Final = frozenset({State.PRE_ACTIVE, State.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The attributes of a request, sorted: those for the certificate's contents, and the `rest`."""

    subject: Sequence[AttributeInstance]
    usage: CryptographicUsageMask | None
    signature_algorithm: DigitalSignatureAlgorithm | None
    issuing_certificate: UniqueIdentifier | None
    issuing_key: UniqueIdentifier | None
    rest: Sequence[AttributeInstance]

    def date(self, tag: Tag) -> datetime | None:
        """Return a date that the request gives."""
        value = first(self.rest, tag)
        return value if isinstance(value, datetime) else None

    def attributes(self, issued: Issued) -> list[AttributeInstance]:
        """Return what the new object gets; its mask is that of the certificate if none is given."""
        if self.usage is not None:
            return list(self.rest)
        return [*self.rest, AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, issued.usage)]


def sort(given: Iterable[AttributeInstance]) -> Wishes:
    """Return what the attributes of Certify or Re-certify ask for; raises FeatureNotSupported for PGP.

    A Certificate Link names the issuing certificate, and a Private Key Link the issuing key.
    """
    subject: list[AttributeInstance] = []
    rest: list[AttributeInstance] = []
    links: dict[LinkType, UniqueIdentifier] = {}
    single: dict[object, object] = {}
    for instance in map(resolved, given):
        key, value, _ = instance
        if key in SUBJECT:
            subject.append(instance)
            continue
        if key is Tag.CERTIFICATE_TYPE and value is not CertificateType.X_509:
            raise FeatureNotSupported("only X.509 certificates are issued")
        if key is Tag.LINK:
            links[value.link_type] = value.linked_object_identifier
            if value.link_type is LinkType.PRIVATE_KEY_LINK:
                continue
        single[key] = value
        rest.append(instance)
    mask = single.get(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    algorithm = single.get(Tag.DIGITAL_SIGNATURE_ALGORITHM)
    return Wishes(
        subject=subject,
        usage=mask if isinstance(mask, CryptographicUsageMask) else None,
        signature_algorithm=algorithm if isinstance(algorithm, DigitalSignatureAlgorithm) else None,
        issuing_certificate=links.get(LinkType.CERTIFICATE_LINK),
        issuing_key=links.get(LinkType.PRIVATE_KEY_LINK),
        rest=rest,
    )


def linked(obj: ManagedObject | None, link_type: LinkType) -> UniqueIdentifier | None:
    """Return where the first link of a type leads."""
    links = () if obj is None else obj.values(Tag.LINK)
    return next((ln.linked_object_identifier for ln in links if ln.link_type is link_type), None)


async def find_issuer(
    ctx: Context, wishes: Wishes, public_key: ManagedObject | None, *, usual: UniqueIdentifier | None
) -> tuple[Issuer, ManagedObject, ManagedObject | None]:
    """Return who signs, its key, and the issuing certificate's object, None for a self-signed certificate.

    That is the issuer that the request names, else `usual`, else the key's own private key. Counts the use;
    what is signed is `usage.spend`'s to count.
    Raises PermissionDenied when nobody is there to sign, and what `usage.require` raises.
    """
    named = wishes.issuing_certificate
    if named is None and wishes.issuing_key is None:
        named = usual
    authority = None if named is None else await ctx.objects.get(named)
    certificate = None if authority is None else _certificate_of(authority)
    reference = wishes.issuing_key or await _key_of(ctx, authority, public_key)
    key = await ctx.objects.get(reference)
    if not isinstance(key.material, PrivateKey):
        raise InvalidObjectType("certificates are signed with a Private Key")
    usage.require(key, _SIGN if authority is not None else _SIGN_ITSELF, usage.Use.PROTECT, ctx.now)
    usage.count(key, Tag.CERTIFY_COUNTER)
    issuer = Issuer(
        private_key=key.material,
        certificate=certificate,
        parameters=key.value(Tag.CRYPTOGRAPHIC_PARAMETERS),
    )
    return issuer, key, authority


def _certificate_of(authority: ManagedObject) -> Certificate:
    if not isinstance(authority.material, Certificate):
        raise InvalidObjectType("the Certificate Link leads to something else than the issuing certificate")
    if authority.state is not State.ACTIVE:
        raise WrongKeyLifecycleState("the issuing certificate is not Active")
    return authority.material


async def _key_of(
    ctx: Context, authority: ManagedObject | None, public_key: ManagedObject | None
) -> UniqueIdentifier:
    """Return the private key that belongs to the issuing certificate or, without one, to the public key."""
    if authority is None:
        own = linked(public_key, LinkType.PRIVATE_KEY_LINK)
        if own is None:
            raise PermissionDenied(
                "nobody is named who could issue the certificate: give a Certificate Link to the issuing"
                " certificate, or set policy.issuer"
            )
        return own
    found = linked(authority, LinkType.PRIVATE_KEY_LINK)
    if found is None:
        halfway = linked(authority, LinkType.PUBLIC_KEY_LINK)
        found = None if halfway is None else linked(await ctx.objects.get(halfway), LinkType.PRIVATE_KEY_LINK)
    if found is None:
        raise PermissionDenied(
            "the issuing certificate is linked to no key: give it a Private Key Link to the key that signs"
        )
    return found


def require_certifiable(public_key: ManagedObject) -> PublicKey:
    """Return the key to be certified; raises InvalidObjectType and WrongKeyLifecycleState."""
    if not isinstance(public_key.material, PublicKey):
        raise InvalidObjectType("only a Public Key can be certified")
    if public_key.state not in _USABLE:
        raise WrongKeyLifecycleState("the public key is not in use any more, so it is not certified")
    return public_key.material


def given_request(
    kind: CertificateRequestType | None, value: bytes | None, stored: ManagedObject | None
) -> CertificateRequest | None:
    """Return the certificate request of a message or, without one, that of an object."""
    if value is not None:
        if kind is None:
            raise InvalidField("a certificate request needs its Certificate Request Type beside it")
        return CertificateRequest(certificate_request_type=kind, certificate_request_value=value)
    if stored is None:
        return None
    if not isinstance(stored.material, CertificateRequest):
        raise InvalidObjectType("this is not a Certificate Request")
    if stored.state not in _USABLE:
        raise WrongKeyLifecycleState("the certificate request is not in use any more")
    return stored.material


async def describe(ctx: Context, obj: ManagedObject, certificate: Certificate) -> None:
    """Make an object of a certificate, with the attributes that the certificate itself tells."""
    obj.material = certificate
    facts = await ctx.crypto.examine(certificate)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, facts.cryptographic_algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, facts.cryptographic_length)
    for known in facts.attributes:
        obj.add(known.key, known.value)
