"""Create Credential (KMIP 3.0)."""

from collections.abc import Mapping
from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.credentials import prepare
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import (
    OBJECT_TYPES,
    Certificate,
    DeviceCredential,
    HashedPasswordCredential,
    ManagedObjectStruct,
    ObjectShape,
    OTPCredential,
    PasswordCredential,
)
from strongroom.procedures.creation import dress, gather
from strongroom.registry import V3_0, CredentialType, Operation, Tag

KINDS: Final[Mapping[CredentialType, type[ManagedObjectStruct]]] = {
    CredentialType.PASSWORD: PasswordCredential,
    CredentialType.DEVICE: DeviceCredential,
    CredentialType.ONE_TIME_PASSWORD: OTPCredential,
    CredentialType.HASHED_PASSWORD: HashedPasswordCredential,
    CredentialType.CERTIFICATE: Certificate,
}
"""What a credential of each type consists of; the others are only ever shown, never kept."""


class CreateCredentialResponse(Response):
    unique_identifier: UniqueIdentifier


class CreateCredentialRequest(Request[CreateCredentialResponse]):
    credential_type: CredentialType
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        None
    )
    managed_object: Annotated[ManagedObjectStruct | None, ObjectShape()] = None


@operation(Operation.CREATE_CREDENTIAL, since=V3_0, needs=Permission.MANAGE_USERS)
async def create_credential(ctx: Context, request: CreateCredentialRequest) -> CreateCredentialResponse:
    kind, value = KINDS.get(request.credential_type), request.managed_object
    if kind is None:
        raise FeatureNotSupported("credentials of this Credential Type are not objects")
    if not isinstance(value, kind):
        raise InvalidField("the Credential Type is not that of the credential in the request")
    facts = await ctx.crypto.examine(value)
    obj = ctx.objects.create(OBJECT_TYPES[kind])
    obj.material = await prepare(ctx.crypto, value)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, facts.cryptographic_algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, facts.cryptographic_length)
    for known in facts.attributes:
        obj.add(known.key, known.value)
    dress(ctx, obj, await gather(ctx, request.attributes))
    ctx.objects.place(obj.unique_identifier)
    return CreateCredentialResponse(unique_identifier=obj.unique_identifier)
