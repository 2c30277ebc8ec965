"""What can go wrong when talking to a server.

Rule: whatever happens leaves the client as a KMIPError. A failure that the server reports is an
OperationFailed; the table that picks its subclass is filled by the subclasses themselves, and a reason that
none of them claims stays an OperationFailed.
"""

from collections.abc import Sequence
from typing import Final

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Operation, ResultReason, ResultStatus, ValidityIndicator
from strongroom.registry.names import VALUES


class KMIPError(Exception):
    """Base of everything that the client raises."""


class InvalidSettings(KMIPError):
    """The client cannot be set up: a bad address, an unreadable file, a profile that is no profile."""


class InvalidRequest(KMIPError):
    """The request cannot be written as a message; nothing was sent."""


class VersionNotSupported(KMIPError):
    """The version cannot say this, or client and server have no version in common; nothing was done."""


class ServerUnreachable(KMIPError):
    """No server of the list could be asked; nothing was done."""


class OutcomeUnknown(KMIPError):
    """The request was sent and the answer was lost: it may have been carried out.

    Only requests that must not be done twice end like this; look first, then decide whether to send it again.
    """


class ProtocolError(KMIPError):
    """The server sent something that is not an answer to the request."""


class AmbiguousName(KMIPError):
    """Several objects have the name; use one of `unique_identifiers`."""

    def __init__(self, name: str, unique_identifiers: Sequence[UniqueIdentifier]) -> None:
        super().__init__(
            f"{len(unique_identifiers)} objects are named {name!r}; "
            f"use one of their identifiers: {', '.join(unique_identifiers)}"
        )
        self.name = name
        self.unique_identifiers = tuple(unique_identifiers)


class BatchStopped(KMIPError):
    """The server did not come to this request, since one before it in the batch failed."""


class VerificationFailed(KMIPError):
    """A signature, a MAC or a chain of certificates is not valid, or the server cannot tell."""

    def __init__(self, what: str, validity_indicator: ValidityIndicator | None) -> None:
        invalid = validity_indicator is ValidityIndicator.INVALID
        super().__init__(
            f"{what} is not valid" if invalid else f"the server cannot tell whether {what} is valid"
        )
        self.validity_indicator = validity_indicator


class OperationPending(KMIPError):
    """The server will answer later; ask with Poll for the correlation value."""

    def __init__(self, operation: int | None, asynchronous_correlation_value: bytes | None) -> None:
        super().__init__(f"{operation_name(operation)} is pending: the server has not decided yet")
        self.operation = operation
        self.asynchronous_correlation_value = asynchronous_correlation_value


class OperationFailed(KMIPError):
    """The server says no.

    `operation`, `status` and `reason` are members of their enumerations where the number is known, else the
    number. `message` is the server's own text and may hold anything.
    """

    def __init_subclass__(cls, reasons: tuple[ResultReason, ...] = ()) -> None:
        for reason in reasons:
            if _BY_REASON.setdefault(reason, cls) is not cls:
                raise TypeError(f"{reason.name} belongs to {_BY_REASON[reason].__name__} already")

    def __init__(
        self, message: str, *, operation: int | None, status: int, reason: int | None = None
    ) -> None:
        super().__init__(f"{operation_name(operation)}: {_explained(message, status, reason)}")
        self.message = message
        self.operation = operation
        self.status = status
        self.reason = reason


_BY_REASON: Final[dict[ResultReason, type[OperationFailed]]] = {}


class ObjectNotFound(OperationFailed, reasons=(ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND)):
    """No such object, or the client may not know of it. In KMIP 1.x also: no such attribute."""


class ObjectDestroyed(ObjectNotFound, reasons=(ResultReason.OBJECT_DESTROYED,)):
    """Only attributes are left of the object."""


class ObjectArchived(OperationFailed, reasons=(ResultReason.OBJECT_ARCHIVED,)):
    """The object is in the archive; Recover brings it back."""


class AuthenticationFailed(
    OperationFailed,
    reasons=(
        ResultReason.AUTHENTICATION_NOT_SUCCESSFUL,
        ResultReason.BAD_PASSWORD,
        ResultReason.INVALID_TICKET,
    ),
):
    """The server does not accept the credential."""


class PermissionDenied(
    OperationFailed, reasons=(ResultReason.PERMISSION_DENIED, ResultReason.NOT_AUTHORISED)
):
    """The client may not do this. In KMIP 1.x also: the state or usage mask of the object forbids it."""


class OperationNotSupported(OperationFailed, reasons=(ResultReason.OPERATION_NOT_SUPPORTED,)):
    """The server does not do this operation."""


class FeatureNotSupported(OperationFailed, reasons=(ResultReason.FEATURE_NOT_SUPPORTED,)):
    """The server does the operation, but not in this way."""


class InvalidMessage(OperationFailed, reasons=(ResultReason.INVALID_MESSAGE,)):
    """The server could not understand the request."""


class InvalidField(OperationFailed, reasons=(ResultReason.INVALID_FIELD, ResultReason.MISSING_DATA)):
    """A field has a value that the server cannot take, or is missing."""


class IllegalOperation(OperationFailed, reasons=(ResultReason.ILLEGAL_OPERATION,)):
    """The operation makes no sense for this object."""


class WrongKeyLifecycleState(OperationFailed, reasons=(ResultReason.WRONG_KEY_LIFECYCLE_STATE,)):
    """The state of the object does not allow this."""


class AttributeNotFound(
    OperationFailed,
    reasons=(ResultReason.ATTRIBUTE_NOT_FOUND, ResultReason.ATTRIBUTE_INSTANCE_NOT_FOUND),
):
    """The object has no such attribute."""


class InvalidAttribute(
    OperationFailed,
    reasons=(
        ResultReason.INVALID_ATTRIBUTE,
        ResultReason.INVALID_ATTRIBUTE_VALUE,
        ResultReason.UNSUPPORTED_ATTRIBUTE,
    ),
):
    """There is no such attribute, or it cannot have this value."""


class ReadOnlyAttribute(
    OperationFailed, reasons=(ResultReason.READ_ONLY_ATTRIBUTE, ResultReason.ATTRIBUTE_READ_ONLY)
):
    """Clients cannot change the attribute."""


class NonUniqueName(
    OperationFailed, reasons=(ResultReason.NON_UNIQUE_NAME_ATTRIBUTE, ResultReason.OBJECT_ALREADY_EXISTS)
):
    """Another object has the name or identifier."""


class CryptographicFailure(OperationFailed, reasons=(ResultReason.CRYPTOGRAPHIC_FAILURE,)):
    """A cryptographic operation failed: a wrong key, tag, padding or parameter."""


class BadCryptographicParameters(
    OperationFailed,
    reasons=(
        ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS,
        ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS,
        ResultReason.MISSING_INITIALIZATION_VECTOR,
    ),
):
    """The cryptographic parameters do not fit the key or the server."""


class UsageNotAllowed(OperationFailed, reasons=(ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,)):
    """The usage mask of the object does not allow this use."""


class UsageLimitExceeded(OperationFailed, reasons=(ResultReason.USAGE_LIMIT_EXCEEDED,)):
    """The Usage Limits of the object are used up."""


class KeyFormatTypeNotSupported(OperationFailed, reasons=(ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED,)):
    """The server cannot give the object out in this format."""


class NotExtractable(OperationFailed, reasons=(ResultReason.NOT_EXTRACTABLE, ResultReason.SENSITIVE)):
    """The object does not leave the server, or only wrapped."""


class ServerFailure(
    OperationFailed,
    reasons=(
        ResultReason.GENERAL_FAILURE,
        ResultReason.INTERNAL_SERVER_ERROR,
        ResultReason.SERVER_LIMIT_EXCEEDED,
    ),
):
    """The server could not do it, for a reason of its own."""


def failure(
    message: str | None, *, operation: int | None, status: int, reason: int | None
) -> OperationFailed:
    """Return the error of a batch item, in the class that fits its reason."""
    known = reason if reason is None else _member(ResultReason, reason)
    cls = _BY_REASON.get(known, OperationFailed) if isinstance(known, ResultReason) else OperationFailed
    return cls(
        message or "",
        operation=operation if operation is None else _member(Operation, operation),
        status=_member(ResultStatus, status),
        reason=known,
    )


def operation_name(operation: int | None) -> str:
    """Return what the specification calls an operation; "the request" where the server did not say which."""
    return "the request" if operation is None else _spec_name("Operation", operation)


def _explained(message: str, status: int, reason: int | None) -> str:
    why = _spec_name("ResultStatus", status) if reason is None else _spec_name("ResultReason", reason)
    return f"{why}: {message}" if message else why


def _spec_name(title: str, number: int) -> str:
    entry = VALUES[title].get(number)
    return f"{title} 0x{number:08X}" if entry is None else entry.spec_name


def _member(cls: type[Operation] | type[ResultStatus] | type[ResultReason], number: int) -> int:
    return cls(number) if number in cls._value2member_map_ else number
