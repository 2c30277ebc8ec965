"""What a function answers when it cannot be done: a PKCS#11 return code, in an answer that is a KMIP success.

Rule: the code of a refused KMIP operation is looked up here, by its error class. What is the server's own
trouble stays a KMIP failure.
"""

from collections.abc import Mapping
from typing import Final

from strongroom.domain import attribute_errors, errors
from strongroom.domain.errors import KmipError
from strongroom.registry import PKCS11ReturnCode as Code


class Failure(Exception):
    """The function ends with a return code; nothing but the code and what it says of lengths is answered."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


CODES: Final[Mapping[type[KmipError], Code]] = {
    errors.ObjectNotFound: Code.CKR_KEY_HANDLE_INVALID,
    errors.ObjectDestroyed: Code.CKR_KEY_HANDLE_INVALID,
    errors.ObjectArchived: Code.CKR_KEY_HANDLE_INVALID,
    errors.IncompatibleCryptographicUsageMask: Code.CKR_KEY_FUNCTION_NOT_PERMITTED,
    errors.WrongKeyLifecycleState: Code.CKR_KEY_FUNCTION_NOT_PERMITTED,
    errors.PermissionDenied: Code.CKR_KEY_FUNCTION_NOT_PERMITTED,
    errors.UsageLimitExceeded: Code.CKR_KEY_FUNCTION_NOT_PERMITTED,
    errors.InvalidObjectType: Code.CKR_KEY_TYPE_INCONSISTENT,
    errors.KeyValueNotPresent: Code.CKR_KEY_FUNCTION_NOT_PERMITTED,
    errors.UnsupportedCryptographicParameters: Code.CKR_MECHANISM_INVALID,
    errors.BadCryptographicParameters: Code.CKR_MECHANISM_PARAM_INVALID,
    errors.Sensitive: Code.CKR_ATTRIBUTE_SENSITIVE,
    errors.NotExtractable: Code.CKR_ATTRIBUTE_SENSITIVE,
    attribute_errors.InvalidAttribute: Code.CKR_ATTRIBUTE_TYPE_INVALID,
    attribute_errors.InvalidAttributeValue: Code.CKR_ATTRIBUTE_VALUE_INVALID,
    attribute_errors.ReadOnlyAttribute: Code.CKR_ATTRIBUTE_READ_ONLY,
    attribute_errors.AttributeReadOnly: Code.CKR_ATTRIBUTE_READ_ONLY,
    errors.InvalidField: Code.CKR_ARGUMENTS_BAD,
    errors.ServerLimitExceeded: Code.CKR_DEVICE_MEMORY,
}
"""Every other refusal is Function Failed."""

GONE: Final[Mapping[type[KmipError], Code]] = dict.fromkeys(
    (errors.ObjectNotFound, errors.ObjectDestroyed, errors.ObjectArchived), Code.CKR_OBJECT_HANDLE_INVALID
)
"""Where the handle need not be that of a key."""

NOT_THE_CALLERS: Final = (errors.ServerFailure,)
"""Trouble that no return code describes and another try may cure: answered as KMIP answers it."""


def code_of(error: KmipError) -> Code:
    """Return the return code that says most nearly why a KMIP operation was refused."""
    return CODES.get(type(error), Code.CKR_FUNCTION_FAILED)
