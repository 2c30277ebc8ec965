"""The conditions under which a place in a response may differ.

Rule: plain yes-or-no questions about a Spot, one function each; `variations.py` says which permission
each one serves and who grants it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from strongroom.conformance.spot import Spot
from strongroom.conformance.trees import child, children, find
from strongroom.conformance.variables import Variable
from strongroom.registry import (
    V1_1,
    BlockCipherMode,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    PKCS11Function,
    ResultReason,
    ResultStatus,
    Tag,
)
from strongroom.registry.names import defined_values
from strongroom.wire.item import BYTE_STRING, INTEGER, STRUCTURE, Item

IDENTIFIER_TAGS: Final = frozenset(
    {
        Tag.UNIQUE_IDENTIFIER,
        Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER,
        Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER,
        Tag.LINKED_OBJECT_IDENTIFIER,
        Tag.SHORT_UNIQUE_IDENTIFIER,
    }
)
_DATES: Final = frozenset(
    {
        Tag.ACTIVATION_DATE,
        Tag.ARCHIVE_DATE,
        Tag.COMPROMISE_DATE,
        Tag.COMPROMISE_OCCURRENCE_DATE,
        Tag.DEACTIVATION_DATE,
        Tag.DESTROY_DATE,
        Tag.INITIAL_DATE,
        Tag.LAST_CHANGE_DATE,
        # P10 prints Protect Start Date and Process Stop Date, which do not exist; P30 has them right.
        Tag.PROTECT_STOP_DATE,
        Tag.PROCESS_START_DATE,
        Tag.VALIDITY_DATE,
        Tag.ORIGINAL_CREATION_DATE,
        Tag.BUILD_DATE,
        Tag.ROTATE_DATE,
        Tag.SUBMISSION_DATE,
    }
)
_OUTPUTS: Final = frozenset(
    {
        Tag.DATA,
        Tag.SIGNATURE_DATA,
        Tag.MAC_DATA,
        Tag.IV_COUNTER_NONCE,
        Tag.AUTHENTICATED_ENCRYPTION_TAG,
    }
)
CORRELATION: Final = frozenset({Tag.SERVER_CORRELATION_VALUE, Tag.CLIENT_CORRELATION_VALUE})
TEMPLATES: Final = frozenset(
    {
        Tag.TEMPLATE_ATTRIBUTE,
        Tag.COMMON_TEMPLATE_ATTRIBUTE,
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE,
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE,
    }
)
SELF_DESCRIPTION: Final = frozenset(
    {
        Tag.VENDOR_IDENTIFICATION,
        Tag.SERVER_INFORMATION,
        Tag.APPLICATION_NAMESPACE,
        Tag.EXTENSION_INFORMATION,
        Tag.RNG_PARAMETERS,
        Tag.PROFILE_INFORMATION,
        Tag.VALIDATION_INFORMATION,
        Tag.CAPABILITY_INFORMATION,
        Tag.ATTESTATION_TYPE,
        Tag.CLIENT_REGISTRATION_METHOD,
        Tag.DEFAULTS_INFORMATION,
        Tag.PROTECTION_STORAGE_MASKS,
    }
)
_OPTIONAL_DESCRIPTION: Final = frozenset(
    {Tag.VENDOR_IDENTIFICATION, Tag.APPLICATION_NAMESPACE, Tag.EXTENSION_INFORMATION}
)
_ISSUED: Final = frozenset(
    {
        Tag.CERTIFICATE_VALUE,
        Tag.CERTIFICATE_LENGTH,
        Tag.CERTIFICATE_SERIAL_NUMBER,
        Tag.ISSUER_DISTINGUISHED_NAME,
        Tag.X_509_CERTIFICATE_IDENTIFIER,
        Tag.X_509_CERTIFICATE_ISSUER,
        Tag.DIGITAL_SIGNATURE_ALGORITHM,
    }
)
_OF_SEEDING: Final = frozenset({Tag.DATA_LENGTH, Tag.RESULT_STATUS, Tag.RESULT_REASON, Tag.RESPONSE_PAYLOAD})
_OF_GETTING: Final = frozenset({Tag.RESULT_STATUS, Tag.RESULT_REASON, Tag.RESPONSE_PAYLOAD})
_DONE: Final = (ResultStatus.SUCCESS, None)
_DENIED: Final = (ResultStatus.OPERATION_FAILED, ResultReason.PERMISSION_DENIED)
_BASELINE: Final[frozenset[int]] = frozenset(
    {
        Operation.LOCATE,
        Operation.CHECK,
        Operation.GET,
        Operation.GET_ATTRIBUTES,
        Operation.GET_ATTRIBUTE_LIST,
        Operation.ADD_ATTRIBUTE,
        Operation.MODIFY_ATTRIBUTE,
        Operation.DELETE_ATTRIBUTE,
        Operation.ACTIVATE,
        Operation.REVOKE,
        Operation.DESTROY,
        Operation.QUERY,
        Operation.CREATE,
        Operation.CREATE_KEY_PAIR,
        Operation.REGISTER,
    }
)
_PROFILED_OBJECTS: Final[frozenset[int]] = frozenset(
    {
        ObjectType.SYMMETRIC_KEY,
        ObjectType.PUBLIC_KEY,
        ObjectType.PRIVATE_KEY,
        ObjectType.CERTIFICATE,
        ObjectType.OPAQUE_OBJECT,
        ObjectType.SECRET_DATA,
        ObjectType.TEMPLATE,
    }
)
_REQUIRED_OF_QUERY: Final[Mapping[int, tuple[str, frozenset[int]]]] = {
    Tag.OPERATION: ("Operation", _BASELINE),
    Tag.OBJECT_TYPE: ("ObjectType", _PROFILED_OBJECTS),
}
_OBJECT_GROUP: Final = "Object Group"
_DETERMINISTIC_WRAPPING: Final = frozenset({BlockCipherMode.NISTKEYWRAP, BlockCipherMode.AESKEYWRAPPADDING})
_RANDOM_PADDING: Final = frozenset({PaddingMethod.OAEP, PaddingMethod.PSS, PaddingMethod.PKCS1_V1_5})
_RANDOM_SIGNATURES: Final = frozenset(
    {CryptographicAlgorithm.DSA, CryptographicAlgorithm.ECDSA, CryptographicAlgorithm.EC}
)
_SELF_DESCRIBING_CALLS: Final = frozenset(
    {PKCS11Function.C_GETINFO, PKCS11Function.C_GETSLOTINFO, PKCS11Function.C_GETTOKENINFO}
)


def printed(spot: Spot) -> bool:
    return spot.expected is not None and not isinstance(spot.expected[2], Variable)


def in_header(spot: Spot) -> bool:
    return spot.path[-1:] == (Tag.RESPONSE_HEADER,)


def _in_payload(spot: Spot) -> bool:
    return spot.path[-1:] in ((Tag.RESPONSE_PAYLOAD,), (Tag.REQUEST_PAYLOAD,))


def in_query(spot: Spot) -> bool:
    return spot.operation == Operation.QUERY and _in_payload(spot)


def _asked(spot: Spot, tag: int) -> Item | None:
    return child(spot.request, tag) if spot.request is not None else None


def unfixed_date(spot: Spot) -> bool:
    """A date that no request fixed; a variable is one relative to now, which the comparison checks."""
    if spot.tag not in _DATES or spot.expected is None or spot.expected[1] == STRUCTURE:
        return False
    return printed(spot) and spot.expected[2] not in spot.fixed_dates


def key_material(spot: Spot) -> bool:
    """The material itself, or the whole Key Value where one side has it wrapped.

    A symmetric key of another length is not another key but a wrong one.
    """
    if not spot.by_server or spot.expected is None or spot.actual is None:
        return False
    kinds = {spot.expected[1], spot.actual[1]}
    if spot.tag == Tag.KEY_VALUE:
        return kinds != {STRUCTURE}
    if spot.tag != Tag.KEY_MATERIAL:
        return False
    return kinds != {BYTE_STRING} or Tag.SYMMETRIC_KEY not in spot.path or _equally_long(spot)


def wrapped_key(spot: Spot) -> bool:
    wrapping = child(spot.parents[0], Tag.KEY_WRAPPING_DATA) if spot.parents[0] is not None else None
    if spot.tag != Tag.KEY_VALUE or wrapping is None:
        return False
    modes = [item[2] for item in find(wrapping, Tag.BLOCK_CIPHER_MODE)]
    keys = [item[2] for item in find(wrapping, Tag.UNIQUE_IDENTIFIER)]
    return any(spot.ledger.by_server(str(key)) for key in keys if not isinstance(key, Variable)) or not (
        modes and set(modes) <= _DETERMINISTIC_WRAPPING
    )


def container(spot: Spot) -> bool:
    """A Key Value that the listing leaves open, as a whole, in a format that is encrypted anew each time."""
    format_type = child(spot.parents[1], Tag.KEY_FORMAT_TYPE) if spot.parents[1] is not None else None
    return (
        spot.tag == Tag.KEY_VALUE
        and spot.expected is not None
        and isinstance(spot.expected[2], Variable)
        and format_type is not None
        and format_type[2] == KeyFormatType.PKCS_12
    )


def format_chosen(spot: Spot) -> bool:
    """The server chose the material, or the object has no Key Block in which a client could say it."""
    if spot.tag != Tag.KEY_FORMAT_TYPE or _asked(spot, Tag.KEY_FORMAT_TYPE) is not None:
        return False
    return spot.by_server or (spot.subject is not None and not spot.ledger.format_given(spot.subject))


def digest(spot: Spot) -> bool:
    if spot.path[-1:] != (Tag.DIGEST,):
        return False
    if spot.tag == Tag.HASHING_ALGORITHM:
        return True
    printed, received = (child(item, Tag.HASHING_ALGORITHM) if item else None for item in spot.parents)
    return spot.tag == Tag.DIGEST_VALUE and (spot.by_server or printed != received)


def crypto_output(spot: Spot) -> bool:
    if spot.tag not in _OUTPUTS or not _in_payload(spot):
        return False
    return (spot.by_server and not spot.round_trip) or _inherently_variable(spot)


def _inherently_variable(spot: Spot) -> bool:
    """Random numbers, random IVs, randomised paddings and signatures."""
    if spot.operation == Operation.RNG_RETRIEVE:
        return _equally_long(spot)
    if spot.subject is None or spot.operation not in (Operation.ENCRYPT, Operation.SIGN):
        return False
    algorithm = spot.ledger.algorithm(spot.subject)
    paddings = {item[2] for item in find(spot.request, Tag.PADDING_METHOD)} if spot.request else set()
    paddings = paddings or set(spot.ledger.paddings(spot.subject))
    if spot.operation == Operation.SIGN:
        return algorithm in _RANDOM_SIGNATURES or PaddingMethod.PSS in paddings
    random_iv = spot.parents[0] is not None and child(spot.parents[0], Tag.IV_COUNTER_NONCE) is not None
    return random_iv or (
        algorithm == CryptographicAlgorithm.RSA and (not paddings or bool(paddings & _RANDOM_PADDING))
    )


def _equally_long(spot: Spot) -> bool:
    if spot.expected is None or spot.actual is None or isinstance(spot.expected[2], Variable):
        return True
    return len(spot.expected[2]) == len(spot.actual[2])


def issued(spot: Spot) -> bool:
    return spot.tag in _ISSUED and spot.by_server


def pkcs11_description(spot: Spot) -> bool:
    function = _asked(spot, Tag.PKCS_11_FUNCTION)
    return (
        spot.tag == Tag.PKCS_11_OUTPUT_PARAMETERS
        and function is not None
        and function[2] in _SELF_DESCRIBING_CALLS
        and _equally_long(spot)
    )


def _names_asked(spot: Spot) -> set[object]:
    """Return the attribute names or tags that the request lists; empty when it asks for all."""
    names: set[object] = set()
    for tag in (Tag.ATTRIBUTE_NAME, Tag.ATTRIBUTE_REFERENCE):
        for item in children(spot.request, tag) if spot.request is not None else ():
            vendor = child(item, Tag.ATTRIBUTE_NAME) if item[1] == STRUCTURE else item
            names |= {vendor[2]} if vendor is not None else set()
    return names


def extra_attribute(spot: Spot) -> bool:
    """An attribute more: any when all were asked for, only those asked for when some were."""
    in_list = spot.tag in (Tag.ATTRIBUTE_NAME, Tag.ATTRIBUTE_REFERENCE) and _in_payload(spot)
    if in_list:
        return spot.operation == Operation.GET_ATTRIBUTE_LIST
    inside = spot.path[-1:] == (Tag.ATTRIBUTES,) or (spot.tag == Tag.ATTRIBUTE and _in_payload(spot))
    if not inside or spot.operation in (Operation.ADD_ATTRIBUTE, Operation.MODIFY_ATTRIBUTE):
        return False
    asked = _names_asked(spot)
    return not asked or spot.tag in asked or spot.attribute in asked


def unasked_group(spot: Spot) -> bool:
    """Object Group or a y- attribute (or its name in a list) that no request of the case has set."""
    name = spot.attribute
    if spot.tag == Tag.OBJECT_GROUP:
        name = _OBJECT_GROUP
    elif spot.expected is not None and spot.tag == Tag.ATTRIBUTE_NAME:
        name = str(spot.expected[2])
    elif spot.expected is not None and spot.tag == Tag.ATTRIBUTE_REFERENCE:
        name = _OBJECT_GROUP if spot.expected[2] == Tag.OBJECT_GROUP else None
    if (
        name is None
        or name in spot.mentioned
        or not (_in_payload(spot) or spot.path[-1:] == (Tag.ATTRIBUTES,))
    ):
        return False
    return name == _OBJECT_GROUP or name.startswith("y-")


def index_zero(spot: Spot) -> bool:
    item = spot.expected or spot.actual
    return spot.tag == Tag.ATTRIBUTE_INDEX and item is not None and item[2] == 0 and spot.version >= V1_1


def extra_version(spot: Spot) -> bool:
    return (
        spot.tag == Tag.PROTOCOL_VERSION
        and spot.operation == Operation.DISCOVER_VERSIONS
        and _in_payload(spot)
        and _asked(spot, Tag.PROTOCOL_VERSION) is None
    )


def optional_in_query(spot: Spot) -> bool:
    """An operation or object type that no profile requires, or that the version does not have."""
    if spot.tag not in _REQUIRED_OF_QUERY or not in_query(spot) or spot.expected is None:
        return False
    title, required = _REQUIRED_OF_QUERY[spot.tag]
    reported = spot.expected[2]
    return reported not in required or reported not in defined_values(title, spot.version)


def own_version(spot: Spot) -> bool:
    """What the server asks of its own accord, in the version that the client has spoken to it."""
    received = spot.parents[1]
    if spot.path[-2:] != (Tag.REQUEST_HEADER, Tag.PROTOCOL_VERSION) or received is None:
        return False
    return tuple(number for _, _, number in received[2]) == spot.version


def lease_granted(spot: Spot) -> bool:
    return spot.tag == Tag.LEASE_TIME and spot.operation == Operation.OBTAIN_LEASE


def seeding_policy(spot: Spot) -> bool:
    """Whether RNG Seed is answered as some case prints it: bytes that were used, or Permission Denied."""
    if spot.operation != Operation.RNG_SEED or spot.tag not in _OF_SEEDING or spot.request is None:
        return False
    seed, received = child(spot.request, Tag.DATA), spot.parents[1]
    if seed is None or received is None:
        return False
    if spot.tag == Tag.DATA_LENGTH:
        used: Item | None = spot.actual
    else:
        payload = child(received, Tag.RESPONSE_PAYLOAD)
        if payload is None:
            return _outcome(received) == _DENIED
        if _outcome(received) != _DONE:
            return False
        used = child(payload, Tag.DATA_LENGTH)
    return used is not None and used[1] == INTEGER and 0 <= used[2] <= len(seed[2])


def pad_policy(spot: Spot) -> bool:
    """Whether Get of a pad that is elsewhere is answered as some case prints it: without it, or denied."""
    if (
        spot.operation != Operation.GET
        or spot.tag not in _OF_GETTING
        or spot.subject is None
        or spot.parents[1] is None
        or spot.ledger.algorithm(spot.subject) != CryptographicAlgorithm.ONE_TIME_PAD
        or not spot.ledger.elsewhere(spot.subject)
    ):
        return False
    payload = child(spot.parents[1], Tag.RESPONSE_PAYLOAD)
    if payload is None:
        return _outcome(spot.parents[1]) == _DENIED
    return _outcome(spot.parents[1]) == _DONE and not any(True for _ in find(payload, Tag.KEY_VALUE))


def _outcome(batch_item: Item) -> tuple[int | None, int | None]:
    status, reason = child(batch_item, Tag.RESULT_STATUS), child(batch_item, Tag.RESULT_REASON)
    return (None if status is None else status[2], None if reason is None else reason[2])


def undescribed(spot: Spot) -> bool:
    """One that the 1.0 profiles leave free, or one of several of a kind."""
    if spot.tag in _OPTIONAL_DESCRIPTION:
        return in_query(spot)
    received = spot.parents[1]
    several = received is not None and child(received, spot.tag) is not None
    return spot.tag in SELF_DESCRIPTION and in_query(spot) and several


def uncritical_extension(spot: Spot) -> bool:
    item = spot.actual or spot.expected
    critical = child(item, Tag.CRITICALITY_INDICATOR) if item and spot.tag == Tag.MESSAGE_EXTENSION else None
    return critical is not None and critical[2] is False


def unordered(spot: Spot) -> bool:
    in_attributes = spot.path[-1:] == (Tag.ATTRIBUTES,)
    in_template = spot.tag == Tag.ATTRIBUTE and spot.path[-1] in TEMPLATES | {Tag.TEMPLATE}
    in_list = _in_payload(spot) and (
        spot.tag in (Tag.ATTRIBUTE, Tag.ATTRIBUTE_NAME, Tag.ATTRIBUTE_REFERENCE)
        or (spot.tag == Tag.UNIQUE_IDENTIFIER and spot.operation == Operation.LOCATE)
    )
    listed = in_query(spot) and (spot.tag in (Tag.OPERATION, Tag.OBJECT_TYPE) or spot.tag in SELF_DESCRIPTION)
    return in_attributes or in_template or in_list or listed


def tag_in(tags: frozenset[Tag]) -> Callable[[Spot], bool]:
    return lambda spot: spot.tag in tags
