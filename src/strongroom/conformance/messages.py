"""The few messages that the runner makes itself.

Rule: built from Items for any version; only credentials and the clean-up need them.
"""

from typing import Final

from strongroom.conformance.ledger import Made
from strongroom.conformance.target import Target
from strongroom.conformance.trees import child
from strongroom.model.secret import SecretBytes
from strongroom.registry import V3_0, CredentialType, Operation, RevocationReasonCode, Tag, Version
from strongroom.wire.item import ENUMERATION, INTEGER, STRUCTURE, TEXT_STRING, Item

_AFTER_AUTHENTICATION: Final = frozenset(
    {Tag.BATCH_ERROR_CONTINUATION_OPTION, Tag.BATCH_ORDER_OPTION, Tag.TIME_STAMP, Tag.BATCH_COUNT}
)


def with_credentials(request: Item, target: Target) -> Item:
    """Return the request with the profile's user name and password, unless it brings its own."""
    header = child(request, Tag.REQUEST_HEADER)
    username, password = target.profile.username, target.profile.password
    if username is None or header is None or child(header, Tag.AUTHENTICATION) is not None:
        return request
    fields = header[2]
    place = next((n for n, item in enumerate(fields) if item[0] in _AFTER_AUTHENTICATION), len(fields))
    filled = [*fields[:place], _authentication(username, password), *fields[place:]]
    return (
        request[0],
        STRUCTURE,
        [(Tag.REQUEST_HEADER, STRUCTURE, filled), *(item for item in request[2] if item is not header)],
    )


def destroy(made: Made, version: Version) -> Item:
    """Return a request to destroy an object."""
    return _request(version, Operation.DESTROY, [made.identifier])


def revoke(made: Made, version: Version) -> Item:
    """Return a request that deactivates an Active object, so that it can be destroyed."""
    code = (Tag.REVOCATION_REASON_CODE, ENUMERATION, int(RevocationReasonCode.CESSATION_OF_OPERATION))
    return _request(version, Operation.REVOKE, [made.identifier, (Tag.REVOCATION_REASON, STRUCTURE, [code])])


def _request(version: Version, operation: Operation, payload: list[Item]) -> Item:
    numbers = [
        (Tag.PROTOCOL_VERSION_MAJOR, INTEGER, version.major),
        (Tag.PROTOCOL_VERSION_MINOR, INTEGER, version.minor),
    ]
    header: list[Item] = [(Tag.PROTOCOL_VERSION, STRUCTURE, numbers)]
    if version < V3_0:  # KMIP 3.0 has no Batch Count
        header.append((Tag.BATCH_COUNT, INTEGER, 1))
    batch_item: list[Item] = [
        (Tag.OPERATION, ENUMERATION, int(operation)),
        (Tag.REQUEST_PAYLOAD, STRUCTURE, payload),
    ]
    return (
        Tag.REQUEST_MESSAGE,
        STRUCTURE,
        [(Tag.REQUEST_HEADER, STRUCTURE, header), (Tag.BATCH_ITEM, STRUCTURE, batch_item)],
    )


def _authentication(username: str, password: SecretBytes | None) -> Item:
    value: list[Item] = [(Tag.USERNAME, TEXT_STRING, username)]
    if password is not None:
        value.append((Tag.PASSWORD, TEXT_STRING, password.reveal().decode()))
    credential: list[Item] = [
        (Tag.CREDENTIAL_TYPE, ENUMERATION, int(CredentialType.USERNAME_AND_PASSWORD)),
        (Tag.CREDENTIAL_VALUE, STRUCTURE, value),
    ]
    return (Tag.AUTHENTICATION, STRUCTURE, [(Tag.CREDENTIAL, STRUCTURE, credential)])
