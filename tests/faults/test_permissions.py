"""Every operation, by everybody who might try (faults 13 and 14).

Rule: the rows are those that show each operation done over the wire (`tests/e2e/completeness`), so that an
operation that comes later is in here by itself. Only the owner and whoever has exactly the permission that
the operation declares get it done; everybody else is answered what a missing object is answered, and the
store is the same afterwards, byte for byte.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from strongroom.domain.context import Policy
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.operation import Request
from strongroom.domain.permission import Permission
from strongroom.domain.rights import compile_rights
from strongroom.domain.rules import GRANTABLE, AccessRule
from strongroom.operations.catalogue import all_operations
from strongroom.registry import V2_1, VERSIONS, Operation, ResultStatus, Version
from tests.e2e.completeness.test_operations import ELSEWHERE, ROWS
from tests.expect import MISSING
from tests.kms import ALICE, BOB
from tests.outcomes import InProcess

SINGLE = ("unique_identifier", "private_key_unique_identifier")
"""The fields by which requests name an object, or several."""

NAME_NOTHING_THERE = {
    Operation.IMPORT: "the identifier is to be free; test_import.py has Replace Existing of foreign objects",
}

STRANGER = ClientIdentity(client=ClientId(9), tenant=TenantId(2), name="stranger")


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    server = InProcess(tmp_path_factory.mktemp("permissions"), policy=Policy(legacy=True))
    server.clients[STRANGER.client] = STRANGER
    yield server
    server.close()


def having(caller: ClientIdentity, permissions: Iterable[Permission], **on: Any) -> ClientIdentity:
    """Return the client with a rule that grants it these permissions."""
    given: dict[str, Any] = {"to": "client", "to_client": caller.client, "on": "owner"}
    given |= {"on_client": ALICE.client, "permissions": tuple(sorted(p.value for p in permissions))}
    rule = AccessRule(**(given | on))
    return replace(caller, access=compile_rights(caller.client, caller.groups, [rule]))


def named(request: Request[Any]) -> list[str]:
    return [name for name in SINGLE if getattr(request, name, None)]


def without_object(request: Request[Any]) -> Request[Any]:
    """Return the request about an object that does not exist."""
    nothing = {
        name: (MISSING,) * len(getattr(request, name))
        if isinstance(getattr(request, name), tuple)
        else MISSING
        for name in named(request)
    }
    return request.replace(**nothing)


def on_objects() -> list[Any]:
    """Return each operation that needs a permission on an object, in the versions that it is played in."""
    return [
        pytest.param(spec.operation, version, id=f"{spec.operation.name}-{version}")
        for spec in all_operations().values()
        if spec.needs in GRANTABLE
        and spec.operation not in ELSEWHERE
        and spec.operation not in NAME_NOTHING_THERE
        and any(field.name in SINGLE for field in spec.request.fields)
        for version in versions_of(spec)
    ]


def versions_of(spec: Any) -> list[Version]:
    found = [version for version in VERSIONS if spec.in_version(version)]
    return [v for v in found if v in (found[0], V2_1, found[-1])]


def stored(kms: InProcess) -> list[Any]:
    """Return every row of the store but the audit events."""
    connection = sqlite3.connect(kms.directory / "strongroom.db")
    try:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in ("objects", "terms", "names", "entries")
        ]
    finally:
        connection.close()


def answer(kms: InProcess, request: Request[Any], caller: ClientIdentity) -> tuple[Any, ...]:
    item = kms.outcome(request, caller=caller)
    return item.result_status, item.result_reason, item.result_message


def test_every_operation_on_objects_is_played() -> None:
    """What is left out needs no permission on an object that is there."""
    played = {one.values[0] for one in on_objects()}
    rest = {spec.operation: spec.needs for spec in all_operations().values() if spec.operation not in played}
    no_object = {o for o, needs in rest.items() if needs not in GRANTABLE}
    assert set(rest) - no_object == {Operation.LOCATE, Operation.IMPORT}


@pytest.mark.parametrize(("operation", "version"), on_objects())
def test_only_the_owner_and_the_right_grant_get_it_done(
    kms: InProcess, operation: Operation, version: Version
) -> None:
    kms.version = version
    right = all_operations()[operation].needs
    request = ROWS[operation].succeeds(kms)  # type: ignore[arg-type]
    if not named(request):
        pytest.skip("in this version the operation names no object")
    missing = answer(kms, without_object(request), BOB)
    assert missing[0] is ResultStatus.OPERATION_FAILED
    assert missing[2] == "no object has this Unique Identifier"
    others = GRANTABLE - {right}
    refused = {
        "another client": BOB,
        "all other permissions on everything": having(BOB, others, on="everything", on_client=None),
        "the permission on another's": having(BOB, [right], on_client=77),
        "the permission on another object": having(BOB, [right], on="object", on_client=None, on_name="x"),
        "another tenant": STRANGER,
        "everything in another tenant": having(STRANGER, GRANTABLE, on="everything", on_client=None),
        "the owner's number in another tenant": replace(ALICE, tenant=TenantId(2)),
        "the owner's rules in another tenant": having(STRANGER, GRANTABLE),
    } | {f"{p.value} alone": having(BOB, [p]) for p in sorted(others, key=lambda p: p.value)}
    before = stored(kms)
    for who, caller in refused.items():
        assert answer(kms, request, caller) == missing, who
        assert answer(kms, without_object(request), caller) == missing, who
    assert stored(kms) == before
    done = kms.outcome(request)
    assert done.result_status is ResultStatus.SUCCESS, done.result_message
    again = ROWS[operation].succeeds(kms)  # type: ignore[arg-type]
    done = kms.outcome(again, caller=having(BOB, [right]))
    assert done.result_status is ResultStatus.SUCCESS, done.result_message
