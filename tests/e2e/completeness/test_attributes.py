"""Each attribute is seen on an object, over TLS, in the oldest and the newest version that has it.

Rule: a gallery of objects is made by operations alone; an attribute that none of them shows fails its test.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strongroom import testing
from strongroom.attributes.catalogue import all_attributes
from strongroom.model.convert import encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock
from strongroom.model.messages import Authentication, Credential, OneTimePassword
from strongroom.model.objects import Certificate, OTPCredential, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.model.structures import (
    AlternativeName,
    ApplicationSpecificInformation,
    CryptographicParameters,
    DeactivationReason,
    KeyValueLocation,
    Link,
    Name,
    RNGParameters,
    RotateName,
    UsageLimits,
)
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.deactivate import DeactivateRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.ping import PingRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    V3_0,
    VERSIONS,
    AlternativeNameType,
    BlockCipherMode,
    CertificateType,
    CredentialType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DeactivationReasonCode,
    KeyFormatType,
    KeyValueLocationType,
    LinkType,
    NISTKeyType,
    ObjectType,
    OTPAlgorithm,
    ProtectionLevel,
    RevocationReasonCode,
    RNGAlgorithm,
    RotateNameType,
    State,
    Tag,
    UsageLimitsUnit,
    Version,
)
from tests.e2e.completeness.test_objects import OBJECTS
from tests.expect import active_key, archived_key, key, key_in, mask, registration, revoke
from tests.kms import Refused, attribute, template
from tests.over_tls import OverTls

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=365)

GIVEN: Mapping[Tag, Any] = {
    Tag.ALTERNATIVE_NAME: AlternativeName(
        alternative_name_value="other", alternative_name_type=AlternativeNameType.UNINTERPRETED_TEXT_STRING
    ),
    Tag.APPLICATION_SPECIFIC_INFORMATION: ApplicationSpecificInformation(
        application_namespace="ssl", application_data="www.example.org"
    ),
    Tag.COMMENT: "one",
    Tag.CONTACT_INFORMATION: "somebody",
    Tag.CRYPTOGRAPHIC_PARAMETERS: CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM),
    Tag.DEACTIVATION_DATE: LATER,
    Tag.DESCRIPTION: "a key",
    Tag.LINK: Link(link_type=LinkType.NEXT_LINK, linked_object_identifier=UniqueIdentifier("another")),
    Tag.NAME: Name(name_value="shown"),
    Tag.NIST_KEY_TYPE: NISTKeyType.SYMMETRIC_DATA_ENCRYPTION_KEY,
    Tag.OBJECT_GROUP: "gallery",
    Tag.PKCS_12_FRIENDLY_NAME: "friend",
    Tag.PROCESS_START_DATE: NOW,
    Tag.PROTECT_STOP_DATE: LATER,
    Tag.PROTECTION_LEVEL: ProtectionLevel.HIGH,
    Tag.PROTECTION_PERIOD: Seconds(3600),
    Tag.OPERATION_POLICY_NAME: "default",
    Tag.QUANTUM_SAFE: True,
    Tag.RANDOM_NUMBER_GENERATOR: RNGParameters(rng_algorithm=RNGAlgorithm.UNSPECIFIED),
    Tag.ROTATE_AUTOMATIC: True,
    Tag.ROTATE_INTERVAL: Seconds(86_400),
    Tag.ROTATE_NAME: RotateName(
        rotate_name_value="rotating", rotate_name_type=RotateNameType.UNINTERPRETED_TEXT_STRING
    ),
    Tag.ROTATE_OFFSET: Seconds(60),
    Tag.USAGE_LIMITS: UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.OBJECT),
}
"""What a client gives a key; the rest is the server's to set."""


def rich(kms: OverTls) -> str:
    """Return a key to which everything was given that a client may give."""
    made = key(kms, *[attribute(tag, value) for tag, value in GIVEN.items() if in_version(tag, V1_4)])
    for tag, value in GIVEN.items():
        if not in_version(tag, V1_4):
            version = V2_1 if in_version(tag, V2_1) else V3_0
            request = AddAttributeRequest(
                unique_identifier=UniqueIdentifier(made), new_attribute=attribute(tag, value)
            )
            kms.call(request, version=version)
    return made


LINKS = [tag for tag, a in all_attributes().items() if isinstance(tag, Tag) and tag.name.endswith("_LINK")]

NAMES = {
    NameOID.COUNTRY_NAME: "AU",
    NameOID.ORGANIZATION_NAME: "Example",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "Keys",
    NameOID.COMMON_NAME: "www.example.org",
    NameOID.EMAIL_ADDRESS: "a@b.example",
    NameOID.STATE_OR_PROVINCE_NAME: "QLD",
    NameOID.LOCALITY_NAME: "Brisbane",
    NameOID.USER_ID: "u1",
    NameOID.SERIAL_NUMBER: "1",
    NameOID.TITLE: "Dr",
    NameOID.DOMAIN_COMPONENT: "example",
    NameOID.DN_QUALIFIER: "q",
}


def certificate() -> Certificate:
    """Return a certificate with every part of a name that is an attribute."""
    pair = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in NAMES.items()])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(pair.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(LATER)
        .sign(pair, hashes.SHA256())
    )
    value = made.public_bytes(serialization.Encoding.DER)
    return Certificate(certificate_type=CertificateType.X_509, certificate_value=value)


def linked(kms: OverTls) -> str:
    """Return a key with every kind of link."""
    made, target = key(kms), key(kms)
    for tag in LINKS:
        request = AddAttributeRequest(
            unique_identifier=UniqueIdentifier(made), new_attribute=attribute(tag, target)
        )
        kms.call(request, version=V3_0)
    return made


def rotated(kms: OverTls) -> str:
    rotating = [attribute(tag, GIVEN[tag]) for tag in (Tag.ROTATE_AUTOMATIC, Tag.ROTATE_INTERVAL)]
    old = UniqueIdentifier(key(kms, *rotating))
    return str(kms.call(ReKeyRequest(unique_identifier=old), version=V2_1).unique_identifier)


def compromised(kms: OverTls) -> str:
    made = key(kms)
    request = revoke(made, RevocationReasonCode.KEY_COMPROMISE)
    kms.call(request.replace(compromise_occurrence_date=NOW))
    return made


def deactivated(kms: OverTls) -> str:
    made = active_key(kms)
    reason = DeactivationReason(deactivation_reason_code=DeactivationReasonCode.UNSPECIFIED)
    kms.call(DeactivateRequest(unique_identifier=made, deactivation_reason=reason), version=V3_0)
    return made


def elsewhere(kms: OverTls) -> str:
    """Return a key whose value is kept elsewhere."""
    location = KeyValueLocation(
        key_value_location_value="safe 5",
        key_value_location_type=KeyValueLocationType.UNINTERPRETED_TEXT_STRING,
    )
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=128,
    )
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        SymmetricKey(key_block=block),
        mask(CryptographicUsageMask.ENCRYPT),
        attribute(Tag.KEY_VALUE_LOCATION, location),
    )
    return str(kms.call(request).unique_identifier)


def post_quantum(kms: OverTls) -> str:
    algorithm = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ML_KEM_768)
    request = CreateKeyPairRequest(
        common_attributes=template(algorithm, mask(CryptographicUsageMask.ENCRYPT))
    )
    return str(kms.call(request, version=V3_0).private_key_unique_identifier)


def counted(kms: OverTls) -> str:
    """Return a one time password credential that was used (the first code of RFC 4226 appendix D)."""
    value = OTPCredential(otp_algorithm=OTPAlgorithm.HOTP, otp_seed=SecretBytes(b"12345678901234567890"))
    request = CreateCredentialRequest(
        credential_type=CredentialType.ONE_TIME_PASSWORD, attributes=template(), managed_object=value
    )
    made = kms.call(request, version=V3_0).unique_identifier
    carol = template(attribute(Tag.NAME, Name(name_value="carol")), attribute(Tag.CREDENTIAL_LINK, made))
    kms.call(CreateUserRequest(attributes=carol), version=V3_0)
    code = OneTimePassword(username="carol", one_time_password=SecretBytes(b"755224"))
    credential = Credential(
        credential_type=CredentialType.ONE_TIME_PASSWORD,
        credential_value=encoder(OneTimePassword, V3_0)(code),
    )
    kms.call(PingRequest(), version=V3_0, authentication=Authentication(credential=(credential,)))
    return made


def in_version(tag: Tag, version: Version) -> bool:
    declared = all_attributes()[tag]
    return declared.since <= version <= (declared.until or VERSIONS[-1])


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OverTls, list[str]]]:
    folder: Path = tmp_path_factory.mktemp("gallery")
    with testing.server(folder, settings={"policy": {"count_uses": "on"}}) as server:
        kms = OverTls(server.profile)
        shown: list[str] = []
        for object_type, make in OBJECTS.items():
            kms.version = V1_4 if object_type is ObjectType.TEMPLATE else V3_0
            shown.append(make(kms))
        kms.version = V3_0
        registered = registration(ObjectType.CERTIFICATE, certificate())
        shown.append(str(kms.call(registered).unique_identifier))
        for make in (
            rich,
            linked,
            rotated,
            compromised,
            deactivated,
            elsewhere,
            post_quantum,
            counted,
            archived_key,
        ):
            shown.append(make(kms))
        shown.append(key_in(kms, State.DESTROYED))
        shown.append(active_key(kms))
        yield kms, shown
        kms.close()


def shown_in() -> list[Any]:
    """Return each attribute with the oldest and the newest version that has it."""
    found = []
    for tag, declared in all_attributes().items():
        if isinstance(tag, Tag):
            last = declared.until or VERSIONS[-1]
            found += [
                pytest.param(tag, v, id=f"{tag.name}-{v}") for v in dict.fromkeys((declared.since, last))
            ]
    return found


@pytest.mark.parametrize(("tag", "version"), shown_in())
def test_an_attribute_is_seen(gallery: tuple[OverTls, list[str]], tag: Tag, version: Version) -> None:
    kms, shown = gallery
    kms.version = version
    for identifier in shown:
        asked = GetAttributesRequest(
            unique_identifier=UniqueIdentifier(identifier), attribute_reference=(tag,)
        )
        (answer,) = kms.batch(asked, version=version)
        if not isinstance(answer, Refused) and answer.attributes.attributes:  # type: ignore[attr-defined]
            return
    pytest.fail(f"no object shows {tag.name} in {version}")
