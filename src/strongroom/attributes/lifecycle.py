"""State and dates (KMIP 1.4 §3.22-3.32 and 3.38, 2.1 §4).

Rule: declarations only. State is never stored here: the object has it, and the dates act on it.
"""

from datetime import datetime

from strongroom.attributes.conditions import (
    activation_date_is_open,
    deactivation_date_is_open,
    effective_state,
    process_start_date_is_open,
    protect_stop_date_is_open,
)
from strongroom.attributes.declaration import (
    CREATION,
    EITHER,
    GENERATION,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.model.structures import DeactivationReason, RevocationReason
from strongroom.registry import V1_0, V1_2, V3_0, Operation, State, Tag

# Each declaration keeps the rows of the rule table.
# fmt: off
STATE = attribute(
    Tag.STATE, State, since=V1_0, spec="1.4 §3.22, 2.1 §4.57",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CREATION | {Operation.ACTIVATE, Operation.REVOKE, Operation.DESTROY},
    computed=effective_state, index=Index.COLUMN,
)

INITIAL_DATE = attribute(
    Tag.INITIAL_DATE, datetime, since=V1_0, spec="1.4 §3.23, 2.1 §4.25",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=CREATION,
)

ORIGINAL_CREATION_DATE = attribute(
    Tag.ORIGINAL_CREATION_DATE, datetime, since=V1_2, spec="1.4 §3.43, 2.1 §4.38",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=GENERATION,
)

ACTIVATION_DATE = attribute(
    Tag.ACTIVATION_DATE, datetime, since=V1_0, spec="1.4 §3.24, 2.1 §4.1",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    implicitly_set_by=CREATION | {Operation.ACTIVATE},
    modifiable_while=activation_date_is_open,
)

PROCESS_START_DATE = attribute(
    Tag.PROCESS_START_DATE, datetime, since=V1_0, spec="1.4 §3.25, 2.1 §4.40",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    implicitly_set_by=frozenset({
        Operation.CREATE, Operation.REGISTER, Operation.RE_KEY, Operation.DERIVE_KEY,
    }),
    modifiable_while=process_start_date_is_open,
)

PROTECT_STOP_DATE = attribute(
    Tag.PROTECT_STOP_DATE, datetime, since=V1_0, spec="1.4 §3.26, 2.1 §4.41",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    implicitly_set_by=frozenset({
        Operation.CREATE, Operation.REGISTER, Operation.RE_KEY, Operation.DERIVE_KEY,
    }),
    modifiable_while=protect_stop_date_is_open,
)

DEACTIVATION_DATE = attribute(
    Tag.DEACTIVATION_DATE, datetime, since=V1_0, spec="1.4 §3.27, 2.1 §4.18",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY,
    implicitly_set_by=CREATION | {Operation.REVOKE},
    modifiable_while=deactivation_date_is_open,
)

DEACTIVATION_REASON = attribute(
    Tag.DEACTIVATION_REASON, DeactivationReason, since=V3_0, spec="3.0",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.DEACTIVATE}),
)

COMPROMISE_OCCURRENCE_DATE = attribute(
    Tag.COMPROMISE_OCCURRENCE_DATE, datetime, since=V1_0, spec="1.4 §3.29, 2.1 §4.11",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.REVOKE}),
)

COMPROMISE_DATE = attribute(
    Tag.COMPROMISE_DATE, datetime, since=V1_0, spec="1.4 §3.30, 2.1 §4.10",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.REVOKE}),
)

REVOCATION_REASON = attribute(
    Tag.REVOCATION_REASON, RevocationReason, since=V1_0, spec="1.4 §3.31, 2.1 §4.47",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.REVOKE}),
)

DESTROY_DATE = attribute(
    Tag.DESTROY_DATE, datetime, since=V1_0, spec="1.4 §3.28, 2.1 §4.20",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.DESTROY}),
)

ARCHIVE_DATE = attribute(
    Tag.ARCHIVE_DATE, datetime, since=V1_0, spec="1.4 §3.32, 2.1 §4.5",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=frozenset({Operation.ARCHIVE}),
)

LAST_CHANGE_DATE = attribute(
    Tag.LAST_CHANGE_DATE, datetime, since=V1_0, spec="1.4 §3.38, 2.1 §4.29",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,
    implicitly_set_by=CREATION | {
        Operation.ADD_ATTRIBUTE, Operation.MODIFY_ATTRIBUTE, Operation.DELETE_ATTRIBUTE,
        Operation.GET_USAGE_ALLOCATION, Operation.ACTIVATE, Operation.REVOKE, Operation.DESTROY,
        Operation.ARCHIVE, Operation.RECOVER,
    },
)
