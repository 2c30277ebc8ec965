"""What an operation says when an attribute is in its way; see `errors.py`.

Rule: errors about attributes, whichever operation they come from. The error tables of operations that make
objects hardly speak of attributes, so most of these are told as something else there.
"""

from typing import Final

from strongroom.domain.errors import FIELDS_OF_PARTS, KmipError, ServerLimitExceeded
from strongroom.registry import V2_1, Operation, ResultReason

_FIELDS_OF_RE_KEY: Final = {
    Operation.RE_KEY: ResultReason.INVALID_FIELD,
    Operation.RE_KEY_KEY_PAIR: ResultReason.INVALID_FIELD,
    Operation.CERTIFY: ResultReason.INVALID_FIELD,
    Operation.RE_CERTIFY: ResultReason.INVALID_FIELD,
}
"""The error tables of these, in every version, have no reason that speaks of attributes."""

_FIELDS_OF_NEW_OBJECTS: Final = {
    **FIELDS_OF_PARTS,
    **_FIELDS_OF_RE_KEY,
    Operation.CREATE: ResultReason.INVALID_FIELD,
    Operation.CREATE_KEY_PAIR: ResultReason.INVALID_FIELD,
    Operation.REGISTER: ResultReason.INVALID_FIELD,
    Operation.IMPORT: ResultReason.INVALID_FIELD,
    Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
}
"""In 1.x, neither have those of any operation that makes objects."""


class InvalidAttribute(KmipError):
    """There is no such attribute, or this object cannot have it."""

    reason = ResultReason.INVALID_ATTRIBUTE
    older = ResultReason.PERMISSION_DENIED
    older_in = {
        **_FIELDS_OF_NEW_OBJECTS,
        Operation.LOCATE: ResultReason.INVALID_FIELD,
    }
    newer_in = {
        **_FIELDS_OF_RE_KEY,
        Operation.ADJUST_ATTRIBUTE: ResultReason.UNSUPPORTED_ATTRIBUTE,
        Operation.SET_ATTRIBUTE: ResultReason.INVALID_FIELD,
    }


class InvalidAttributeValue(KmipError):
    """The attribute cannot have this value."""

    reason = ResultReason.INVALID_ATTRIBUTE_VALUE
    older = ResultReason.INVALID_FIELD
    newer_in = {**_FIELDS_OF_RE_KEY, Operation.DERIVE_KEY: ResultReason.INVALID_FIELD}


class CircularLink(KmipError):
    """A hierarchy would contain itself."""

    reason = ResultReason.CIRCULAR_LINK_ERROR
    older = ResultReason.INVALID_FIELD
    older_until = V2_1


class ReadOnlyAttribute(KmipError):
    """Add or Set: only the server sets the attribute."""

    reason = ResultReason.READ_ONLY_ATTRIBUTE
    older = ResultReason.PERMISSION_DENIED
    older_in = _FIELDS_OF_NEW_OBJECTS
    newer_in = {
        Operation.JOIN_SPLIT_KEY: ResultReason.ATTRIBUTE_READ_ONLY,
        Operation.CREATE_SPLIT_KEY: ResultReason.INVALID_FIELD,
        **_FIELDS_OF_RE_KEY,
        Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
        Operation.CREATE_KEY_PAIR: ResultReason.ATTRIBUTE_READ_ONLY,
        Operation.REGISTER: ResultReason.ATTRIBUTE_READ_ONLY,
    }


class AttributeReadOnly(KmipError):
    """Modify or Delete: the client may not change the attribute."""

    reason = ResultReason.ATTRIBUTE_READ_ONLY
    older = ResultReason.PERMISSION_DENIED


class AttributeSingleValued(KmipError):
    """The attribute has a value and takes only one."""

    reason = ResultReason.ATTRIBUTE_SINGLE_VALUED
    older = ResultReason.ILLEGAL_OPERATION
    older_in = _FIELDS_OF_NEW_OBJECTS
    newer_in = {
        **_FIELDS_OF_RE_KEY,
        Operation.CREATE_SPLIT_KEY: ResultReason.INVALID_FIELD,
        Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
    }


class MultiValuedAttribute(KmipError):
    """The operation works on attributes with one value."""

    reason = ResultReason.MULTI_VALUED_ATTRIBUTE
    older = ResultReason.ILLEGAL_OPERATION


class AttributeNotFound(KmipError):
    """The object has no such attribute."""

    reason = ResultReason.ATTRIBUTE_NOT_FOUND
    older = ResultReason.ITEM_NOT_FOUND
    older_in = {
        Operation.MODIFY_ATTRIBUTE: ResultReason.INVALID_FIELD,
        Operation.GET_USAGE_ALLOCATION: ResultReason.ILLEGAL_OPERATION,
    }
    newer_in = {Operation.ADJUST_ATTRIBUTE: ResultReason.ITEM_NOT_FOUND}


class AttributeInstanceNotFound(KmipError):
    """The attribute has no such instance."""

    reason = ResultReason.ATTRIBUTE_INSTANCE_NOT_FOUND
    older = ResultReason.ITEM_NOT_FOUND


class NonUniqueNameAttribute(KmipError):
    """Another object of the owner has this Name."""

    reason = ResultReason.NON_UNIQUE_NAME_ATTRIBUTE
    older = ResultReason.ILLEGAL_OPERATION
    older_in = _FIELDS_OF_NEW_OBJECTS
    newer_in = _FIELDS_OF_RE_KEY


class TooManyValues(ServerLimitExceeded):
    """An object has only so many attribute values."""

    # SPEC(KMIP 1.4 §11.2-11.4, §11.15): where 2.x has Server Limit Exceeded, 1.x has this.
    older = ResultReason.INDEX_OUT_OF_BOUNDS
    older_in = {**_FIELDS_OF_RE_KEY, Operation.DERIVE_KEY: ResultReason.INVALID_FIELD}


class ApplicationNamespaceNotSupported(KmipError):
    """The server makes up no Application Data for this Application Namespace."""

    reason = ResultReason.APPLICATION_NAMESPACE_NOT_SUPPORTED


class InvalidDataType(KmipError):
    """The operation does not work on values of this type."""

    reason = ResultReason.INVALID_DATA_TYPE
    older = ResultReason.INVALID_FIELD


class NumericRange(KmipError):
    """The result would not fit the type of the attribute."""

    reason = ResultReason.NUMERIC_RANGE
    older = ResultReason.INVALID_FIELD
