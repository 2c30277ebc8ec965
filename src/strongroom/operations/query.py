"""Query (KMIP 1.x §4.25, 2.x §6.1.40).

Rule of the operation: claim only what runs. Operations and objects come from the declarations; a list that
has nothing to claim is left out.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from strongroom.attributes.protection import STORAGE
from strongroom.attributes.rules import require_few
from strongroom.domain.access import allowed
from strongroom.domain.context import Context
from strongroom.domain.errors import UnknownObjectGroup
from strongroom.domain.operation import Request, Response, declared, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.factory import DefaultsInformation
from strongroom.model.objects import ALL_OBJECT_TYPES
from strongroom.model.rights import ObjectGroups
from strongroom.model.struct import Since, Until, WhereSayable
from strongroom.model.structures import (
    CapabilityInformation,
    CredentialInformation,
    ExtensionInformation,
    ProfileInformation,
    ProtectionStorageMasks,
    RNGParameters,
    ServerInformation,
    ValidationInformation,
)
from strongroom.procedures.factory import FactoryDefaults, includes, key_of
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V2_0,
    V2_1,
    V3_0,
    AttestationType,
    ClientRegistrationMethod,
    CredentialType,
    DestroyAction,
    ObjectType,
    Operation,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
    Tag,
    UnwrapMode,
)


class QueryResponse(Response):
    operation: tuple[Operation, ...] = ()
    object_type: tuple[ObjectType, ...] = ()
    vendor_identification: str | None = None
    server_information: ServerInformation | None = None
    application_namespace: tuple[str, ...] = ()
    extension_information: Annotated[tuple[ExtensionInformation, ...], Since(V1_1)] = ()
    attestation_type: Annotated[tuple[AttestationType, ...], Since(V1_2)] = ()
    rng_parameters: Annotated[tuple[RNGParameters, ...], Since(V1_3)] = ()
    profile_information: Annotated[tuple[ProfileInformation, ...], Since(V1_3), WhereSayable()] = ()
    validation_information: Annotated[tuple[ValidationInformation, ...], Since(V1_3)] = ()
    capability_information: Annotated[tuple[CapabilityInformation, ...], Since(V1_3)] = ()
    client_registration_method: Annotated[tuple[ClientRegistrationMethod, ...], Since(V1_3)] = ()
    defaults_information: Annotated[DefaultsInformation | None, Since(V2_0)] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    credential_information: Annotated[CredentialInformation | None, Since(V3_0)] = None


class QueryRequest(Request[QueryResponse]):
    query_function: tuple[QueryFunction, ...]
    object_groups: Annotated[ObjectGroups | None, Since(V2_1), Until(V2_1)] = None


_CAPABILITIES = CapabilityInformation(
    streaming_capability=True,
    asynchronous_capability=True,
    attestation_capability=False,
    batch_undo_capability=True,
    batch_continue_capability=True,
    unwrap_mode=UnwrapMode.PROCESSED,
    destroy_action=DestroyAction.KEY_MATERIAL_DELETED,
    shredding_algorithm=ShreddingAlgorithm.UNSPECIFIED,
    rng_mode=RNGMode.SHARED_INSTANTIATION,
    quantum_safe_capability=True,  # ML-DSA signs, ML-KEM keys are made
)

CREDENTIALS: Final = tuple(sorted({*CredentialType} - {CredentialType.ATTESTATION}))
"""What a request is authenticated with, or Create Credential keeps: all but attestations."""

_ARCHIVED_TOO: Final = 3
"""Storage Status Mask: a group exists while it has a member."""


@operation(Operation.QUERY, since=V1_0, needs=Permission.NONE, repeatable=True)
async def query(ctx: Context, request: QueryRequest) -> QueryResponse:
    asked = frozenset(request.query_function)
    server = ctx.server
    groups = () if request.object_groups is None else request.object_groups.object_group
    asks_defaults = QueryFunction.QUERY_DEFAULTS_INFORMATION in asked
    defaults = await _defaults(ctx, groups) if groups or asks_defaults else None
    return QueryResponse(
        operation=allowed(ctx.caller, sorted(declared())) if QueryFunction.QUERY_OPERATIONS in asked else (),
        object_type=ALL_OBJECT_TYPES if QueryFunction.QUERY_OBJECTS in asked else (),
        vendor_identification=server.vendor if QueryFunction.QUERY_SERVER_INFORMATION in asked else None,
        server_information=server.information if QueryFunction.QUERY_SERVER_INFORMATION in asked else None,
        rng_parameters=(ctx.crypto.random_number_generator,) if QueryFunction.QUERY_RNGS in asked else (),
        profile_information=server.profiles if QueryFunction.QUERY_PROFILES in asked else (),
        capability_information=(_CAPABILITIES,) if QueryFunction.QUERY_CAPABILITIES in asked else (),
        defaults_information=defaults if asks_defaults else None,
        protection_storage_masks=(
            ProtectionStorageMasks(protection_storage_mask=(STORAGE,))
            if QueryFunction.QUERY_STORAGE_PROTECTION_MASKS in asked
            else None
        ),
        credential_information=(
            CredentialInformation(credential_type=CREDENTIALS)
            if QueryFunction.QUERY_CREDENTIAL_INFORMATION in asked
            else None
        ),
    )


async def _defaults(ctx: Context, groups: Sequence[str]) -> DefaultsInformation | None:
    """Return what Set Defaults has set for the caller, where groups are given for objects of these.

    Raises UnknownObjectGroup for one that has neither members, as far as the caller sees, nor defaults.
    """
    kept = await ctx.entries.get(FactoryDefaults, key_of(ctx.caller))
    every = () if kept is None else kept.value.defaults_information.object_defaults
    require_few(len(groups))
    for group in groups:
        named = any(d.object_groups is not None and group in d.object_groups.object_group for d in every)
        if not named and not await _has_members(ctx, group):
            raise UnknownObjectGroup("one of the Object Groups in the request is not known")
    if groups:
        given = frozenset(groups)
        every = tuple(d for d in every if includes(d.object_groups, given))
    return None if kept is None else DefaultsInformation(object_defaults=every)


async def _has_members(ctx: Context, group: str) -> bool:
    member = AttributeInstance(Tag.OBJECT_GROUP, group)
    found = await ctx.objects.locate([member], storage=_ARCHIVED_TOO, maximum=1, offset=0)
    return bool(found.unique_identifiers)
