"""What bears the identifier and the number of a generation of something else is not taken for it.

Others write: another worker on SQLite, another node on PostgreSQL. Either keeps what it has opened.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.domain.acts import Safeguards
from strongroom.domain.entries import Kept
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.parking import Parked
from strongroom.domain.store import Changes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations import obliterate
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import V2_1, V3_0, ObjectType
from strongroom.store.records import ChangeSet
from strongroom.store.url import parse
from tests.expect import raw_key
from tests.kms import ALICE, BOB, Refused, TestKms, template
from tests.nodes import Nodes, nodes, postgres_server
from tests.postgres import PostgresServer
from tests.wrapping import material_of

__all__ = ["nodes", "postgres_server"]

K = UniqueIdentifier("k")
OLD, NEW = b"A" * 16, b"B" * 16
WINDOW = timedelta(days=7)
TABLES = ("objects", "terms", "names", "entries", "audit")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nodes]:
    store = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = parse(server.url(server.create_database()), tmp_path)
    one = TestKms(tmp_path, store=store)
    two = TestKms(tmp_path, store=store, beside=one)
    yield Nodes(one, two)
    two.close()
    one.close()


def bring(kms: TestKms, key: bytes, *, caller: ClientIdentity = ALICE, replace: bool | None = None) -> None:
    request = ImportRequest(
        unique_identifier=K,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=replace,
        attributes=template(),
        managed_object=raw_key(key),
    )
    kms.call(request, version=V2_1, caller=caller)


def material(kms: TestKms, key: UniqueIdentifier = K, *, caller: ClientIdentity = ALICE) -> bytes:
    got = kms.call(GetRequest(unique_identifier=key), version=V2_1, caller=caller)
    return material_of(got.managed_object)


def made_again(pair: Nodes, *, caller: ClientIdentity = ALICE) -> None:
    """Have one obliterate what two has opened, and make another object of that name, with as many changes."""
    bring(pair.one, OLD)
    assert material(pair.two) == OLD
    pair.one.call(ObliterateRequest(unique_identifier=K), version=V3_0)
    bring(pair.one, NEW, caller=caller)
    assert material(pair.one, caller=caller) == NEW


def test_an_object_that_was_made_again_is_the_new_one_everywhere(pair: Nodes) -> None:
    made_again(pair)
    assert material(pair.two) == NEW


def test_what_is_somebody_elses_now_is_not_given_to_who_had_it(
    pair: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it could be before identifiers were kept for whose they had been."""
    monkeypatch.setattr(obliterate, "obliterated_key", lambda _: "another")
    made_again(pair, caller=BOB)
    with pytest.raises(Refused):
        material(pair.two)
    with pytest.raises(Refused):
        pair.two.call(ActivateRequest(unique_identifier=K), version=V2_1)
    assert material(pair.one, caller=BOB) == NEW


def test_a_change_of_what_was_made_again_is_one_of_the_new_object(pair: Nodes) -> None:
    made_again(pair)
    pair.two.call(ActivateRequest(unique_identifier=K), version=V2_1)
    for node in pair:
        node.forget()
        assert material(node) == NEW


@pytest.mark.postgres
def test_a_number_that_was_lost_in_a_failover_and_given_again_is_another_generation(
    nodes: Nodes, postgres_server: PostgresServer
) -> None:
    one, two = nodes
    database = one.url.dsn.partition("@/")[2].partition("?")[0]  # type: ignore[union-attr]
    key = one.create_symmetric_key()
    material(one, key)
    for table in TABLES:
        postgres_server.sql(database, f"CREATE TABLE standby_{table} AS SELECT * FROM {table}")
    one.call(ActivateRequest(unique_identifier=key), version=V2_1)
    material(two, key)
    for table in TABLES:
        postgres_server.sql(database, f"TRUNCATE {table}; INSERT INTO {table} SELECT * FROM standby_{table}")
    one.forget()
    one.call(DestroyRequest(unique_identifier=key), version=V2_1)
    for node in nodes:
        with pytest.raises(Refused):
            material(node, key)


def test_what_is_parked_again_waits_its_time_though_somebody_late_ends_the_first(pair: Nodes) -> None:
    """The one who is late found the first entry due and was held up before its commit."""
    one, two = pair
    for kms in pair:
        laid_down = Safeguards(deletion_window=int(WINDOW.total_seconds()))
        kms.dispatcher.transactions.guard.laid_down = {int(ALICE.tenant): laid_down}
    bring(one, OLD)
    one.call(DestroyRequest(unique_identifier=K), version=V2_1)
    one.clock.time += WINDOW + timedelta(days=1)
    waits, go = asyncio.Event(), asyncio.Event()
    at_once = two.backend.commit

    async def commit(changes: ChangeSet) -> None:
        waits.set()
        await go.wait()
        await at_once(changes)

    vars(two.backend)["commit"] = commit

    async def meanwhile() -> asyncio.Task[None]:
        late = asyncio.create_task(two.dispatcher.transactions.guard.tidy(one.clock.now()))
        await waits.wait()
        await one.dispatcher.transactions.guard.tidy(one.clock.now())
        return late

    late = one.run(meanwhile())
    assert parked(one) is None
    bring(one, NEW, replace=True)
    one.call(DestroyRequest(unique_identifier=K), version=V2_1)
    again = parked(one)
    go.set()
    one.run(asyncio.wait_for(late, 60))
    assert again is not None
    assert parked(one) == again


def parked(kms: TestKms) -> Kept[Parked] | None:
    return kms.run(kms.repository.load_entry(Parked, ALICE.tenant, K))


def test_a_commit_takes_no_number_that_was_only_counted(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    obj = kms.run(kms.repository.load(ALICE.tenant, key))
    assert obj is not None
    counted = obj.copy()
    counted.generation = int(obj.generation)
    with pytest.raises(ValueError, match="was counted, not read"):
        kms.run(kms.repository.commit(Changes(objects=[counted])))
