"""What protects the object: Sensitive, Extractable, where it is stored.

Rule: declarations only. Always Sensitive and Never Extractable follow in `rules.py`.
"""

from datetime import datetime
from typing import Final

from strongroom.attributes.conditions import not_yet_sensitive, still_extractable
from strongroom.attributes.declaration import (
    CLIENT,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.domain.objects import ManagedObject
from strongroom.model.struct import Seconds
from strongroom.registry import V1_4, V2_0, ProtectionLevel, ProtectionStorageMask, Tag

STORAGE: Final = ProtectionStorageMask.SOFTWARE
"""Where every object is kept: sealed, in the store."""


def _protection_storage_mask(obj: ManagedObject, now: datetime) -> ProtectionStorageMask:
    return STORAGE


# Each declaration keeps the rows of the rule table.
# fmt: off
SENSITIVE = attribute(
    Tag.SENSITIVE, bool, since=V1_4, spec="1.4 §3.48, 2.1 §4.55",
    always_has_value=True, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    modifiable_while=not_yet_sensitive, common=False,
)

ALWAYS_SENSITIVE = attribute(
    Tag.ALWAYS_SENSITIVE, bool, since=V1_4, spec="1.4 §3.49, 2.1 §4.3",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,
    common=False,
)

EXTRACTABLE = attribute(
    Tag.EXTRACTABLE, bool, since=V1_4, spec="1.4 §3.50, 2.1 §4.23",
    always_has_value=True, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    modifiable_while=still_extractable, common=True,
)

NEVER_EXTRACTABLE = attribute(
    Tag.NEVER_EXTRACTABLE, bool, since=V1_4, spec="1.4 §3.51, 2.1 §4.33",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,
    common=False,
)

PROTECTION_LEVEL = attribute(
    Tag.PROTECTION_LEVEL, ProtectionLevel, since=V2_0, spec="2.1 §4.42",
    always_has_value=False, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)

PROTECTION_PERIOD = attribute(
    Tag.PROTECTION_PERIOD, Seconds, since=V2_0, spec="2.1 §4.43",
    always_has_value=False, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)

PROTECTION_STORAGE_MASK = attribute(
    Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask, since=V2_0, spec="2.1 §4.44",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    computed=_protection_storage_mask, index=Index.EXAMINED,
)
