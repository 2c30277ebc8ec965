"""What goes wrong between Items and Structs.

Rule: each error says which rule of the message was broken; the engine turns it into a Result Reason.
"""

from strongroom.wire.errors import DecodeError


class MalformedField(DecodeError):
    """A field has the wrong item type, stands twice or is missing: the message is invalid."""


class UnknownField(DecodeError):
    """A field that the structure does not have in any version."""


class UnknownValue(DecodeError):
    """A number that the enumeration does not define in any version."""


class NotInVersion(Exception):
    """A value cannot be said in the version of the answer; the message names both."""
