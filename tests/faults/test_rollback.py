"""Records that cannot be swapped, edited, taken away or put back unnoticed, on both stores.

Rule: what an attacker does is done to the database itself, in SQL; what notices it is the real verifier.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from strongroom.domain.doubts import Distrusted, Doubt, Subject
from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.store import LostRace
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT, Tenant
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Seconds
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.login import LoginRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import V2_1, V3_0, ObjectType
from strongroom.scheduler import verification
from strongroom.scheduler.verification import KEY, Verification, Verifier
from strongroom.server.administration.command import perform
from strongroom.server.errors import OperatorError
from strongroom.store import postgres_connect
from strongroom.store.reindexing import reindex
from strongroom.store.sealing import REDATED, StoreKeys
from strongroom.store.snapshot import take_snapshot
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl, parse
from strongroom.store.verification import OBJECTS, verify
from tests.certificates import authority
from tests.expect import opaque, registration, revoke
from tests.kms import Refused, TestKms
from tests.postgres import PostgresServer, postgres_server
from tests.unit.server.test_administration import administrator

__all__ = ["postgres_server"]

Row: TypeAlias = Sequence[Any]

COLUMNS: Final = (
    "sequence, unique_identifier, tenant, owner, generation, object_type, state, storage, usage_mask,"
    " activation_date, deactivation_date, store_key, attributes, sealed"
)


class Database:
    """The database as an attacker has it who can write anything but knows no key."""

    def __init__(self, url: StoreUrl) -> None:
        self.url = url

    def run(self, sql: str, *values: Any) -> list[Row]:
        """Run a statement with `?` for values, and return its rows."""
        if isinstance(self.url, SqliteUrl):
            with closing(sqlite3.connect(self.url.path, isolation_level=None)) as connection:
                return connection.execute(sql, values).fetchall()
        return asyncio.run(self._run(self.url, sql, values))

    async def _run(self, url: PostgresUrl, sql: str, values: tuple[Any, ...]) -> list[Row]:
        connection = await postgres_connect.connect(url)
        try:
            for number in range(1, sql.count("?") + 1):
                sql = sql.replace("?", f"${number}", 1)
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    def row(self, identifier: str) -> Row:
        return self.run(f"SELECT {COLUMNS} FROM objects WHERE unique_identifier = ?", identifier)[0]

    def put_back(self, row: Row) -> None:
        """Replace an object's row by an older one."""
        self.run("DELETE FROM objects WHERE unique_identifier = ?", row[1])
        places = ", ".join("?" * len(row))
        self.run(f"INSERT INTO objects ({COLUMNS}) VALUES ({places})", *row)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestKms]:
    """A key manager on either store."""
    store: StoreUrl | None = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = parse(server.url(server.create_database()), tmp_path)
    made = TestKms(tmp_path, store=store)
    yield made
    made.close()


@pytest.fixture
def database(kms: TestKms) -> Database:
    return Database(kms.url)


def found(kms: TestKms, *, at_once: int = 100_000) -> list[Doubt]:
    """Return what the verifier finds in the store as it is now."""

    async def look() -> list[Doubt]:
        keys = StoreKeys(kms.root_key)
        keys.load(await kms.backend.store_keys())
        async with take_snapshot(kms.url) as snapshot:
            return [doubt async for doubt in verify(snapshot, keys, at_once=at_once)]

    return kms.run(look())


def about(doubts: list[Doubt], subject: Subject) -> list[tuple[str, str]]:
    return [(doubt.name, doubt.reason) for doubt in doubts if doubt.subject is subject]


def activate(kms: TestKms, key: str) -> None:
    kms.call(ActivateRequest(unique_identifier=UniqueIdentifier(key)))


def get(kms: TestKms, key: str) -> None:
    kms.call(GetRequest(unique_identifier=UniqueIdentifier(key)))


def test_an_honest_store_is_not_doubted(kms: TestKms) -> None:
    keys = [kms.create_symmetric_key(name=f"key {number}") for number in range(5)]
    for key in keys:
        activate(kms, key)
        # Chaining writes events again, so that the database keeps them in another order.
        kms.run(kms.repository.chain.extend())
        get(kms, key)
    gone = kms.create_symmetric_key()
    kms.call(ObliterateRequest(unique_identifier=UniqueIdentifier(gone)), version=V3_0)
    certificate = authority(kms).certificate
    kms.call(revoke(certificate))
    kms.call(DestroyRequest(unique_identifier=certificate))
    assert found(kms) == []
    assert found(kms, at_once=2) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", 2),
        ("owner", 2),
        ("usage_mask", 0xFFFF),
        ("activation_date", 1),
        ("deactivation_date", 4_000_000_000),
        ("generation", 7),
        ("object_type", 1),
        ("storage", 2),
        ("attributes", b"\x42\x01\x25\x01\x00\x00\x00\x00"),
    ],
)
def test_an_edited_column_is_noticed_at_use_and_by_the_verifier(
    kms: TestKms, database: Database, column: str, value: Any
) -> None:
    """State, owner, mask, dates and links are bound to the material."""
    key = kms.create_symmetric_key()
    kms.forget()
    database.run(f"UPDATE objects SET {column} = ? WHERE unique_identifier = ?", value, key)
    with pytest.raises(Refused) as refused:
        get(kms, key)
    assert "damaged" in refused.value.message or "no object" in refused.value.message
    assert {name for name, _ in about(found(kms), Subject.OBJECT)} == {key}


def test_a_store_key_that_was_dated_anew_seals_nothing_more(kms: TestKms, database: Database) -> None:
    """Whoever puts its renewal off for years brings it about at once."""
    key = kms.create_symmetric_key(name="before")
    ((number,),) = database.run("SELECT store_key FROM store_keys")
    database.run("UPDATE store_keys SET created_at = created_at + 1000000000")
    kms.forget()
    assert about(found(kms), Subject.STORE_KEY) == [(str(number), REDATED)]
    get(kms, key)
    activate(kms, key)
    sealing = {row[0] for row in database.run("SELECT store_key FROM store_keys")} - {number}
    assert len(sealing) == 1
    assert database.row(key)[COLUMNS.split(", ").index("store_key")] in sealing
    database.run("UPDATE store_keys SET created_at = created_at - 1000000000 WHERE store_key = ?", number)
    assert about(found(kms), Subject.STORE_KEY) == []


def test_two_rows_that_changed_places_are_noticed(kms: TestKms, database: Database) -> None:
    mine, other = kms.create_symmetric_key(), kms.create_symmetric_key(length=128)
    one, two = database.row(mine), database.row(other)
    kms.forget()
    for target, source in ((mine, two), (other, one)):
        sql = "UPDATE objects SET attributes = ?, sealed = ?, store_key = ? WHERE unique_identifier = ?"
        database.run(sql, source[12], source[13], source[11], target)
    for key in (mine, other):
        with pytest.raises(Refused, match="damaged"):
            get(kms, key)
    assert {name for name, _ in about(found(kms), Subject.OBJECT)} == {mine, other}


@pytest.mark.parametrize("way", ["taken out", "edited"])
def test_an_old_row_is_noticed_also_when_the_audit_log_has_forgotten_what_came_after(
    kms: TestKms, database: Database, way: str
) -> None:
    """Nothing contradicts the row then but the chain, whose next hash stands for what was there."""
    key, innocent = kms.create_symmetric_key(), kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    activate(kms, innocent)
    kms.run(kms.backend.chain_events())
    sequence, event = next(
        (sequence, event)
        for sequence, event in database.run("SELECT sequence, event FROM audit ORDER BY sequence")
        if b'"Activate"' in event and key.encode() in event
    )
    if way == "taken out":
        database.run("DELETE FROM audit WHERE sequence = ?", sequence)
    else:
        said = json.loads(event)
        del said["changed"]
        database.run("UPDATE audit SET event = ? WHERE sequence = ?", json.dumps(said).encode(), sequence)
    database.put_back(before)
    assert about(found(kms), Subject.EVENT)


def test_an_event_that_somebody_added_is_noticed_also_one_that_changed_nothing(
    kms: TestKms, database: Database
) -> None:
    """The server gives it a place in the chain, and would sign for it."""
    kms.create_symmetric_key()
    with pytest.raises(OperatorError):
        kms.run(perform(administrator(kms), {"command": "client.dance"}))
    kms.run(kms.backend.chain_events())
    assert found(kms) == []
    said = {"at": 1, "by": "person:carol", "operation": "ADMIN approval.reject", "outcome": "Denied"}
    (last,) = database.run("SELECT max(sequence) FROM audit")
    database.run("INSERT INTO audit (sequence, event) VALUES (?, ?)", last[0] + 1, json.dumps(said).encode())
    kms.run(kms.backend.chain_events())
    kms.create_symmetric_key()
    assert [reason for _, reason in about(found(kms), Subject.EVENT)] == ["it has no witness"]


def test_an_old_row_that_was_put_back_is_noticed(kms: TestKms, database: Database) -> None:
    """It opens, since it was sealed once; the chain of changes knows that it is over."""
    key, innocent = kms.create_symmetric_key(), kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    assert about(found(kms), Subject.OBJECT) == [(key, "an old record was put back: generation 1 of 2")]
    assert innocent not in {doubt.name for doubt in found(kms, at_once=1)}


def test_a_removed_object_that_was_put_back_is_noticed(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key()
    row = database.row(key)
    kms.call(ObliterateRequest(unique_identifier=UniqueIdentifier(key)), version=V3_0)
    database.put_back(row)
    assert about(found(kms), Subject.OBJECT) == [(key, "it was removed, and its record was put back")]


def test_a_row_that_was_taken_away_is_noticed(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key()
    database.run("DELETE FROM objects WHERE unique_identifier = ?", key)
    assert (key, "its record was taken away without being removed") in about(found(kms), Subject.OBJECT)


def test_events_that_were_cut_off_are_noticed_by_what_they_leave_behind(
    kms: TestKms, database: Database
) -> None:
    key = kms.create_symmetric_key()
    activate(kms, key)
    database.run("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    ((name, reason),) = about(found(kms), Subject.OBJECT)
    assert name == key
    assert "newer than the audit log" in reason


def test_an_old_row_that_was_put_back_and_changed_since_is_noticed(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    activate(kms, key)
    assert about(found(kms), Subject.OBJECT) == [(key, "an old record was put back and changed since")]


def test_an_event_that_the_server_did_not_write_is_not_believed(kms: TestKms, database: Database) -> None:
    """Who can write the audit table, too, covers up nothing: neither a copied event nor a new one helps."""
    key = kms.create_symmetric_key()
    before = database.row(key)
    events = [row[0] for row in database.run("SELECT event FROM audit ORDER BY sequence")]
    kms.call(ObliterateRequest(unique_identifier=UniqueIdentifier(key)), version=V3_0)
    database.put_back(before)
    forged = events[-1].replace(b'"outcome":"success"', b'"outcome":"SUCCESS"')
    assert forged != events[-1]
    for event in (events[-1], forged, json.dumps({"changed": [[key, 1, 1]], "operation": "CREATE"}).encode()):
        database.run("INSERT INTO audit (event) VALUES (?)", event)
    doubts = found(kms)
    assert [reason for _, reason in about(doubts, Subject.EVENT)] == [
        "it is a copy of an older one",
        "this server did not write it",
        "it has no witness",
    ]
    assert about(doubts, Subject.OBJECT) == [(key, "it was removed, and its record was put back")]


def test_what_the_server_removes_by_itself_is_not_missed(kms: TestKms) -> None:
    """A ticket that is over goes without an event; a rule that is gone without one is missed."""
    login = LoginRequest(lease_time=Seconds(60))
    kms.call(login, version=V2_1)
    kms.clock.pass_time(hours=1)
    kms.run(kms.dispatcher.tickets.tidy(kms.clock.now()))
    assert found(kms) == []


def test_a_rule_that_was_taken_away_in_the_database_is_missed(kms: TestKms, database: Database) -> None:
    kms.run(perform(administrator(kms), {"command": "tenant.create", "name": "blue"}))
    assert found(kms) == []
    database.run("DELETE FROM entries WHERE kind = ?", Tenant.kind)
    ((name, reason),) = about(found(kms), Subject.ENTRY)
    assert (name, reason) == ("21/blue", "its record was taken away without being removed")


def test_an_index_that_says_what_is_not_so_is_noticed(kms: TestKms, database: Database) -> None:
    """A name that leads to another key makes a client use the wrong one."""
    kms.create_symmetric_key(name="backup"), kms.create_symmetric_key(name="tapes")
    database.run("UPDATE terms SET sequence = sequence + 1 WHERE term = (SELECT min(term) FROM terms)")
    doubts = found(kms)
    kms.run(reindex(kms.url, kms.root_key))
    assert found(kms) == []
    assert {doubt.subject for doubt in doubts} == {Subject.INDEX}
    assert {doubt.reason for doubt in doubts} == {
        "it says what is not so",
        "the object is not found by what it has",
    }


def test_large_records_are_read_a_few_at_a_time(kms: TestKms) -> None:
    """Whoever may store some could otherwise have a worker, or a backup, take a gigabyte for a page."""
    for _ in range(64):
        kms.call(registration(ObjectType.OPAQUE_OBJECT, opaque(bytes(200_000))))

    async def pages() -> list[int]:
        async with take_snapshot(kms.url) as snapshot:
            return [sum(len(row[-1]) for row in page) async for page in snapshot.rows(OBJECTS)]  # type: ignore[arg-type, misc]

    found = kms.run(pages())
    assert sum(found) > 64 * 200_000
    assert max(found) < 7_000_000


@pytest.mark.parametrize("kms", ["sqlite"], indirect=True)
def test_a_text_that_is_damaged_keeps_no_index_from_being_made_anew(kms: TestKms, database: Database) -> None:
    bad, good = kms.create_symmetric_key(name="bad"), kms.create_symmetric_key(name="good")
    database.run("UPDATE objects SET sealed = CAST(x'fffe' AS TEXT) WHERE unique_identifier = ?", bad)
    database.run("DELETE FROM terms")
    counted = kms.run(reindex(kms.url, kms.root_key))
    assert (counted.objects, counted.refused) == (1, [f"object {bad}"])
    assert [doubt.name for doubt in found(kms)] == [bad]
    get(kms, good)


def test_a_name_that_was_freed_in_the_database_is_noticed(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key(name="backup")
    database.run("DELETE FROM names")
    assert about(found(kms), Subject.INDEX) == [(key, "the object is not found by what it has")]


def run_verifier(
    kms: TestKms, *, at_start: bool = True, doubts: Callable[[], AsyncIterator[Doubt]] | None = None
) -> None:
    """Let the job of the scheduler look at the store, and the key manager follow."""

    async def look() -> None:
        job = Verifier(
            kms.repository,
            doubts or (lambda: _doubts(kms)),
            kms.clock,
            interval=timedelta(days=1),
            at_start=at_start,
        )
        job.on_distrust = kms.repository.read_doubts
        await job(kms.clock.now())
        await job.finished()

    kms.run(look())


async def _doubts(kms: TestKms) -> Any:
    keys = StoreKeys(kms.root_key)
    keys.load(await kms.backend.store_keys())
    async with take_snapshot(kms.url) as snapshot:
        async for doubt in verify(snapshot, keys):
            yield doubt


def test_what_was_put_back_is_refused_until_somebody_says_that_it_counts(
    kms: TestKms, database: Database
) -> None:
    key, other = kms.create_symmetric_key(), kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    kms.forget()
    get(kms, key)  # nobody has looked yet, and this changes it
    run_verifier(kms)
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
    get(kms, other)
    kms.forget()
    kms.run(kms.repository.read_doubts())
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
    kms.run(perform(administrator(kms), {"command": "store.trust", "object": key, "tenant": "default"}))
    get(kms, key)
    assert {doubt.subject for doubt in found(kms)} <= {Subject.INDEX}
    kms.run(reindex(kms.url, kms.root_key))
    assert found(kms) == []


DISTRUSTED, VERIFICATION = Distrusted.kind, Verification.kind


@pytest.mark.parametrize("edit", ["sealed = substr(sealed, 2)", "due = NULL"])
def test_what_says_that_objects_are_doubted_is_edited_for_nothing(
    kms: TestKms, database: Database, edit: str
) -> None:
    """Neither is one object trusted for that, nor what is found after it."""
    keys = [kms.create_symmetric_key() for _ in range(2)]
    before = [database.row(key) for key in keys]
    for key in keys:
        activate(kms, key)
    database.put_back(before[0])
    run_verifier(kms)
    database.run(f"UPDATE entries SET {edit} WHERE kind = {DISTRUSTED}")
    database.put_back(before[1])
    kms.forget()
    kms.run(kms.repository.read_doubts())
    run_verifier(kms)
    for again in range(2):
        for key in keys:
            with pytest.raises(Refused, match="damaged"):
                get(kms, key)
        if not again:
            kms.forget()
            kms.run(kms.repository.read_doubts())
    last = kms.run(kms.repository.load_entry(Verification, SYSTEM_TENANT, KEY))
    assert last is not None
    assert last.value.finished is not None


@pytest.mark.parametrize("error", [ValueError, StoreFailure, LostRace])
def test_what_was_found_is_refused_also_when_the_verifier_comes_no_further(
    kms: TestKms, database: Database, error: type[Exception]
) -> None:
    """Whoever has edited an object could otherwise have it given out, by what stops the verifier after it."""
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)

    async def stopped() -> AsyncIterator[Doubt]:
        async for doubt in _doubts(kms):
            yield doubt
        raise error("no further")

    run_verifier(kms, doubts=stopped)
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)


WORST: Final = (
    "sealed = 5",
    "sealed = 'text'",
    "sealed = CAST(x'fffe' AS TEXT)",
    "generation = 'x'",
    "generation = 1.5, sealed = 5",
    "generation = 9223372036854775807",
)
"""What no release has ever written; PostgreSQL keeps none of it but the last."""


@pytest.mark.parametrize("edit", WORST)
@pytest.mark.parametrize("kind", [DISTRUSTED, VERIFICATION])
def test_values_of_any_type_stop_neither_the_verifier_nor_whoever_follows_it(
    kms: TestKms, database: Database, kind: int, edit: str
) -> None:
    if isinstance(kms.url, PostgresUrl) and edit is not WORST[-1]:
        pytest.skip("PostgreSQL keeps values of the type of their column")
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    run_verifier(kms)
    database.run(f"UPDATE entries SET {edit} WHERE kind = {kind}")
    kms.forget()
    for _ in range(2):  # the second time from what the verifier has written anew
        kms.run(kms.repository.read_doubts())
        with pytest.raises(Refused, match="damaged"):
            get(kms, key)
        run_verifier(kms)
    last = kms.run(kms.repository.load_entry(Verification, SYSTEM_TENANT, KEY))
    assert last is not None
    assert last.value.finished is not None
    assert kms.run(kms.repository.load_entry(Distrusted, DEFAULT_TENANT, key)) is not None


STRANGE: Final = (
    "INSERT INTO terms VALUES ('x', 5, 'y')",
    "INSERT INTO names VALUES ('x', 'y', 5)",
    "INSERT INTO entries VALUES ('x', 'y', x'00', 'z', 'g', 'd', 's', 5)",
    "INSERT INTO clients VALUES (-5, 'x', 5, 6, 7, 8, 9, 'e', 'r', 'g', 's', 5)",
    "UPDATE objects SET tenant = 'x' WHERE sequence = -1",
    "UPDATE objects SET unique_identifier = printf('%.*c', 70000, 'x') WHERE sequence = -1",
    "UPDATE objects SET unique_identifier = x'00ff' WHERE sequence = -1",
)
"""What no release writes. Number -1 is an object that the verifier comes to before all others."""


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("kms", ["sqlite"], indirect=True)
def test_rows_that_no_release_writes_keep_the_verifier_from_nothing(
    kms: TestKms, database: Database, strange: str
) -> None:
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    if "-1" in strange:
        places = ", ".join("?" * (len(before) - 2))
        database.run(f"INSERT INTO objects ({COLUMNS}) VALUES (-1, 'another', {places})", *before[2:])
    database.run(strange)
    run_verifier(kms)
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
    last = kms.run(kms.repository.load_entry(Verification, SYSTEM_TENANT, KEY))
    assert last is not None
    assert last.value.finished is not None


def test_an_object_stays_refused_while_nobody_can_read_why(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    database.put_back(before)
    run_verifier(kms)
    database.run(f"UPDATE entries SET sealed = substr(sealed, 2) WHERE kind = {DISTRUSTED}")
    kms.forget()
    kms.run(kms.repository.read_doubts())
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
    database.run(f"UPDATE entries SET sealed = substr(sealed, 2) WHERE kind = {VERIFICATION}")
    doubts: Any = kms.run(perform(administrator(kms), {"command": "store.doubts"}))
    assert any(key in row["damaged"] for row in doubts["refused"])
    assert any(KEY in row["damaged"] for row in doubts["refused"])


def test_who_writes_a_doubt_into_the_database_keeps_an_object_back_until_it_is_trusted(
    kms: TestKms, database: Database
) -> None:
    key = kms.create_symmetric_key()
    ((tenant, store_key),) = database.run("SELECT tenant, store_key FROM objects")
    forged = (tenant, DISTRUSTED, key, 0, 1, 5, store_key, bytes(40))
    columns = "tenant, kind, key, owner, generation, due, store_key, sealed"
    database.run(f"INSERT INTO entries ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *forged)
    kms.run(kms.repository.read_doubts())
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
    kms.run(perform(administrator(kms), {"command": "store.trust", "object": key, "tenant": "default"}))
    get(kms, key)
    assert database.run(f"SELECT key FROM entries WHERE kind = {DISTRUSTED}") == []


def test_the_verifier_goes_on_whatever_was_done_to_what_it_has_written(
    kms: TestKms, database: Database
) -> None:
    key = kms.create_symmetric_key()
    before = database.row(key)
    activate(kms, key)
    run_verifier(kms)
    database.put_back(before)
    database.run(f"UPDATE entries SET due = due + 1000000000 WHERE kind = {VERIFICATION}")
    kms.forget()
    run_verifier(kms, at_start=False)
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)


def test_a_verification_that_takes_long_and_finds_nothing_is_not_begun_anew(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large store it takes hours; every worker would take it from the one before, and none end it."""
    monkeypatch.setattr(verification, "RENEWAL", 0)  # seconds, and those of no clock of a test
    begun: list[datetime] = []

    async def begins() -> AsyncIterator[Doubt]:
        begun.append(kms.clock.now())
        for _ in range(3):
            kms.clock.pass_time(minutes=4)
            for _ in range(1000):
                if (await kept()).due > kms.clock.now() + timedelta(minutes=4):
                    break
                await asyncio.sleep(0)
            await other(kms.clock.now())
        return
        yield

    async def kept() -> Any:
        return await kms.repository.load_entry(Verification, SYSTEM_TENANT, KEY)

    def job(*, at_start: bool) -> Verifier:
        return Verifier(kms.repository, begins, kms.clock, interval=timedelta(days=1), at_start=at_start)

    one, other = job(at_start=True), job(at_start=False)

    async def look() -> Any:
        await one(kms.clock.now())
        await one.finished()
        await other.finished()
        return await kept()

    last = kms.run(look())
    assert begun == [last.value.started]
    assert last.value.finished == kms.clock.now()


@pytest.mark.parametrize("ends", [True, False])
def test_a_store_is_verified_again_after_a_clock_was_ahead(kms: TestKms, ends: bool) -> None:
    """Whether a verification came to its end then, or its worker did."""
    begun: list[datetime] = []

    async def looks() -> AsyncIterator[Doubt]:
        begun.append(kms.clock.now())
        if not ends and len(begun) == 1:
            raise LostRace
        return
        yield

    kms.clock.pass_time(days=365)
    run_verifier(kms, doubts=looks)
    kms.clock.pass_time(days=-365)
    run_verifier(kms, at_start=False, doubts=looks)
    assert len(begun) == 2
    run_verifier(kms, at_start=False, doubts=looks)
    assert len(begun) == 2


def test_what_stops_the_verifier_is_an_alarm(
    kms: TestKms, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store key that nobody made cannot be opened; nothing that was edited would be found any more."""
    kms.create_symmetric_key()
    alarms: list[str] = []
    monkeypatch.setattr(verification.log, "exception", lambda event, **_: alarms.append(event))
    database.run("INSERT INTO store_keys (store_key, wrapped, created_at) VALUES (-7, ?, 1)", b"nobody's")
    run_verifier(kms)
    assert alarms == ["verification_stopped"]


def test_nobody_can_say_that_an_edited_record_counts(kms: TestKms, database: Database) -> None:
    key = kms.create_symmetric_key()
    database.run("UPDATE objects SET usage_mask = 1 WHERE unique_identifier = ?", key)
    run_verifier(kms)
    with pytest.raises(OperatorError, match="restore it from a backup"):
        kms.run(perform(administrator(kms), {"command": "store.trust", "object": key, "tenant": "default"}))
    with pytest.raises(Refused, match="damaged"):
        get(kms, key)
