"""What the operation PKCS#11 says when it is not asked properly, so that no function is called.

Rule: errors of the operation; what a function answers is a return code (`failure.py`).
"""

from strongroom.domain.errors import KmipError
from strongroom.registry import ResultReason


class PKCS11CodecError(KmipError):
    """The PKCS#11 Input Parameters are not those of the function."""

    reason = ResultReason.PKCS_11_CODEC_ERROR


class PKCS11InvalidFunction(KmipError):
    """No function of the interface has this number."""

    reason = ResultReason.PKCS_11_INVALID_FUNCTION


class PKCS11InvalidInterface(KmipError):
    """The server has no PKCS#11 interface of this name."""

    reason = ResultReason.PKCS_11_INVALID_INTERFACE
