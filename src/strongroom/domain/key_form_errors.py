"""What an operation says of the form in which a key is given out or taken; see `errors.py`.

Rule: errors about formats, compression and wrapping, about the keys that wrap, and about where a key is kept.
"""

from strongroom.domain.errors import KmipError
from strongroom.registry import Operation, ResultReason


class KeyFormatTypeNotSupported(KmipError):
    """The object cannot be given out in this Key Format Type."""

    reason = ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED


class KeyCompressionTypeNotSupported(KmipError):
    """The object cannot be given out in this Key Compression Type."""

    reason = ResultReason.KEY_COMPRESSION_TYPE_NOT_SUPPORTED


class KeyWrapTypeNotSupported(KmipError):
    """The object cannot be given out in this Key Wrap Type."""

    reason = ResultReason.KEY_WRAP_TYPE_NOT_SUPPORTED
    older = ResultReason.FEATURE_NOT_SUPPORTED


class EncodingOptionError(KmipError):
    """The key cannot be wrapped in this Encoding Option."""

    reason = ResultReason.ENCODING_OPTION_ERROR


class WrappingObjectNotFound(KmipError):
    """No such wrapping key, or the caller may not know that it exists."""

    reason = ResultReason.WRAPPING_OBJECT_NOT_FOUND
    older = ResultReason.ITEM_NOT_FOUND


class WrappingObjectArchived(KmipError):
    """The wrapping key is in the archive."""

    reason = ResultReason.WRAPPING_OBJECT_ARCHIVED
    older = ResultReason.OBJECT_ARCHIVED


class WrappingObjectDestroyed(KmipError):
    """The wrapping key was destroyed."""

    reason = ResultReason.WRAPPING_OBJECT_DESTROYED
    older = ResultReason.ITEM_NOT_FOUND


class UnwrappingFailed(KmipError):
    """A key cannot be unwrapped here. One error, whatever was wrong with the key or with its wrapping."""

    reason = ResultReason.INVALID_FIELD
    older_in = {
        Operation.GET: ResultReason.FEATURE_NOT_SUPPORTED,
        Operation.EXPORT: ResultReason.FEATURE_NOT_SUPPORTED,
    }
    newer_in = {
        Operation.GET: ResultReason.KEY_WRAP_TYPE_NOT_SUPPORTED,
        Operation.EXPORT: ResultReason.KEY_WRAP_TYPE_NOT_SUPPORTED,
    }

    def __init__(self) -> None:
        super().__init__(
            "the key cannot be unwrapped here: the server needs the wrapping key that it names, the right to"
            " unwrap with it, and a key that was wrapped as its Key Wrapping Data say"
        )


class WrappingKeyUnavailable(UnwrappingFailed):
    """The server holds no key that could unwrap, or may not use it for that. Said like any other failure."""


class ProtectionStorageUnavailable(KmipError):
    """None of the Protection Storage Masks in the request says where the server keeps objects."""

    reason = ResultReason.PROTECTION_STORAGE_UNAVAILABLE
    older = ResultReason.INVALID_FIELD


class PrivateProtectionStorageUnavailable(ProtectionStorageUnavailable):
    """The same, of the private key of a pair."""

    reason = ResultReason.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE


class PublicProtectionStorageUnavailable(ProtectionStorageUnavailable):
    """The same, of the public key of a pair."""

    reason = ResultReason.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE
