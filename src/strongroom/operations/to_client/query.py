"""Query, asked by the server (KMIP 1.3 §5.3, 2.x §6.2.4)."""

from typing import Annotated

from strongroom.domain.operation import Request, Response, of_client
from strongroom.model.struct import WhereSayable
from strongroom.model.structures import (
    CapabilityInformation,
    ExtensionInformation,
    ProfileInformation,
    RNGParameters,
    ServerInformation,
    ValidationInformation,
)
from strongroom.registry import (
    V1_3,
    V2_1,
    AttestationType,
    ClientRegistrationMethod,
    ObjectType,
    Operation,
    QueryFunction,
)


class ClientQueryResponse(Response):
    operation: tuple[Operation, ...] = ()
    object_type: tuple[ObjectType, ...] = ()
    vendor_identification: str | None = None
    server_information: ServerInformation | None = None
    extension_information: tuple[ExtensionInformation, ...] = ()
    attestation_type: tuple[AttestationType, ...] = ()
    rng_parameters: tuple[RNGParameters, ...] = ()
    profile_information: Annotated[tuple[ProfileInformation, ...], WhereSayable()] = ()
    validation_information: tuple[ValidationInformation, ...] = ()
    capability_information: tuple[CapabilityInformation, ...] = ()
    client_registration_method: tuple[ClientRegistrationMethod, ...] = ()


class ClientQueryRequest(Request[ClientQueryResponse]):
    query_function: tuple[QueryFunction, ...]


QUERY = of_client(Operation.QUERY, ClientQueryRequest, since=V1_3, until=V2_1)
