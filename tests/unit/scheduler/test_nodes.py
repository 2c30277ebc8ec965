"""What the schedulers of two nodes do is done once; on PostgreSQL, where both read before either writes."""

import asyncio

import pytest

from strongroom.domain.outgoing import Correspondence
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.to_client.notify import NotifyRequest
from strongroom.operations.to_client.put import PutRequest
from strongroom.registry import V2_1, Tag
from strongroom.scheduler.courier import Courier
from strongroom.scheduler.dates import DateNotices
from strongroom.scheduler.lease import LENGTH
from tests.expect import later, pair_request
from tests.kms import ALICE, attribute
from tests.nodes import Nodes, nodes, postgres_server
from tests.unit.scheduler.conftest import Node
from tests.unit.scheduler.listening import Listening, courier, deliver, waiting
from tests.unit.scheduler.test_courier import Silent
from tests.unit.scheduler.test_rotation import DAILY, active, count, successor

__all__ = ["nodes", "postgres_server"]

pytestmark = pytest.mark.postgres


def look_at_once(nodes: Nodes, schedulers: tuple[Node, Node]) -> list[int]:
    now = nodes.one.clock.now()
    return nodes.at_once(*(scheduler.rotations.once(now) for scheduler in schedulers))


def test_two_nodes_that_look_at_once_rotate_every_key_once(nodes: Nodes) -> None:
    """faults 33."""
    keys = [active(nodes.one, *DAILY) for _ in range(5)]
    private = nodes.one.call(pair_request(*DAILY), version=V2_1).private_key_unique_identifier
    nodes.one.clock.pass_time(days=1)
    schedulers = Node(nodes.one), Node(nodes.two)
    assert sum(look_at_once(nodes, schedulers)) == 6
    rotated = [identifier for scheduler in schedulers for identifier in scheduler.rotated]
    assert sorted(rotated) == sorted([*keys, private])
    assert not any(scheduler.failed for scheduler in schedulers)
    assert count(nodes.one) == count(nodes.two) == 14
    assert [scheduler.look() for scheduler in schedulers] == [0, 0]


def test_what_both_nodes_have_missed_is_rotated_once(nodes: Nodes) -> None:
    """faults 33. After a downtime of ten periods; the next rotation is a period later, on either node."""
    old = active(nodes.one, *DAILY)
    nodes.one.clock.pass_time(days=10)
    assert sorted(look_at_once(nodes, (Node(nodes.one), Node(nodes.two)))) == [0, 1]
    again = Node(nodes.one), Node(nodes.two)
    assert [scheduler.look() for scheduler in again] == [0, 0]
    nodes.one.clock.pass_time(days=1)
    assert sorted(look_at_once(nodes, again)) == [0, 1]
    new = successor(nodes.one, old)
    assert new is not None
    assert successor(nodes.two, new) is not None
    assert count(nodes.two) == 3


async def look(worker: Courier, nodes: Nodes) -> None:
    """Let a worker look once, and end what it began."""
    await worker.tidy(nodes.one.clock.now())
    await asyncio.gather(*worker._visits.values())


def put(listening: Listening) -> list[str]:
    """Return and forget which objects were put, in order; nothing else was said of any."""
    messages = listening.told()
    found = [str(message.unique_identifier) for message in messages if isinstance(message, PutRequest)]
    assert len(found) == len(messages)
    return found


def test_what_one_node_wrote_is_delivered_by_the_other(nodes: Nodes) -> None:
    listening = Listening()
    key = nodes.one.create_symmetric_key()
    deliver(nodes.two, courier(nodes.two, listening))
    assert put(listening) == [key]
    deliver(nodes.one, courier(nodes.one, listening))
    assert listening.told() == []
    assert waiting(nodes.one) == []


def test_of_two_nodes_that_look_at_once_one_delivers(nodes: Nodes) -> None:
    """The first time, when nothing is known of the client yet, and later."""
    listening = Listening()
    workers = [courier(node, listening) for node in nodes]
    for _ in range(2):
        keys = [nodes.one.create_symmetric_key(), nodes.two.create_symmetric_key()]
        nodes.at_once(*(look(worker, nodes) for worker in workers))
        assert put(listening) == keys
    assert waiting(nodes.two) == []


def test_a_lease_whose_node_ended_passes_to_the_other(nodes: Nodes) -> None:
    listening = Listening()
    key = nodes.one.create_symmetric_key()
    ended, other = courier(nodes.one, listening), courier(nodes.two, listening)
    assert nodes.one.run(ended._take(ALICE, patient=True)) is not None
    deliver(nodes.two, other)
    assert listening.told() == []
    nodes.one.clock.pass_time(seconds=LENGTH.total_seconds() + 1)
    deliver(nodes.two, other)
    assert put(listening) == [key]
    kept = nodes.one.run(nodes.one.repository.load_entry(Correspondence, ALICE.tenant, str(ALICE.client)))
    assert kept is not None
    assert kept.value.holder == ""


def test_a_date_that_both_nodes_see_pass_is_notified_once(nodes: Nodes) -> None:
    listening = Listening()
    worker = courier(nodes.one, listening)
    key = nodes.one.create_symmetric_key()
    date = attribute(Tag.ACTIVATION_DATE, later(nodes.one, minutes=1))
    nodes.one.call(AddAttributeRequest(unique_identifier=UniqueIdentifier(key), new_attribute=date))
    deliver(nodes.one, worker)
    listening.told()
    notices = [
        DateNotices(node.repository, node.dispatcher.transactions.outbox.subscription, Silent())
        for node in nodes
    ]
    for one in notices:
        nodes.one.run(one.tidy(nodes.one.clock.now()))
    nodes.one.clock.pass_time(minutes=2)
    now = nodes.one.clock.now()
    nodes.at_once(*(one.tidy(now) for one in notices))
    deliver(nodes.one, worker)
    (message,) = listening.told()
    assert isinstance(message, NotifyRequest)
    assert message.unique_identifier == key
