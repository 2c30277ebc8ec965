"""What kind of key it is: algorithm, length, parameters, format, digest.

Rule: declarations only; what follows from the material is computed from it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from strongroom.attributes.declaration import (
    CLIENT,
    CREATION,
    DELETE,
    EITHER,
    GENERATION,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.objects import ManagedObject
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, CertificateRequest, ManagedObjectStruct, OpaqueObject
from strongroom.model.structures import (
    CryptographicDomainParameters,
    CryptographicParameters,
    Digest,
    KeyValueLocation,
    RNGParameters,
)
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_3,
    V2_0,
    V3_0,
    CryptographicAlgorithm,
    ItemType,
    KeyFormatType,
    NISTKeyType,
    ObjectType,
    OpaqueDataType,
    Operation,
    Tag,
)

_KEY_PAIRS: Final = frozenset({ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.TEMPLATE})
_FORMATS: Final[Mapping[type[ManagedObjectStruct], KeyFormatType]] = {
    Certificate: KeyFormatType.X_509,
    CertificateRequest: KeyFormatType.PKCS_10,
    OpaqueObject: KeyFormatType.OPAQUE,
}
"""Objects without a key block (KMIP 2.1 table 81)."""


def _key_format_type(obj: ManagedObject, now: datetime) -> KeyFormatType | None:
    material = obj.material
    key_block: KeyBlock | None = getattr(material, "key_block", None)
    if key_block is not None:
        return key_block.key_format_type
    if material is None:  # destroyed: the digest still tells what the material was
        digest = obj.value(Tag.DIGEST)
        return None if digest is None else digest.key_format_type
    return _FORMATS.get(type(material))


def _key_value_present(obj: ManagedObject, now: datetime) -> bool | None:
    """Return False for a key that is kept elsewhere; nobody else has the attribute (KMIP 2.1 §4.28)."""
    key_block: KeyBlock | None = getattr(obj.material, "key_block", None)
    return False if key_block is not None and key_block.key_value is None else None


def _opaque_data_type(obj: ManagedObject, now: datetime) -> OpaqueDataType | None:
    material = obj.material
    return material.opaque_data_type if isinstance(material, OpaqueObject) else None


def _check_length(value: int) -> None:
    if value <= 0:
        raise InvalidAttributeValue("a Cryptographic Length is at least 1 bit")


_CATEGORIES: Final[Mapping[CryptographicAlgorithm, int]] = {
    CryptographicAlgorithm.ML_KEM_512: 1,
    CryptographicAlgorithm.ML_KEM_768: 3,
    CryptographicAlgorithm.ML_KEM_1024: 5,
    CryptographicAlgorithm.ML_DSA_44: 2,
    CryptographicAlgorithm.ML_DSA_65: 3,
    CryptographicAlgorithm.ML_DSA_87: 5,
    CryptographicAlgorithm.SLH_DSA_SHA2_128S: 1,
    CryptographicAlgorithm.SLH_DSA_SHA2_128F: 1,
    CryptographicAlgorithm.SLH_DSA_SHA2_192S: 3,
    CryptographicAlgorithm.SLH_DSA_SHA2_192F: 3,
    CryptographicAlgorithm.SLH_DSA_SHA2_256S: 5,
    CryptographicAlgorithm.SLH_DSA_SHA2_256F: 5,
    CryptographicAlgorithm.SLH_DSA_SHAKE_128S: 1,
    CryptographicAlgorithm.SLH_DSA_SHAKE_128F: 1,
    CryptographicAlgorithm.SLH_DSA_SHAKE_192S: 3,
    CryptographicAlgorithm.SLH_DSA_SHAKE_192F: 3,
    CryptographicAlgorithm.SLH_DSA_SHAKE_256S: 5,
    CryptographicAlgorithm.SLH_DSA_SHAKE_256F: 5,
}
"""FIPS 203 table 2, FIPS 204 table 1, FIPS 205 table 2."""


def security_category(algorithm: object) -> int | None:
    """Return the NIST security category of a parameter set; None where the standard gives none."""
    return _CATEGORIES.get(algorithm) if isinstance(algorithm, CryptographicAlgorithm) else None


# Each declaration keeps the rows of the rule table.
# fmt: off
CRYPTOGRAPHIC_ALGORITHM = attribute(
    Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm, since=V1_0, spec="1.4 §3.4, 2.1 §4.13",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=CREATION,
    requestable=True,
)

CRYPTOGRAPHIC_LENGTH = attribute(
    Tag.CRYPTOGRAPHIC_LENGTH, int, marker=ItemType.INTEGER, since=V1_0, spec="1.4 §3.5, 2.1 §4.15",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=CREATION,
    requestable=True, check=_check_length,
)

CRYPTOGRAPHIC_DOMAIN_PARAMETERS = attribute(
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters, since=V1_0,
    spec="1.4 §3.7, 2.1 §4.14",
    always_has_value=False, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=_KEY_PAIRS,
    implicitly_set_by=frozenset({Operation.RE_KEY, Operation.RE_KEY_KEY_PAIR}),
)

CRYPTOGRAPHIC_PARAMETERS = attribute(
    Tag.CRYPTOGRAPHIC_PARAMETERS, CryptographicParameters, since=V1_0, spec="1.4 §3.6, 2.1 §4.16",
    always_has_value=False, initially_set_by=CLIENT, multiple=True,
    server_may=NOTHING, client_may=MODIFY | DELETE,
    implicitly_set_by=frozenset({Operation.RE_KEY, Operation.RE_CERTIFY, Operation.RE_KEY_KEY_PAIR}),
)

KEY_FORMAT_TYPE = attribute(
    Tag.KEY_FORMAT_TYPE, KeyFormatType, since=V2_0, spec="2.1 §4.26",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    requestable=True, computed=_key_format_type, common=KeyFormatType.RAW,
)

DIGEST = attribute(
    Tag.DIGEST, Digest, since=V1_0, spec="1.4 §3.17, 2.1 §4.21",
    always_has_value=True, initially_set_by=SERVER, multiple=True,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CREATION,
    indexed_by="digest_value",
)

RANDOM_NUMBER_GENERATOR = attribute(
    Tag.RANDOM_NUMBER_GENERATOR, RNGParameters, since=V1_3, spec="1.4 §3.44, 2.1 §4.46",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=GENERATION,
    index=Index.EXAMINED,
)

NIST_KEY_TYPE = attribute(
    Tag.NIST_KEY_TYPE, NISTKeyType, since=V2_0, spec="2.1 §4.34",
    always_has_value=False, initially_set_by=CLIENT, multiple=True,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

NIST_SECURITY_CATEGORY = attribute(
    Tag.NIST_SECURITY_CATEGORY, int, marker=ItemType.INTEGER, since=V3_0, spec="3.0",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
)

QUANTUM_SAFE = attribute(
    Tag.QUANTUM_SAFE, bool, since=V2_0, spec="2.1 §4.45",
    always_has_value=False, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)

OPAQUE_DATA_TYPE = attribute(
    Tag.OPAQUE_DATA_TYPE, OpaqueDataType, since=V2_0, spec="2.1 §4.37",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=frozenset({ObjectType.OPAQUE_OBJECT}),
    implicitly_set_by=frozenset({Operation.REGISTER}),
    requestable=True, computed=_opaque_data_type,
)

KEY_VALUE_PRESENT = attribute(
    Tag.KEY_VALUE_PRESENT, bool, since=V1_2, spec="1.4 §3.41, 2.1 §4.28",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    computed=_key_value_present,
)

KEY_VALUE_LOCATION = attribute(
    Tag.KEY_VALUE_LOCATION, KeyValueLocation, since=V1_2, spec="1.4 §3.42, 2.1 §4.27",
    always_has_value=False, initially_set_by=CLIENT, multiple=True,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)
