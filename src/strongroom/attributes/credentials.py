"""Attributes of credential objects (since KMIP 3.0).

Rule: declarations only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from strongroom.attributes.declaration import (
    CREDENTIALS,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.domain.objects import ManagedObject
from strongroom.registry import V3_0, CredentialType, ObjectType, Operation, Tag

_TYPES: Final[Mapping[ObjectType, CredentialType]] = {
    ObjectType.PASSWORD_CREDENTIAL: CredentialType.PASSWORD,
    ObjectType.DEVICE_CREDENTIAL: CredentialType.DEVICE,
    ObjectType.ONE_TIME_PASSWORD_CREDENTIAL: CredentialType.ONE_TIME_PASSWORD,
    ObjectType.HASHED_PASSWORD_CREDENTIAL: CredentialType.HASHED_PASSWORD,
}


def _credential_type(obj: ManagedObject, now: datetime) -> CredentialType | None:
    return _TYPES.get(obj.object_type)


# Each declaration keeps the rows of the rule table.
# fmt: off
CREDENTIAL_TYPE = attribute(
    Tag.CREDENTIAL_TYPE, CredentialType, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CREDENTIALS,
    implicitly_set_by=frozenset({Operation.REGISTER}),
    requestable=True, computed=_credential_type,
)

OTP_COUNTER = attribute(
    Tag.OTP_COUNTER, bytes, since=V3_0, spec="3.0",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    index=Index.EXAMINED,
)
