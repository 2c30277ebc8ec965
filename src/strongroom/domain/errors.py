"""What an operation says when it cannot be done.

Rule: one class per Result Reason, in the newest version's terms, with the reason that older versions have for
it. The message is for a person: it says what is wrong and what to do, and never holds a secret. Errors about
attributes are in `attribute_errors.py`, those about the form of a key in `key_form_errors.py`.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from strongroom.registry import V1_1, V1_3, V1_4, V2_0, V3_0, Operation, ResultReason, Version
from strongroom.registry.names import VALUES, in_version

_NOT_CERTIFIED: Final = {
    Operation.CERTIFY: ResultReason.PERMISSION_DENIED,
    Operation.RE_CERTIFY: ResultReason.PERMISSION_DENIED,
}
"""The two say of whatever cannot be certified, or cannot certify, that permission is denied."""

_NOT_FOUND: Final = {
    Operation.ADJUST_ATTRIBUTE: ResultReason.ITEM_NOT_FOUND,
    Operation.CERTIFY: ResultReason.ITEM_NOT_FOUND,
    Operation.CREATE_SPLIT_KEY: ResultReason.ITEM_NOT_FOUND,
}
"""Operations that kept the older reason."""

_NO_CERTIFICATE_LIST: Final = {Operation.VALIDATE: ResultReason.INVALID_MESSAGE}
"""What Validate is given does not specify a certificate list (KMIP 1.4 §11.25)."""

FIELDS_OF_PARTS: Final = {
    Operation.CREATE_SPLIT_KEY: ResultReason.INVALID_FIELD,
    Operation.JOIN_SPLIT_KEY: ResultReason.INVALID_FIELD,
}
"""The error tables of 1.x have one reason for whatever is wrong with their fields."""


class KmipError(Exception):
    """Base: an operation failed, with a Result Reason."""

    reason: ClassVar[ResultReason] = ResultReason.GENERAL_FAILURE
    older: ClassVar[ResultReason | None] = None
    """The reason before KMIP 2.0; None where it is the same."""
    older_in: ClassVar[Mapping[Operation, ResultReason]] = {}
    """Operations whose 1.x error table names another reason."""
    older_until: ClassVar[Version] = V1_4
    """The last version that is told the older reason."""
    newer_in: ClassVar[Mapping[Operation, ResultReason]] = {}
    """Operations whose newer error table names another reason."""
    draft_in: ClassVar[Mapping[Operation, ResultReason]] = {}
    """Operations for which the published cases of 3.0, a draft without error tables, show another reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def reason_for(self, version: Version, operation: Operation | None) -> ResultReason:
        """Return the reason in the terms of `version`; General Failure where it has none.

        Where the version has no such older reason any more, it is the newest version's.
        """
        reason = self.reason
        if version <= self.older_until:
            if operation is not None and operation in self.older_in:
                reason = self.older_in[operation]
            elif self.older is not None:
                reason = self.older
        elif operation is not None and version >= V3_0 and operation in self.draft_in:
            reason = self.draft_in[operation]
        elif operation is not None and operation in self.newer_in:
            reason = self.newer_in[operation]
        for found in (reason, self.reason):
            if in_version(VALUES["ResultReason"][found], version):
                return found
        return ResultReason.GENERAL_FAILURE


class InvalidMessage(KmipError):
    """The message breaks the rules of its own form."""

    reason = ResultReason.INVALID_MESSAGE


class InvalidField(KmipError):
    """A field has a value that the operation cannot take."""

    reason = ResultReason.INVALID_FIELD


class MissingData(KmipError):
    """A field is missing that this use of the operation needs."""

    reason = ResultReason.MISSING_DATA


class UnsupportedProtocolVersion(KmipError):
    """The request's version is not one of ours."""

    reason = ResultReason.UNSUPPORTED_PROTOCOL_VERSION
    older = ResultReason.INVALID_MESSAGE


class OperationNotSupported(KmipError):
    """The version has no such operation, or the server does not do it."""

    reason = ResultReason.OPERATION_NOT_SUPPORTED


class FeatureNotSupported(KmipError):
    """The operation exists, this way of using it does not."""

    reason = ResultReason.FEATURE_NOT_SUPPORTED


class UnknownMessageExtension(KmipError):
    """A Message Extension that must not be ignored is not one that the server knows."""

    reason = ResultReason.UNKNOWN_MESSAGE_EXTENSION
    older = ResultReason.FEATURE_NOT_SUPPORTED


class ResponseTooLarge(KmipError):
    """The answer would be longer than the Maximum Response Size of the request."""

    reason = ResultReason.RESPONSE_TOO_LARGE


class AuthenticationNotSuccessful(KmipError):
    """The credential in the header does not fit the client."""

    reason = ResultReason.AUTHENTICATION_NOT_SUCCESSFUL


class PermissionDenied(KmipError):
    """The caller may not do this."""

    reason = ResultReason.PERMISSION_DENIED


class ObjectNotFound(KmipError):
    """No such object, or the caller may not know that it exists."""

    reason = ResultReason.OBJECT_NOT_FOUND
    older = ResultReason.ITEM_NOT_FOUND
    older_in = _NO_CERTIFICATE_LIST
    newer_in = _NOT_FOUND
    # SPEC(KMIP 3.0 BL-M-20, BL-M-4): Get Attributes says Item Not Found where Get says Object Not Found.
    draft_in = {Operation.GET_ATTRIBUTES: ResultReason.ITEM_NOT_FOUND}


class ObjectAlreadyExists(KmipError):
    """Another object has the Unique Identifier; whose it is nobody learns."""

    reason = ResultReason.OBJECT_ALREADY_EXISTS


class EmptyPlaceholder(KmipError):
    """The request left the identifier out, and no earlier batch item put one in the ID Placeholder."""

    reason = ResultReason.OBJECT_NOT_FOUND
    older = ResultReason.ITEM_NOT_FOUND
    older_in = _NO_CERTIFICATE_LIST
    newer_in = _NOT_FOUND


class ObjectDestroyed(KmipError):
    """The object was destroyed: what is left of it are attributes."""

    reason = ResultReason.OBJECT_DESTROYED
    older = ResultReason.ITEM_NOT_FOUND
    older_in = {Operation.DESTROY: ResultReason.PERMISSION_DENIED, **_NO_CERTIFICATE_LIST}


class ObjectArchived(KmipError):
    """The object is in the archive; Recover brings it back."""

    reason = ResultReason.OBJECT_ARCHIVED


class WrongKeyLifecycleState(KmipError):
    """The state of the object does not allow this."""

    reason = ResultReason.WRONG_KEY_LIFECYCLE_STATE
    older = ResultReason.PERMISSION_DENIED
    older_in = {
        Operation.REVOKE: ResultReason.ILLEGAL_OPERATION,
        Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
    }
    newer_in = {
        # SPEC(KMIP 2.1 §6.1.19): the state of the wrapping key; that of the object bars nothing.
        Operation.GET: ResultReason.PERMISSION_DENIED,
        Operation.EXPORT: ResultReason.PERMISSION_DENIED,
        **_NOT_CERTIFIED,
    }
    # SPEC(KMIP 2.0 §6.1): the tables of 2.0 allow both reasons, its test cases still use the older one.
    older_until = V2_0


class NotUsableForProtection(KmipError):
    """Mask, state or dates of the object allow no protection now, so no usage of it is allocated."""

    reason = ResultReason.PERMISSION_DENIED
    older = ResultReason.ILLEGAL_OPERATION


class IncompatibleCryptographicUsageMask(KmipError):
    """The usage mask of the object does not allow this use."""

    reason = ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK
    older = ResultReason.PERMISSION_DENIED
    older_in = {Operation.DERIVE_KEY: ResultReason.INVALID_FIELD}
    newer_in = _NOT_CERTIFIED


class InvalidObjectType(KmipError):
    """The operation cannot be done on an object of this type."""

    reason = ResultReason.INVALID_OBJECT_TYPE
    older = ResultReason.ILLEGAL_OPERATION
    older_in = {
        **FIELDS_OF_PARTS,
        Operation.CREATE: ResultReason.INVALID_FIELD,
        Operation.REGISTER: ResultReason.INVALID_FIELD,
        Operation.IMPORT: ResultReason.INVALID_FIELD,
        Operation.RE_KEY: ResultReason.PERMISSION_DENIED,
        Operation.RE_KEY_KEY_PAIR: ResultReason.PERMISSION_DENIED,
        Operation.ENCRYPT: ResultReason.PERMISSION_DENIED,
        Operation.DECRYPT: ResultReason.PERMISSION_DENIED,
        Operation.SIGN: ResultReason.PERMISSION_DENIED,
        Operation.SIGNATURE_VERIFY: ResultReason.PERMISSION_DENIED,
        Operation.MAC: ResultReason.PERMISSION_DENIED,
        Operation.MAC_VERIFY: ResultReason.PERMISSION_DENIED,
        Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
        **_NOT_CERTIFIED,
        **_NO_CERTIFICATE_LIST,
    }


class IllegalOperation(KmipError):
    """The operation makes no sense here."""

    reason = ResultReason.ILLEGAL_OPERATION


class InvalidCSR(KmipError):
    """The Certificate Request is not a signed certificate request of its type."""

    reason = ResultReason.INVALID_CSR
    older = ResultReason.INVALID_FIELD


class OffsetWithoutActivationDate(KmipError):
    """Dates cannot be shifted that hang on no Activation Date."""

    reason = ResultReason.INVALID_FIELD
    older = ResultReason.ILLEGAL_OPERATION
    older_in = {Operation.RE_CERTIFY: ResultReason.INVALID_FIELD}


class KeyValueNotPresent(KmipError):
    """The server holds the attributes of the key, its value is kept elsewhere."""

    reason = ResultReason.KEY_VALUE_NOT_PRESENT
    # SPEC(KMIP 1.1 §11): before such keys were defined, what cannot be done with an object.
    older = ResultReason.PERMISSION_DENIED
    older_in = {
        Operation.GET: ResultReason.ILLEGAL_OPERATION,
        Operation.DERIVE_KEY: ResultReason.INVALID_FIELD,
    }
    older_until = V1_1


class Sensitive(KmipError):
    """The object is Sensitive and leaves the server only wrapped."""

    reason = ResultReason.SENSITIVE
    older = ResultReason.PERMISSION_DENIED
    older_until = V1_3


class NotExtractable(KmipError):
    """The object is not Extractable: it never leaves the server."""

    reason = ResultReason.NOT_EXTRACTABLE
    older = ResultReason.PERMISSION_DENIED
    older_until = V1_3


class CryptographicFailure(KmipError):
    """A cryptographic operation failed; the message does not tell why where that would help an attacker."""

    reason = ResultReason.CRYPTOGRAPHIC_FAILURE


class BadCryptographicParameters(KmipError):
    """The Cryptographic Parameters contradict each other or the key."""

    reason = ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS
    older = ResultReason.INVALID_FIELD
    # SPEC(KMIP 1.4 §11.12): parameters of a wrapping key that do not exist or do not match.
    older_in = {
        Operation.GET: ResultReason.ITEM_NOT_FOUND,
        Operation.EXPORT: ResultReason.ITEM_NOT_FOUND,
    }
    newer_in = {Operation.HASH: ResultReason.INVALID_FIELD}


class UnsupportedCryptographicParameters(KmipError):
    """The Cryptographic Parameters ask for something the server does not do."""

    reason = ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS
    older = ResultReason.FEATURE_NOT_SUPPORTED
    newer_in = {
        Operation.HASH: ResultReason.FEATURE_NOT_SUPPORTED,
        Operation.MAC: ResultReason.FEATURE_NOT_SUPPORTED,
        Operation.MAC_VERIFY: ResultReason.FEATURE_NOT_SUPPORTED,
        Operation.GET: ResultReason.FEATURE_NOT_SUPPORTED,
        Operation.EXPORT: ResultReason.FEATURE_NOT_SUPPORTED,
    }
    older_in = {**FIELDS_OF_PARTS}


class MissingInitializationVector(KmipError):
    """The mode needs an IV, nonce or counter and none was given."""

    # SPEC(KMIP 2.1 §6.1.11): the tables also have Missing Initialization Vector, but every test case of every
    # version answers Invalid Message, which is allowed too.
    reason = ResultReason.INVALID_MESSAGE


class InvalidCorrelationValue(KmipError):
    """The Correlation Value names no stream of the caller and the operation."""

    reason = ResultReason.INVALID_CORRELATION_VALUE
    older = ResultReason.ITEM_NOT_FOUND


class BadPassword(KmipError):
    """The password of a PKCS#12 key is not where its link leads."""

    reason = ResultReason.BAD_PASSWORD
    older = ResultReason.INVALID_FIELD
    newer_in = {Operation.GET: ResultReason.INVALID_FIELD, Operation.EXPORT: ResultReason.INVALID_FIELD}


class UsageLimitExceeded(KmipError):
    """The Usage Limits of the object are used up."""

    reason = ResultReason.USAGE_LIMIT_EXCEEDED
    older = ResultReason.PERMISSION_DENIED


class ServerLimitExceeded(KmipError):
    """A limit that the administrator set."""

    reason = ResultReason.SERVER_LIMIT_EXCEEDED
    older = ResultReason.GENERAL_FAILURE
    older_in = {**FIELDS_OF_PARTS}


class ConstraintViolation(KmipError):
    """A new object is not what the client's own constraints allow."""

    reason = ResultReason.CONSTRAINT_VIOLATION
    older = ResultReason.INVALID_FIELD


class UnknownObjectGroup(KmipError):
    """No object that the caller sees is in the group."""

    reason = ResultReason.UNKNOWN_OBJECT_GROUP


class InvalidTicket(KmipError):
    """The ticket in the request is not one that the caller can use."""

    reason = ResultReason.INVALID_TICKET
    older = ResultReason.AUTHENTICATION_NOT_SUCCESSFUL


class InvalidAsynchronousCorrelationValue(KmipError):
    """No outstanding operation has this correlation value, or it is another client's."""

    reason = ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    older = ResultReason.ITEM_NOT_FOUND


class ServerFailure(KmipError):
    """The server could not do it; nothing was changed. The message says when to try again."""

    reason = ResultReason.INTERNAL_SERVER_ERROR
    older = ResultReason.GENERAL_FAILURE
