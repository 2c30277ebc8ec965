"""Query (KMIP 1.x §4.25, 2.x §6.1.40).

Rule of the operation: claim only what runs. Operations and objects come from the declarations; a list that
has nothing to claim is left out.
"""

from typing import Annotated

from strongroom.attributes.factory import FactoryDefaults, key_of
from strongroom.domain.access import allowed
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, declared, operation
from strongroom.domain.permission import Permission
from strongroom.model.factory import DefaultsInformation
from strongroom.model.objects import ALL_OBJECT_TYPES
from strongroom.model.struct import Since, WhereSayable
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
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V2_0,
    V3_0,
    AttestationType,
    ClientRegistrationMethod,
    CredentialType,
    DestroyAction,
    ObjectType,
    Operation,
    ProtectionStorageMask,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
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
    quantum_safe_capability=False,
)


@operation(Operation.QUERY, since=V1_0, needs=Permission.NONE, repeatable=True)
async def query(ctx: Context, request: QueryRequest) -> QueryResponse:
    asked = frozenset(request.query_function)
    server = ctx.server
    return QueryResponse(
        operation=allowed(ctx.caller, sorted(declared())) if QueryFunction.QUERY_OPERATIONS in asked else (),
        object_type=ALL_OBJECT_TYPES if QueryFunction.QUERY_OBJECTS in asked else (),
        vendor_identification=server.vendor if QueryFunction.QUERY_SERVER_INFORMATION in asked else None,
        server_information=server.information if QueryFunction.QUERY_SERVER_INFORMATION in asked else None,
        rng_parameters=(ctx.crypto.random_number_generator,) if QueryFunction.QUERY_RNGS in asked else (),
        profile_information=server.profiles if QueryFunction.QUERY_PROFILES in asked else (),
        capability_information=(_CAPABILITIES,) if QueryFunction.QUERY_CAPABILITIES in asked else (),
        defaults_information=(
            await _defaults(ctx) if QueryFunction.QUERY_DEFAULTS_INFORMATION in asked else None
        ),
        protection_storage_masks=(
            ProtectionStorageMasks(protection_storage_mask=(ProtectionStorageMask.SOFTWARE,))
            if QueryFunction.QUERY_STORAGE_PROTECTION_MASKS in asked
            else None
        ),
        credential_information=(
            CredentialInformation(credential_type=(CredentialType.USERNAME_AND_PASSWORD,))
            if QueryFunction.QUERY_CREDENTIAL_INFORMATION in asked
            else None
        ),
    )


async def _defaults(ctx: Context) -> DefaultsInformation | None:
    """Return what Set Defaults has set for the caller."""
    kept = await ctx.entries.get(FactoryDefaults, key_of(ctx.caller))
    return None if kept is None else kept.value.defaults_information
