"""Locate by everything that can be asked for, as clients of two tenants (fault 19).

Rule: what is found is compared with a plain search over all objects of all tenants, by the decision about
access and the matching of attributes themselves.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.rules import matches
from strongroom.domain.access import may
from strongroom.domain.audit import AuditEvent
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import compile_rights
from strongroom.domain.rules import GRANTABLE, AccessRule
from strongroom.domain.store import Changes
from strongroom.engine.sequence import SEQUENCE_NUMBERS
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.convert import decoder, encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V1_4, V2_1, V3_0, ItemType, ObjectType, State, StorageStatusMask, Tag
from tests.expect import (
    active_key,
    archived_key,
    key,
    key_in,
    key_pair,
    named,
    register_opaque,
    register_password,
)
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, template

CAROL = ClientIdentity(client=ClientId(3), tenant=TenantId(2), name="carol")
STORAGE = StorageStatusMask(7)
VENDOR = VendorAttribute("x", "purpose")


def rule(permissions: Sequence[Permission] = (Permission.LOCATE,), **fields: Any) -> AccessRule:
    given: dict[str, Any] = {"to": "everyone", "on": "everything"} | fields
    return AccessRule(permissions=tuple(p.value for p in permissions), **given)


def under(caller: ClientIdentity, *rules: AccessRule) -> ClientIdentity:
    return replace(caller, access=compile_rights(caller.client, caller.groups, rules))


CALLERS = {
    "no rules": BOB,
    "owner": ALICE,
    "another tenant": CAROL,
    "everything": under(BOB, rule()),
    "everything in another tenant": under(CAROL, rule()),
    "all but locate": under(BOB, rule(sorted(GRANTABLE - {Permission.LOCATE}, key=lambda p: p.value))),
    "a group": under(BOB, rule(on="group", on_name="tapes")),
    "an owner": under(BOB, rule(on="owner", on_client=ALICE.client)),
    "an owner of another tenant": under(CAROL, rule(on="owner", on_client=ALICE.client)),
    "a group of another tenant": under(CAROL, rule(on="group", on_name="tapes")),
    "a policy": under(BOB, rule(on="policy", on_name="public")),
}


class World:
    """One key manager, and every object that is in it."""

    def __init__(self, kms: TestKms) -> None:
        self.kms = kms
        self.objects: list[ManagedObject] = []
        group, purpose = attribute(Tag.OBJECT_GROUP, "tapes"), attribute(VENDOR, RawValue(7, "backup"))
        made = [
            key(kms, group, purpose, named("one"), attribute(Tag.CONTACT_INFORMATION, "me")),
            key(kms, attribute(Tag.OPERATION_POLICY_NAME, "public"), length=128),
            active_key(kms, group),
            archived_key(kms),
            key_in(kms, State.DESTROYED),
            register_password(kms),
            register_opaque(kms),
            *key_pair(kms, group),
        ]
        for identifier in made:
            stored = kms.run(kms.repository.load(1, identifier))
            assert stored is not None
            self.objects.append(stored)
        for caller in (BOB, CAROL):
            copies = [self._copy(stored, caller) for stored in self.objects[: len(made)]]
            event = AuditEvent(
                at=kms.clock.now(),
                client=caller.client,
                tenant=caller.tenant,
                peer="test",
                operation="Register",
                outcome="success",
            )
            kms.run(kms.repository.commit(Changes(objects=copies, events=[event])))
            for copy in copies:
                stored = kms.run(kms.repository.load(copy.tenant, copy.unique_identifier))
                assert stored is not None
                self.objects.append(stored)

    def _copy(self, obj: ManagedObject, owner: ClientIdentity) -> ManagedObject:
        return ManagedObject(
            unique_identifier=UniqueIdentifier(str(uuid4())),
            object_type=obj.object_type,
            tenant=owner.tenant,
            owner=owner.client,
            sequence=SEQUENCE_NUMBERS(self.kms.clock.now()),
            state=obj.state,
            archived=obj.archived,
            attributes=dict(obj.attributes),
            material=obj.material,
        )

    def filters(self) -> list[AttributeInstance]:
        """Return a filter for every attribute that some object has, and some for what none has."""
        found: dict[tuple[Any, str], AttributeInstance] = {}
        for obj in self.objects:
            for instances in obj.attributes.values():
                for key_, value, _ in instances:
                    found[key_, repr(value)] = AttributeInstance(key_, value)
            for computed in all_attributes().values():
                if computed.computed is not None and obj.object_type in computed.applies_to:
                    value = computed.computed(obj, self.kms.clock.now())
                    if value is not None:
                        found[computed.tag, repr(value)] = AttributeInstance(computed.tag, value)
            found[Tag.UNIQUE_IDENTIFIER, obj.unique_identifier] = AttributeInstance(
                Tag.UNIQUE_IDENTIFIER, obj.unique_identifier
            )
        unknown = AttributeInstance(VendorAttribute("y", "unknown"), RawValue(int(ItemType.TEXT_STRING), "*"))
        states = [AttributeInstance(Tag.STATE, state) for state in State]
        types = [AttributeInstance(Tag.OBJECT_TYPE, one) for one in ObjectType]
        return [*found.values(), unknown, *states, *types, named("%"), named("*"), named("")]

    def expected(self, caller: ClientIdentity, filters: Sequence[AttributeInstance]) -> list[str]:
        now = self.kms.clock.now()
        hits = [
            obj
            for obj in self.objects
            if may(caller, Permission.LOCATE, obj, now)
            and obj.tenant == caller.tenant
            and matches(obj, filters, now)
        ]
        return [o.unique_identifier for o in sorted(hits, key=lambda o: o.sequence, reverse=True)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    kms = TestKms(tmp_path_factory.mktemp("locate"))
    kms.clients[CAROL.client] = CAROL
    yield World(kms)
    kms.close()


def found(
    world: World, caller: ClientIdentity, *filters: AttributeInstance, **fields: Any
) -> list[str] | None:
    """Return what is found, None where the request is refused or no version can say it."""
    request = LocateRequest(attributes=template(*filters), storage_status_mask=STORAGE, **fields)
    for version in (V2_1, V1_4, V3_0):
        said = decoder(LocateRequest, version)(encoder(LocateRequest, version)(request))
        if len(said.attributes.attributes if said.attributes else ()) == len(filters):
            (answer,) = world.kms.batch(request, version=version, caller=caller)
            return None if isinstance(answer, Refused) else list(answer.unique_identifier)  # type: ignore[attr-defined]
    return None


@pytest.mark.parametrize("who", CALLERS)
def test_every_filter_finds_what_the_caller_may_find_and_no_more(world: World, who: str) -> None:
    caller, answered = CALLERS[who], 0
    assert found(world, caller) == world.expected(caller, ())
    for one in world.filters():
        answer = found(world, caller, one)
        if answer is not None:
            assert answer == world.expected(caller, [one]), one
            answered += 1
    assert answered > 40


@pytest.mark.parametrize("who", CALLERS)
def test_filters_together_and_pages_find_no_more(world: World, who: str) -> None:
    caller, dice = CALLERS[who], random.Random(who)
    everything = world.filters()
    for _ in range(60):
        filters = dice.sample(everything, dice.choice([0, 1, 2, 3]))
        maximum, offset = dice.choice([None, 1, 3]), dice.choice([0, 0, 1, 4])
        answer = found(world, caller, *filters, maximum_items=maximum, offset_items=offset)
        if answer is not None:
            whole = world.expected(caller, filters)
            end = None if maximum is None else offset + maximum
            assert answer == whole[offset:end], (filters, maximum, offset)


def test_the_callers_see_different_things(world: World) -> None:
    """So that the tests above compare something."""
    seen = {who: len(world.expected(caller, ())) for who, caller in CALLERS.items()}
    nine = len(world.objects) // 3
    assert seen["no rules"] == seen["owner"] == seen["another tenant"] == seen["all but locate"] == nine
    assert seen["everything"] == seen["an owner"] == 2 * nine
    assert seen["everything in another tenant"] == seen["an owner of another tenant"] == nine
    assert nine < seen["a policy"] < seen["a group"] < 2 * nine
