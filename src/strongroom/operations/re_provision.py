"""Re-Provision (KMIP 2.0 §6.1.44, 2.1 §6.1.48): a new link level credential for the client that asks.

What lets the client in from now on is stored as its object, in the commit that changes its record.
"""

from typing import Final

from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidField, ObjectNotFound, PermissionDenied
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.provisioning import LinkCredential, Provisioning
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyValue
from strongroom.model.objects import Certificate, CertificateRequest, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.operations.create_key_pair import make_pair
from strongroom.procedures.creation import dress, link
from strongroom.procedures.issuing import describe
from strongroom.registry import (
    V2_0,
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
    RecommendedCurve,
    State,
    Tag,
)

_READABLE: Final = frozenset({CertificateRequestType.PKCS_10, CertificateRequestType.PEM})


class ReProvisionResponse(Response):
    unique_identifier: UniqueIdentifier | None = None


class ReProvisionRequest(Request[ReProvisionResponse]):
    certificate_request: CertificateRequest | None = None
    certificate: Certificate | None = None


@operation(Operation.RE_PROVISION, since=V2_0, needs=Permission.NONE, deferrable=False)
async def re_provision(ctx: Context, request: ReProvisionRequest) -> ReProvisionResponse:
    provisioning = ctx.provisioning
    if provisioning is None:
        raise FeatureNotSupported("credentials of clients are not made here; ask the administrator")
    if request.certificate_request is not None and request.certificate is not None:
        raise InvalidField("send a Certificate Request or a Certificate, not both")
    await _require_good_standing(ctx)
    if request.certificate_request is not None:
        key = await provisioning.requested_key(_pkcs_10(request.certificate_request))
        new = await _certify(ctx, provisioning, key)
    elif request.certificate is not None:
        if request.certificate.certificate_type is not CertificateType.X_509:
            raise FeatureNotSupported("TLS takes X.509 certificates")
        provisioning.require_own(ctx.caller, request.certificate.certificate_value)
        new = await _adopt(ctx, provisioning, request.certificate)
    else:
        new = await _make(ctx, provisioning)
    ctx.objects.place(new.unique_identifier)
    return ReProvisionResponse(unique_identifier=new.unique_identifier)


async def _require_good_standing(ctx: Context) -> None:
    """Return if the caller is the client itself, with a credential that can be and was not withdrawn.

    One that has expired does not get here: its connection is closed.
    """
    if ctx.caller.mapped:
        # SPEC(KMIP 2.1 §6.1.48): the current credential is made invalid, which only its authority can do.
        # A new one beside it would outlast its revocation, and nobody would notice.
        raise PermissionDenied(
            "this client is known by a certificate of another authority; have that authority renew it"
        )
    if ctx.caller.ticket is not None or ctx.caller.user is not None:
        raise PermissionDenied(
            "a client renews its own credential; no user of it does, and nobody with a ticket"
        )
    kept = await ctx.entries.get(LinkCredential, str(ctx.caller.client))
    if kept is None:
        return
    try:
        current = await ctx.objects.get(kept.value.certificate, archived=True, destroyed=True)
    except ObjectNotFound:
        current = None
    # It was Active from the start: whatever else it is now, or if it is gone, somebody has withdrawn it.
    if current is None or current.owner != ctx.caller.client or current.state is not State.ACTIVE:
        raise PermissionDenied(
            "the certificate of the current credential was revoked or removed; the administrator can give the"
            " client another one: strongroom client renew NAME --now --out OUT"
        )


def _pkcs_10(request: CertificateRequest) -> bytes:
    if request.certificate_request_type not in _READABLE:
        raise FeatureNotSupported("send the Certificate Request as PKCS#10")
    return request.certificate_request_value


async def _certify(ctx: Context, provisioning: Provisioning, public_key: bytes) -> ManagedObject:
    """Return the certificate that the server has issued for a public key (SPKI), as the new credential."""
    value = await provisioning.issue(ctx.caller, public_key, ctx.now)
    issued = Certificate(certificate_type=CertificateType.X_509, certificate_value=value)
    return await _adopt(ctx, provisioning, issued)


async def _adopt(ctx: Context, provisioning: Provisioning, certificate: Certificate) -> ManagedObject:
    """Return an X.509 certificate, stored, as the new credential of the caller."""
    ctx.objects.renew(await provisioning.renewed(ctx.caller, certificate.certificate_value, ctx.now))
    new = ctx.objects.create(ObjectType.CERTIFICATE)
    await describe(ctx, new, certificate)
    dress(ctx, new, [AttributeInstance(Tag.ACTIVATION_DATE, ctx.now)])
    ctx.entries.put(str(ctx.caller.client), LinkCredential(certificate=new.unique_identifier))
    return new


async def _make(ctx: Context, provisioning: Provisioning) -> ManagedObject:
    """Return a new private key whose certificate is the new credential; the client fetches it with Get."""
    common = [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.EC),
        AttributeInstance(
            Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
            CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256),
        ),
        AttributeInstance(Tag.ACTIVATION_DATE, ctx.now),
    ]
    private, public = await make_pair(
        ctx,
        [*common, AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN)],
        [*common, AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.VERIFY)],
    )
    certificate = await _certify(ctx, provisioning, await _spki(ctx, public))
    link(certificate, LinkType.PUBLIC_KEY_LINK, public)
    link(public, LinkType.CERTIFICATE_LINK, certificate)
    link(private, LinkType.CERTIFICATE_LINK, certificate)
    return private


async def _spki(ctx: Context, public: ManagedObject) -> bytes:
    assert public.material is not None
    converted = await ctx.crypto.convert(public.material, KeyFormatType.X_509)
    assert isinstance(converted, PublicKey)
    value = converted.key_block.key_value
    assert isinstance(value, KeyValue)
    assert isinstance(value.key_material, SecretBytes)
    return value.key_material.reveal()
