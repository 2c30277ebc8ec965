"""policy.cedar takes away, and fails closed."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import ClientId, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import CryptographicAlgorithm, ObjectType, State, Tag
from strongroom.server.access import restrictions, restrictions_file
from strongroom.server.access.restrictions import ForClient, Restrictions
from strongroom.server.access.restrictions_file import RestrictionsFile, policies_at_rest
from strongroom.server.access.rules import RuleBook
from strongroom.server.errors import OperatorError
from tests.unit.server.conftest import NOW

pytest.importorskip("cedarpy", reason="an extra: pip install 'strongroom[cedar]'")

GET, LOCATE = Permission.GET, Permission.LOCATE
FORBID = "forbid(principal, action, resource);"


def record(name: str = "bob", *groups: str, number: int = 2) -> ClientRecord:
    return ClientRecord(
        client=ClientId(number),
        tenant=TenantId(1),
        name=name,
        fingerprint="f",
        groups=groups,
        username=None,
        password_hash=None,
        enrolled_at=NOW,
    )


def obj(**attributes: Any) -> ManagedObject:
    made = ManagedObject(
        unique_identifier=UniqueIdentifier("it"),
        object_type=ObjectType.SYMMETRIC_KEY,
        tenant=1,
        owner=1,
        sequence=1,
        state=State.ACTIVE,
        generation=1,
    )
    made.set(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
    for group in attributes.pop("groups", ()):
        made.add(Tag.OBJECT_GROUP, group)
    for name, value in attributes.items():
        made.set(Tag[name], value)
    made.changed = False
    return made


def allows(policy: str, client: ClientRecord, permission: Permission, what: ManagedObject, at: Path) -> bool:
    file = at / "policy.cedar"
    file.write_text(policy)
    restriction = Restrictions(policies_at_rest(file)).of(client)
    assert restriction is not None
    return restriction.permits(permission, what)


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path


def test_without_a_file_nothing_is_restricted_and_nothing_is_loaded(at: Path) -> None:
    assert Restrictions(policies_at_rest(at / "policy.cedar")).of(record()) is None


@pytest.mark.parametrize("text", ["", "\n", "// forbid(principal, action, resource);\n"])
def test_a_file_without_a_policy_stops_the_start(at: Path, text: str) -> None:
    """An editor on a full disk has cut it off; whoever wants no restrictions removes it."""
    (at / "policy.cedar").write_text(text)
    with pytest.raises(OperatorError, match="holds no policy"):
        policies_at_rest(at / "policy.cedar")


@pytest.mark.parametrize(
    ("condition", "forbids"),
    [
        ('principal == Client::"bob"', True),
        ('principal == Client::"Bob"', False),
        ('principal in ClientGroup::"interns"', True),
        ('principal in ClientGroup::"intern"', False),
        ("principal.number == 2 && principal.tenant == 1", True),
        ('action == Action::"get"', True),
        ('action == Action::"locate"', False),
        ('resource == Object::"it"', True),
        ('resource in ObjectGroup::"tapes"', True),
        ('resource in ObjectGroup::"disks"', False),
        ("resource.owner == 1 && resource.tenant == 1", True),
        ('resource.type == "SYMMETRIC_KEY" && resource.policy == "default"', True),
        ('resource.state == "ACTIVE" && resource.algorithm == "AES"', True),
        ("resource has sensitive && resource.sensitive", True),
        ("resource has length", False),
    ],
)
def test_a_policy_knows_the_client_the_permission_and_the_object(
    at: Path, condition: str, forbids: bool
) -> None:
    client, what = record("bob", "interns"), obj(groups=("tapes",), SENSITIVE=True)
    assert knows(condition, client, what, at) is forbids


def knows(condition: str, client: ClientRecord, what: ManagedObject, at: Path) -> bool:
    """Tell whether a condition holds; what cannot be evaluated forbids, so its opposite is asked too."""
    policies = (
        f"forbid(principal, action, resource) when {{ {one} }};" for one in (condition, f"!({condition})")
    )
    forbids, opposite = (not allows(policy, client, GET, what, at) for policy in policies)
    assert forbids is not opposite, "it cannot be evaluated"
    return forbids


def test_a_policy_knows_what_an_object_may_have(at: Path) -> None:
    what = obj(CRYPTOGRAPHIC_LENGTH=256, EXTRACTABLE=False, OPERATION_POLICY_NAME="strict")
    condition = 'resource.length == 256 && !resource.extractable && resource.policy == "strict"'
    assert knows(condition, record(), what, at)


def test_what_cannot_be_evaluated_is_forbidden(at: Path) -> None:
    """Cedar itself skips such a policy."""
    assert not allows(
        "forbid(principal, action, resource) when { resource.length < 1 };", record(), GET, obj(), at
    )


def test_a_name_is_a_name_whatever_is_in_it(at: Path) -> None:
    policy = 'forbid(principal, action, resource in ObjectGroup::"x");'
    hostile = '"); permit(principal, action, resource); //\n'
    assert not allows(policy, record(), GET, obj(groups=(hostile, "x")), at)
    assert allows(policy, record(), GET, obj(groups=(hostile,)), at)


def test_a_file_that_is_no_policy_stops_the_start(at: Path) -> None:
    file = at / "policy.cedar"
    for text in (b"forbid(", b"permit everything", b"\xff", b"(" * 100_000):
        file.write_bytes(text)
        with pytest.raises(OperatorError, match=r"policy\.cedar"):
            policies_at_rest(file)


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ('forbid(principal, action == Action::"gte", resource);', 'Action::"gte"'),
        ('forbid(principal, action in [Action::"get", Action::"Export"], resource);', 'Action::"Export"'),
        ('forbid(principal, action, resource in ObjectGrup::"x");', 'ObjectGrup::"x"'),
        ('forbid(principal, action, resource) unless { principal in Group::"x" };', 'Group::"x"'),
        ("forbid(principal is User, action, resource);", "User"),
        ("forbid(principal, action, resource) when { resource is Key };", "Key"),
    ],
)
def test_a_policy_that_would_never_apply_is_refused(at: Path, policy: str, named: str) -> None:
    """A name that was mistyped seems to forbid, and forbids nothing."""
    file = at / "policy.cedar"
    file.write_text(policy)
    with pytest.raises(OperatorError, match=f"there is no {named}"):
        policies_at_rest(file)


def test_whatever_can_be_named_is_taken(at: Path) -> None:
    actions = ", ".join(f'Action::"{one.value}"' for one in Permission)
    text = (
        f'forbid(principal is Client, action in [{actions}], resource is Object in ObjectGroup::"x");'
        '@type("Key") @id("1") forbid(principal == Client::"a", action, resource == Object::"1")'
        ' unless { principal in ClientGroup::"x" || resource.type == "Key" };'
    )
    (at / "policy.cedar").write_text(text)
    assert policies_at_rest(at / "policy.cedar") == text


BROKEN: list[bytes | None] = [b"forbid(", b"\xff", b"", b"// nothing", b"(" * 100_000, None]
"""What may be found in the place of the file; None: nothing at all."""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_cannot_be_used_any_more_changes_nothing_and_is_an_alarm(
    at: Path, monkeypatch: pytest.MonkeyPatch, broken: bytes | None
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(restrictions_file.log, "error", lambda event, **_: alarms.append(event))
    file = at / "policy.cedar"
    file.write_text(FORBID)
    followed = RestrictionsFile(file)
    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)
    for _ in range(2):
        assert not followed.follow()
        assert followed.text == FORBID
        assert followed.problem is not None
    assert alarms == ["restrictions_refused"]
    file.write_text(FORBID)
    assert not followed.follow()
    assert followed.problem is None
    file.write_text(f"// more\n{FORBID}")
    assert followed.follow()
    assert followed.text == f"// more\n{FORBID}"


def test_a_file_that_appears_is_followed(at: Path) -> None:
    followed = RestrictionsFile(at / "policy.cedar")
    assert followed.text is None
    (at / "policy.cedar").write_text("forbid(")
    assert not followed.follow()
    assert followed.text is None
    (at / "policy.cedar").unlink()
    assert not followed.follow()
    assert followed.problem is None
    (at / "policy.cedar").write_text(FORBID)
    assert followed.follow()
    assert followed.text == FORBID


def test_a_file_that_could_not_be_read_for_another_reason_is_tried_again(
    at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = at / "policy.cedar"
    followed = RestrictionsFile(file)
    file.write_text(FORBID)

    def no_room(_policies: str) -> int:
        raise OperatorError("no process can be started")

    with monkeypatch.context() as patched:
        patched.setattr(restrictions_file, "count_policies", no_room)
        assert not followed.follow()
    monkeypatch.setattr(restrictions_file, "TRY_AGAIN", 0.0)
    assert followed.follow()
    assert followed.text == FORBID


def test_other_policies_are_enforced_from_then_on() -> None:
    made, client = Restrictions(FORBID), record()
    first = made.of(client)
    assert first is not None
    assert not first.permits(GET, obj())
    assert made.of(client) is first
    revision = made.revision
    with pytest.raises(OperatorError):
        made.adopt("forbid(")
    assert made.of(client) is first
    assert made.revision == revision
    made.adopt('forbid(principal, action == Action::"locate", resource);')
    assert made.revision != revision
    second = made.of(client)
    assert second is not None
    assert second.permits(GET, obj())


class Rules:
    """One rule in each tenant, which never changes, whatever the revision says."""

    revision = 1

    async def load_entry(self, kind: type, tenant: int, key: str) -> Any:
        return SimpleNamespace(generation=self.revision)

    async def entries_of(self, kind: type, tenant: int, owner: int, **_: object) -> list[Any]:
        return [SimpleNamespace(value=f"rule of {tenant}")]


def test_other_policies_and_other_tenants_are_looked_at_though_no_rule_has_changed() -> None:
    policies = Restrictions(FORBID)
    rules = Rules()
    book = RuleBook(cast(Any, rules), policies)

    def refresh(*tenants: int) -> bool:
        return asyncio.run(book.refresh(set(tenants)))

    assert refresh(1)
    assert not refresh(1)
    policies.adopt('forbid(principal, action == Action::"locate", resource);')
    assert refresh(1)
    assert not refresh(1)
    assert refresh(1, 2)
    found: object = book.rules
    assert found == {1: ["rule of 1"], 2: ["rule of 2"]}
    rules.revision += 1
    assert not refresh(1, 2)
    rules.revision += 1
    policies.adopt(FORBID)
    assert refresh(1, 2)
    assert not refresh(1, 2)


def test_a_decision_is_remembered_as_long_as_the_object_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = 'forbid(principal, action, resource) when { resource.state == "ACTIVE" };'
    restriction = Restrictions(policy).of(record())
    assert isinstance(restriction, ForClient)
    evaluated: list[Permission] = []
    original = restriction._evaluate

    def noting(permission: Permission, what: ManagedObject) -> bool:
        evaluated.append(permission)
        return original(permission, what)

    monkeypatch.setattr(restriction, "_evaluate", noting)
    what = obj()
    for _ in range(3):
        assert not restriction.permits(GET, what)
    assert evaluated == [GET]
    restriction.permits(LOCATE, what)
    later = obj()
    later.state = State.DEACTIVATED
    assert restriction.permits(GET, later)
    changed = obj()
    changed.changed = True
    restriction.permits(GET, changed)
    restriction.permits(GET, changed)
    assert len(evaluated) == 5


def test_so_many_decisions_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restrictions, "_REMEMBERED", 3)
    restriction = Restrictions(FORBID).of(record())
    assert isinstance(restriction, ForClient)
    what = obj()
    for number in range(10):
        what.sequence = number
        assert not restriction.permits(GET, what)
        assert 0 < len(restriction._known) <= 3


def test_a_library_that_fails_forbids(monkeypatch: pytest.MonkeyPatch) -> None:
    import cedarpy

    def fails(*arguments: object) -> object:
        raise RuntimeError("no")

    restriction = Restrictions("").of(record())
    assert restriction is not None
    monkeypatch.setattr(cedarpy, "is_authorized", fails)
    assert not restriction.permits(GET, obj())


def test_an_unreadable_file_stops_the_start(at: Path) -> None:
    (at / "policy.cedar").mkdir()
    with pytest.raises(OperatorError, match="cannot read"):
        policies_at_rest(at / "policy.cedar")
