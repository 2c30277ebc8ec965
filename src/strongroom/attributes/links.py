"""Links between objects.

Rule: declarations only. Until 2.1 there is Link, with a Link Type; 3.0 has a tag for each type. Inside
there is Link alone, and the tags that say the same are views of it. Those that no Link Type says are
attributes of their own.
"""

from collections.abc import Mapping
from typing import Final

from strongroom.attributes.declaration import (
    CERTIFICATION,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    attribute,
)
from strongroom.model.compat import LINK_TYPES
from strongroom.model.identifiers import LinkedIdentifier
from strongroom.model.structures import Link
from strongroom.registry import V1_0, V2_1, V3_0, Operation, Tag

_OWN: Final[Mapping[Tag, bool]] = {
    Tag.CERTIFICATE_REQUEST_LINK: False,
    Tag.CREDENTIAL_LINK: True,
    Tag.GROUP_LINK: True,
    Tag.JOINED_SPLIT_KEY_PARTS_LINK: True,
    Tag.PASSWORD_LINK: False,
    Tag.SPLIT_KEY_BASE_LINK: False,
}
"""Whether an object may have several: a user has credentials and groups, a joined key has parts. The extract
of the 3.0 tables says that no link repeats; its test case BL-M-19 repeats one."""

# Each declaration keeps the rows of the rule table.
# fmt: off
LINK = attribute(
    Tag.LINK, Link, since=V1_0, until=V2_1, spec="1.4 §3.35, 2.1 §4.31",
    always_has_value=False, initially_set_by=EITHER, multiple=True,
    server_may=MODIFY, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CERTIFICATION | {
        Operation.CREATE_KEY_PAIR, Operation.DERIVE_KEY, Operation.RE_KEY, Operation.RE_KEY_KEY_PAIR,
    },
)

for _tag, _link_type in LINK_TYPES.items():
    attribute(
        Tag(_tag), LinkedIdentifier, since=V3_0, spec="3.0",
        always_has_value=False, initially_set_by=EITHER, multiple=False,
        server_may=MODIFY, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
        implicitly_set_by=frozenset({Operation.REGISTER}),
        view=_link_type,
    )

for _tag, _multiple in _OWN.items():
    attribute(
        _tag, LinkedIdentifier, since=V3_0, spec="3.0",
        always_has_value=False, initially_set_by=EITHER, multiple=_multiple,
        server_may=MODIFY, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
        implicitly_set_by=frozenset({Operation.REGISTER}),
    )
