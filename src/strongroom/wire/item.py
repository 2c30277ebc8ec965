"""The tree that all three encodings decode to.

Rule: an Item is a plain tuple, since a message is a dozen of them and each class instance would cost
more than the parsing. Nothing here or below knows what a tag means to the server.

`(tag, item type, value)`, where the value is
  STRUCTURE                          list of Items
  INTEGER, LONG_INTEGER, BIG_INTEGER, ENUMERATION, INTERVAL   int
  BOOLEAN                            bool
  TEXT_STRING, IDENTIFIER, REFERENCE, NAME_REFERENCE          str
  BYTE_STRING                        bytes
  DATE_TIME                          int, seconds since 1970-01-01 UTC (may be negative)
  DATE_TIME_EXTENDED                 int, microseconds since 1970-01-01 UTC
"""

from typing import Any, Final, TypeAlias

Item: TypeAlias = tuple[int, int, Any]

STRUCTURE: Final = 1
INTEGER: Final = 2
LONG_INTEGER: Final = 3
BIG_INTEGER: Final = 4
ENUMERATION: Final = 5
BOOLEAN: Final = 6
TEXT_STRING: Final = 7
BYTE_STRING: Final = 8
DATE_TIME: Final = 9
INTERVAL: Final = 10
DATE_TIME_EXTENDED: Final = 11
IDENTIFIER: Final = 12
REFERENCE: Final = 13
NAME_REFERENCE: Final = 14
