"""One recovery kit for all servers of a store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.store import Changes
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import parse
from strongroom.rootkey.recovery import Identity
from strongroom.server.errors import NothingBegun
from strongroom.server.root import change, kits
from strongroom.server.root.change import LOOK, SETTLING
from strongroom.server.root.kits import RecoveryRecipient
from strongroom.store.records import ChangeSet
from tests.kms import TestKms
from tests.unit.server.root.test_change import Node, two_nodes

FIRST, SECOND = (Identity.generate().recipient for _ in range(2))


class Both(NamedTuple):
    one: Node
    two: Node


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """Give two nodes on one store, with the same root key and no kit."""
    kms = TestKms(tmp_path)
    kms.create_symmetric_key()
    yield Both(*two_nodes(kms, tmp_path))
    kms.close()


def make(node: Node, recipient: str) -> None:
    assert node.command("recovery.create", recipient=recipient) == {"recovery": recipient}


def put_back(node: Node, recipient: str, number: int) -> None:
    """Do what somebody can who has an older record of the store."""
    value = RecoveryRecipient(recipient=recipient, number=number)
    kept = node.kms.run(kits._kept(node.store))
    generation = 0 if kept is None else kept.generation
    after = Kept(tenant=SYSTEM_TENANT, key=kits._KEY, owner=0, value=value, generation=generation)
    entry = EntryChange(RecoveryRecipient, SYSTEM_TENANT, kits._KEY, generation, after)
    node.kms.run(node.store.commit(Changes(entries=[entry])))


def test_each_node_wraps_for_the_kit_that_was_made_on_one(both: Both) -> None:
    make(both.one, FIRST.text)
    both.two.work()
    assert both.two.root_key.recovery == FIRST.text
    recovery = parse(both.two.root_key.wrap(SecretBytes(bytes(32)))).recovery
    assert recovery is not None
    assert recovery.tag == FIRST.tag
    for row in both.one.kms.run(both.one.kms.backend.store_keys()):
        assert both.two.root_key.is_current(row.wrapped)


def test_a_store_key_that_a_node_made_before_it_heard_of_the_kit_is_found(both: Both) -> None:
    """The node with the kit has looked already, and found nothing."""
    make(both.one, FIRST.text)
    both.one.work()
    fresh = make_store_key(both.two)
    assert not both.one.root_key.is_current(fresh)
    both.one.work(after=LOOK + 1)
    rows = both.one.kms.run(both.one.kms.backend.store_keys())
    assert all(both.one.root_key.is_current(row.wrapped) for row in rows)


def make_store_key(node: Node) -> bytes:
    """Have a node make a store key, and return it as it is wrapped."""
    made = node.store._keys.create(1)
    node.kms.run(node.kms.backend.commit(ChangeSet(store_keys=[made.row])))
    return made.row.wrapped


def test_a_later_kit_takes_the_place_of_an_earlier_one_on_every_node(both: Both) -> None:
    make(both.one, FIRST.text)
    both.two.work()
    make(both.two, SECOND.text)
    both.one.work()
    assert both.one.root_key.recovery == SECOND.text
    assert both.one.job.problem is None


def test_an_older_record_that_was_put_back_is_not_followed(both: Both) -> None:
    make(both.one, FIRST.text)
    make(both.one, SECOND.text)
    both.two.work()
    put_back(both.one, FIRST.text, 1)
    both.two.work(after=LOOK + 1)
    assert both.two.root_key.recovery == SECOND.text
    kept = both.one.kms.run(kits._kept(both.one.store))
    assert kept is not None
    assert kept.value == RecoveryRecipient(recipient=SECOND.text, number=2)


def test_a_kit_of_an_older_release_is_told_to_the_others(both: Both) -> None:
    both.one.root_key.set_recovery(FIRST.text)
    both.one.work()
    both.two.work()
    assert both.two.root_key.recovery == FIRST.text


def test_two_kits_of_older_releases_are_a_problem_until_there_is_a_new_one(both: Both) -> None:
    """Each node wraps for its own, and nobody can say which was meant."""
    both.one.root_key.set_recovery(FIRST.text)
    both.two.root_key.set_recovery(SECOND.text)
    both.one.work()
    both.two.work()
    assert both.two.job.problem is not None
    assert "recovery create" in both.two.job.problem
    third = Identity.generate().recipient.text
    make(both.two, third)
    for node in both:
        node.work(after=LOOK + 1)
        assert node.root_key.recovery == third
        assert node.job.problem is None


def test_a_file_that_somebody_changed_is_told_to_nobody(both: Both) -> None:
    make(both.one, FIRST.text)
    path = both.one.directory.recovery
    path.write_text(path.read_text().replace(FIRST.text, SECOND.text).replace("# number 1", "# number 9"))
    both.one.work()
    assert both.one.job.problem is not None
    both.two.work()
    assert both.two.root_key.recovery == FIRST.text


def test_of_two_kits_at_once_one_is_refused(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kits._put

    async def put(*arguments: object) -> None:
        monkeypatch.setattr(kits, "_put", real)
        await kits.give_to_nodes(SECOND.text, both.two.root_key, both.two.store)
        await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(kits, "_put", put)
    with pytest.raises(NothingBegun, match="another server makes"):
        both.one.command("recovery.create", recipient=FIRST.text)
    assert both.one.root_key.recovery is None
    both.one.work()
    assert both.one.root_key.recovery == SECOND.text


def test_the_number_of_the_kit_stays_when_the_root_key_is_replaced(both: Both) -> None:
    make(both.one, FIRST.text)
    both.one.rotate()
    both.one.work(after=SETTLING + 1)
    vars(both.one.root_key)["_records"][-1] = replace(both.one.root_key._records[-1], wraps_from=None)
    both.one.work(after=SETTLING + 1)
    assert not both.one.root_key.changing
    assert both.one.root_key.prove_recovery() == FIRST.text
    assert both.one.root_key.recovery_number == 1


def test_what_stays_without_a_copy_for_the_kit_is_a_problem(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left(*_: object) -> int:
        return 2

    with monkeypatch.context() as failing:
        failing.setattr(change, "rewrap", left)
        both.one.work()
        assert both.one.job.problem is not None
        assert "2 keys" in both.one.job.problem
    both.one.work()
    assert both.one.job.problem is None
