"""Structures that attributes and payloads share (KMIP 1.x §2.1 and §3, 2.x §4 and §7).

Rule: declarations only, fields in the order of the specification.
"""

from typing import Annotated, ClassVar

from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32, Int64, Since, Struct
from strongroom.registry import (
    V1_1,
    V1_2,
    V1_4,
    V2_0,
    AlternativeNameType,
    BlockCipherMode,
    CredentialType,
    CryptographicAlgorithm,
    DeactivationReasonCode,
    DestroyAction,
    DigitalSignatureAlgorithm,
    DRBGAlgorithm,
    EncodingOption,
    FIPS186Variation,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    KeyRoleType,
    KeyValueLocationType,
    LinkType,
    MaskGenerator,
    NameType,
    ObjectType,
    Operation,
    PaddingMethod,
    ProfileName,
    ProtectionStorageMask,
    RecommendedCurve,
    RevocationReasonCode,
    RNGAlgorithm,
    RNGMode,
    RotateNameType,
    ShreddingAlgorithm,
    UnwrapMode,
    UsageLimitsUnit,
    ValidationAuthorityType,
    ValidationType,
    WrappingMethod,
)


class AlternativeName(Struct):
    alternative_name_value: str
    alternative_name_type: AlternativeNameType


class ApplicationSpecificInformation(Struct):
    application_namespace: str
    application_data: str | None = None


class CertificateIdentifier(Struct):
    issuer: str
    serial_number: str | None = None  # PGP certificates have none


class CertificateIssuer(Struct):
    certificate_issuer_distinguished_name: str
    certificate_issuer_alternative_name: tuple[str, ...] = ()


class CertificateSubject(Struct):
    certificate_subject_distinguished_name: str
    certificate_subject_alternative_name: tuple[str, ...] = ()


class CryptographicDomainParameters(Struct):
    qlength: Int32 | None = None
    recommended_curve: RecommendedCurve | None = None


class CryptographicParameters(Struct):
    recurrent: ClassVar[bool] = True

    block_cipher_mode: BlockCipherMode | None = None
    padding_method: PaddingMethod | None = None
    hashing_algorithm: HashingAlgorithm | None = None
    key_role_type: KeyRoleType | None = None
    digital_signature_algorithm: Annotated[DigitalSignatureAlgorithm | None, Since(V1_2)] = None
    cryptographic_algorithm: Annotated[CryptographicAlgorithm | None, Since(V1_2)] = None
    random_iv: Annotated[bool | None, Since(V1_2)] = None
    iv_length: Annotated[Int32 | None, Since(V1_2)] = None
    tag_length: Annotated[Int32 | None, Since(V1_2)] = None
    fixed_field_length: Annotated[Int32 | None, Since(V1_2)] = None
    invocation_field_length: Annotated[Int32 | None, Since(V1_2)] = None
    counter_length: Annotated[Int32 | None, Since(V1_2)] = None
    initial_counter_value: Annotated[Int32 | None, Since(V1_2)] = None
    salt_length: Annotated[Int32 | None, Since(V1_4)] = None
    mask_generator: Annotated[MaskGenerator | None, Since(V1_4)] = None
    mask_generator_hashing_algorithm: Annotated[HashingAlgorithm | None, Since(V1_4)] = None
    p_source: Annotated[bytes | None, Since(V1_4)] = None
    trailer_field: Annotated[Int32 | None, Since(V1_4)] = None


class DeactivationReason(Struct):
    deactivation_reason_code: DeactivationReasonCode
    deactivation_message: str | None = None


class DerivationParameters(Struct):
    """What a Derivation Method works with; Derivation Data may repeat since 2.0."""

    cryptographic_parameters: CryptographicParameters | None = None
    initialization_vector: bytes | None = None
    derivation_data: tuple[SecretBytes, ...] = ()
    salt: bytes | None = None
    iteration_count: Int32 | None = None


class Digest(Struct):
    hashing_algorithm: HashingAlgorithm
    digest_value: bytes | None = None
    key_format_type: Annotated[KeyFormatType | None, Since(V1_1)] = None


class EncryptionKeyInformation(Struct):
    unique_identifier: ObjectReference
    cryptographic_parameters: CryptographicParameters | None = None


class MACSignatureKeyInformation(Struct):
    unique_identifier: ObjectReference
    cryptographic_parameters: CryptographicParameters | None = None


class ExtensionInformation(Struct):
    extension_name: str
    extension_tag: Int32 | None = None
    extension_type: ItemType | None = None
    extension_enumeration: Annotated[Int32 | None, Since(V2_0)] = None
    extension_attribute: Annotated[bool | None, Since(V2_0)] = None
    extension_parent_structure_tag: Annotated[Int32 | None, Since(V2_0)] = None
    extension_description: Annotated[str | None, Since(V2_0)] = None


class KeyValueLocation(Struct):
    key_value_location_value: str
    key_value_location_type: KeyValueLocationType


class KeyWrappingData(Struct):
    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    mac_signature: bytes | None = None
    iv_counter_nonce: bytes | None = None
    encoding_option: Annotated[EncodingOption | None, Since(V1_1)] = None


class Link(Struct):
    link_type: LinkType
    linked_object_identifier: UniqueIdentifier


class Name(Struct):
    """A name; 3.0 has the text alone, which is then an uninterpreted text string."""

    name_value: str
    name_type: NameType = NameType.UNINTERPRETED_TEXT_STRING


class Nonce(Struct):
    nonce_id: bytes
    nonce_value: bytes


class ObjectTypes(Struct):
    object_type: tuple[ObjectType, ...] = ()


class Operations(Struct):
    operation: tuple[Operation, ...] = ()


class ProtectionStorageMasks(Struct):
    protection_storage_mask: tuple[ProtectionStorageMask, ...] = ()


class ProfileVersion(Struct):
    profile_version_major: Int32
    profile_version_minor: Int32


class ProtocolVersion(Struct):
    protocol_version_major: Int32
    protocol_version_minor: Int32


class RevocationReason(Struct):
    revocation_reason_code: RevocationReasonCode
    revocation_message: str | None = None


class RNGParameters(Struct):
    rng_algorithm: RNGAlgorithm
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: Int32 | None = None
    hashing_algorithm: HashingAlgorithm | None = None
    drbg_algorithm: DRBGAlgorithm | None = None
    recommended_curve: RecommendedCurve | None = None
    fips186_variation: FIPS186Variation | None = None
    prediction_resistance: bool | None = None


class RotateName(Struct):
    rotate_name_value: str
    rotate_name_type: RotateNameType = RotateNameType.UNINTERPRETED_TEXT_STRING


class UsageLimits(Struct):
    """Total and what is left of it; a client that sets limits may leave the count to the server."""

    usage_limits_total: Int64
    usage_limits_count: Int64 | None = None
    usage_limits_unit: UsageLimitsUnit


class X509CertificateIdentifier(Struct):
    issuer_distinguished_name: bytes
    certificate_serial_number: bytes


class X509CertificateIssuer(Struct):
    issuer_distinguished_name: bytes
    issuer_alternative_name: tuple[bytes, ...] = ()


class X509CertificateSubject(Struct):
    subject_distinguished_name: bytes
    subject_alternative_name: tuple[bytes, ...] = ()


class ServerInformation(Struct):
    """Structured since 2.0; in 1.x its content is the vendor's, so the same fields serve."""

    server_name: str | None = None
    server_serial_number: str | None = None
    server_version: str | None = None
    server_load: str | None = None
    product_name: str | None = None
    build_level: str | None = None
    build_date: str | None = None
    cluster_info: str | None = None
    alternate_failover_endpoints: Annotated[tuple[str, ...], Since(V2_0)] = ()


class CapabilityInformation(Struct):
    streaming_capability: bool | None = None
    asynchronous_capability: bool | None = None
    attestation_capability: bool | None = None
    batch_undo_capability: Annotated[bool | None, Since(V1_4)] = None
    batch_continue_capability: Annotated[bool | None, Since(V1_4)] = None
    unwrap_mode: UnwrapMode | None = None
    destroy_action: DestroyAction | None = None
    shredding_algorithm: ShreddingAlgorithm | None = None
    rng_mode: RNGMode | None = None
    quantum_safe_capability: Annotated[bool | None, Since(V2_0)] = None


class CredentialInformation(Struct):
    credential_type: tuple[CredentialType, ...] = ()


class ProfileInformation(Struct):
    profile_name: ProfileName
    profile_version: Annotated[ProfileVersion | None, Since(V2_0)] = None
    server_uri: str | None = None
    server_port: Int32 | None = None


class ValidationInformation(Struct):
    validation_authority_type: ValidationAuthorityType
    validation_authority_country: str | None = None
    validation_authority_uri: str | None = None
    validation_version_major: Int32
    validation_version_minor: Int32 | None = None
    validation_type: ValidationType
    validation_level: Int32
    validation_certificate_identifier: str | None = None
    validation_certificate_uri: str | None = None
    validation_vendor_uri: str | None = None
    validation_profile: tuple[str, ...] = ()
