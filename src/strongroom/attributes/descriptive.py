"""What people and applications note about an object: groups, contact, description.

Rule: declarations only. The server interprets none of them.
"""

from strongroom.attributes.declaration import (
    CREATION,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    attribute,
)
from strongroom.domain.attribute_errors import ApplicationNamespaceNotSupported
from strongroom.model.structures import ApplicationSpecificInformation
from strongroom.registry import V1_0, V1_4, V2_1, Operation, Tag


def _check_application_data(value: ApplicationSpecificInformation) -> None:
    """KMIP 2.1 §4.4: the server fills in Application Data for namespaces that it supports; there are none."""
    if value.application_data is None:
        raise ApplicationNamespaceNotSupported(
            "Application Data is missing, and the server makes none up for any Application Namespace"
        )


# Each declaration keeps the rows of the rule table.
# fmt: off
APPLICATION_SPECIFIC_INFORMATION = attribute(
    Tag.APPLICATION_SPECIFIC_INFORMATION, ApplicationSpecificInformation, since=V1_0,
    spec="1.4 §3.36, 2.1 §4.4",
    always_has_value=False, initially_set_by=EITHER, multiple=True,
    server_may=MODIFY, client_may=MODIFY | DELETE,
    implicitly_set_by=frozenset({Operation.RE_KEY, Operation.RE_CERTIFY, Operation.RE_KEY_KEY_PAIR}),
    check=_check_application_data,
)

CONTACT_INFORMATION = attribute(
    Tag.CONTACT_INFORMATION, str, since=V1_0, spec="1.4 §3.37, 2.1 §4.12",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY | DELETE,
    implicitly_set_by=CREATION,
)

DESCRIPTION = attribute(
    Tag.DESCRIPTION, str, since=V1_4, spec="1.4 §3.46, 2.1 §4.19",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY | DELETE,
)

COMMENT = attribute(
    Tag.COMMENT, str, since=V1_4, spec="1.4 §3.47, 2.1 §4.9",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY | DELETE,
)

PKCS_12_FRIENDLY_NAME = attribute(
    Tag.PKCS_12_FRIENDLY_NAME, str, since=V1_4, spec="1.4 §3.45, 2.1 §4.39",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=MODIFY | DELETE, applies_to=NOT_TEMPLATES,
)

OBJECT_GROUP = attribute(
    Tag.OBJECT_GROUP, str, since=V1_0, until=V2_1, spec="1.4 §3.33, 2.1 §4.35",
    always_has_value=False, initially_set_by=EITHER, multiple=True,
    server_may=MODIFY, client_may=MODIFY | DELETE,
    implicitly_set_by=CREATION,
)

OPERATION_POLICY_NAME = attribute(
    Tag.OPERATION_POLICY_NAME, str, since=V1_0, until=V1_4, spec="1.4 §3.18",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,
    implicitly_set_by=CREATION,
)
