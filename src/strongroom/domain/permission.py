"""What a caller may be allowed to do.

Rule: one permission per family of operations, and none implies another.
"""

from enum import Enum
from typing import Final


class Permission(Enum):
    """A right on objects; the value is its name in policies and in the audit log."""

    NONE = "none"
    """The operation touches no object (Query, Ping); every enrolled client may use it."""
    CREATE = "create"
    REGISTER = "register"
    LOCATE = "locate"
    GET = "get"
    EXPORT = "export"
    IMPORT = "import"
    WRAP = "wrap"
    """To have other objects wrapped with this key, beside the right to get them; to have them authenticated
    with it, beside the right to MAC or sign as well."""
    UNWRAP = "unwrap"
    READ_ATTRIBUTES = "read-attributes"
    CHANGE_ATTRIBUTES = "change-attributes"
    CHECK = "check"
    ACTIVATE = "activate"
    REVOKE = "revoke"
    DESTROY = "destroy"
    OBLITERATE = "obliterate"
    ARCHIVE = "archive"
    LEASE = "lease"
    ALLOCATE_USAGE = "allocate-usage"
    RE_KEY = "re-key"
    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    SIGN = "sign"
    SIGNATURE_VERIFY = "signature-verify"
    MAC = "mac"
    MAC_VERIFY = "mac-verify"
    DERIVE_KEY = "derive-key"
    SPLIT = "split"
    JOIN = "join"
    CERTIFY = "certify"
    VALIDATE = "validate"
    MANAGE_USERS = "manage-users"
    """To make users, groups and credentials (KMIP 3.0)."""
    SET_DEFAULTS = "set-defaults"
    SET_CONSTRAINTS = "set-constraints"
    LOG = "log"


GIVING: Final = frozenset({Permission.GET, Permission.EXPORT, Permission.DECRYPT})
"""Rights to the material of an object, or to what only its material can open."""
