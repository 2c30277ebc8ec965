"""A deletion window: what is destroyed is so for everybody, until it is restored or the window ends."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.operation import Request
from strongroom.domain.parking import Parked
from strongroom.domain.store_failures import TamperedRecord
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import RevocationReason
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
)
from strongroom.server.administration.command import perform
from strongroom.server.errors import NotFound
from strongroom.server.messages import Message
from strongroom.store.url import PostgresUrl, parse
from tests.expect import named, raw_key, stored
from tests.kms import Refused, TestKms, template
from tests.postgres import PostgresServer, postgres_server
from tests.safeguards import hold, lay_down
from tests.unit.server.test_administration import administrator

__all__ = ["postgres_server"]

WINDOW = timedelta(days=7)
COMPROMISED = RevocationReason(revocation_reason_code=RevocationReasonCode.KEY_COMPROMISE)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestKms]:
    store = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = parse(server.url(server.create_database()), tmp_path)
        assert isinstance(store, PostgresUrl)
    kms = TestKms(tmp_path, store=store)
    lay_down(kms, window=WINDOW)
    yield kms
    kms.close()


def parked(kms: TestKms, key: str) -> bool:
    return kms.run(kms.repository.load_entry(Parked, DEFAULT_TENANT, key)) is not None


def destroyed(kms: TestKms, **given: Any) -> str:
    key = kms.create_symmetric_key(**given)
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(key)))
    return key


def restore(kms: TestKms, key: str) -> dict[str, Any]:
    """Restore an object as the command does."""
    from dataclasses import replace

    admin = replace(administrator(kms), now=kms.clock.now())
    result = kms.run(perform(admin, {"command": "object.restore", "unique_identifier": key}))
    assert isinstance(result, dict)
    return result


def tick(kms: TestKms) -> None:
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))


def end(kms: TestKms) -> None:
    kms.clock.time += WINDOW + timedelta(seconds=1)
    tick(kms)


def outcome(kms: TestKms, request: Request[Any], version: Any = V2_1) -> tuple[ResultReason | None, str]:
    with pytest.raises(Refused) as refused:
        kms.call(request, version=version)
    return refused.value.reason, refused.value.message


SAME: list[Callable[[str], Request[Any]]] = [
    lambda key: GetRequest(unique_identifier=UniqueIdentifier(key)),
    lambda key: EncryptRequest(unique_identifier=UniqueIdentifier(key), data=SecretBytes(b"x")),
    lambda key: DestroyRequest(unique_identifier=UniqueIdentifier(key)),
]


@pytest.mark.parametrize("request_", SAME)
def test_to_every_client_it_is_destroyed_as_without_a_window(
    kms: TestKms, request_: Callable[[str], Request[Any]]
) -> None:
    within = destroyed(kms)
    lay_down(kms)
    without = destroyed(kms)
    assert parked(kms, within)
    assert not parked(kms, without)
    assert outcome(kms, request_(within)) == outcome(kms, request_(without))
    one, two = (
        kms.call(GetAttributesRequest(unique_identifier=UniqueIdentifier(key)), version=V2_1)
        for key in (within, without)
    )
    tags = [{a.key for a in answer.attributes.attributes} for answer in (one, two)]
    assert tags[0] == tags[1]
    exported = kms.call(ExportRequest(unique_identifier=UniqueIdentifier(within)), version=V2_1)
    assert exported.managed_object is None


def test_its_name_is_free_and_locate_does_not_find_it_on_line(kms: TestKms) -> None:
    destroyed(kms, name="mine")
    assert not kms.call(LocateRequest(attributes=template(named("mine"))), version=V2_1).unique_identifier
    kms.create_symmetric_key(name="mine")


def test_restored_it_is_as_before(kms: TestKms) -> None:
    key = kms.create_symmetric_key(named("again"))
    before = stored(kms, key)
    material = kms.call(GetRequest(unique_identifier=UniqueIdentifier(key))).managed_object
    before = stored(kms, key)
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(key)))
    kms.clock.pass_time(days=6)
    assert restore(kms, key)["names_left_out"] == []
    after = stored(kms, key)
    assert after.state is before.state
    assert not parked(kms, key)
    changes = {Tag.LAST_CHANGE_DATE}
    assert {k: v for k, v in after.attributes.items() if k not in changes} == {
        k: v for k, v in before.attributes.items() if k not in changes
    }
    assert kms.call(GetRequest(unique_identifier=UniqueIdentifier(key))).managed_object == material
    found = kms.call(LocateRequest(attributes=template(named("again"))), version=V2_1).unique_identifier
    assert list(found) == [key]
    with pytest.raises(Refused):
        kms.create_symmetric_key(name="again")
    # And it can be destroyed once more.
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(key)))
    assert parked(kms, key)


def test_a_name_that_was_taken_meanwhile_is_left_out_and_told(kms: TestKms) -> None:
    key = kms.create_symmetric_key(named("mine"), named("mine too"), named("mine alone"))
    kms.call(DestroyRequest(unique_identifier=UniqueIdentifier(key)))
    others = [kms.create_symmetric_key(name=name) for name in ("mine", "mine too")]
    assert sorted(restore(kms, key)["names_left_out"]) == ["mine", "mine too"]
    assert [name.name_value for name in stored(kms, key).values(Tag.NAME)] == ["mine alone"]
    for other, name in zip(others, ("mine", "mine too"), strict=True):
        found = kms.call(LocateRequest(attributes=template(named(name))), version=V2_1).unique_identifier
        assert list(found) == [other]


def test_what_was_found_to_be_compromised_meanwhile_comes_back_as_compromised(kms: TestKms) -> None:
    key = destroyed(kms)
    kms.call(RevokeRequest(unique_identifier=UniqueIdentifier(key), revocation_reason=COMPROMISED))
    assert stored(kms, key).state is State.DESTROYED_COMPROMISED
    restore(kms, key)
    assert stored(kms, key).state is State.COMPROMISED
    assert stored(kms, key).value(Tag.COMPROMISE_DATE) is not None


def test_nothing_is_restored_after_the_end_also_before_the_job_came(kms: TestKms) -> None:
    key = destroyed(kms)
    kms.clock.time += WINDOW
    with pytest.raises(NotFound):
        restore(kms, key)
    end(kms)
    assert not parked(kms, key)
    with pytest.raises(NotFound):
        restore(kms, key)
    assert stored(kms, key).state is State.DESTROYED


def test_the_end_of_the_window_is_that_of_the_day_of_the_destroy(kms: TestKms) -> None:
    key = destroyed(kms)
    lay_down(kms, window=timedelta(0))
    kms.clock.pass_time(days=6)
    tick(kms)
    assert parked(kms, key)
    end(kms)
    assert not parked(kms, key)


def test_obliterate_leaves_nothing_to_restore(kms: TestKms) -> None:
    key = destroyed(kms)
    kms.call(ObliterateRequest(unique_identifier=UniqueIdentifier(key)), version=V3_0)
    assert not parked(kms, key)
    with pytest.raises(NotFound):
        restore(kms, key)


def test_obliterate_in_the_batch_of_the_destroy_leaves_nothing_either(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    results = kms.batch(
        DestroyRequest(unique_identifier=key),
        ObliterateRequest(unique_identifier=key),
        version=V3_0,
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert not any(isinstance(result, Refused) for result in results)
    assert not parked(kms, key)


def test_nothing_is_imported_over_what_is_kept_or_would_have_to_be(kms: TestKms) -> None:
    live, gone = kms.create_symmetric_key(), destroyed(kms)
    other = stored(kms, live).material
    for key in (live, gone):
        request = ImportRequest(
            unique_identifier=UniqueIdentifier(key),
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            managed_object=other,
        )
        assert outcome(kms, request)[0] is ResultReason.PERMISSION_DENIED
    end(kms)
    kms.call(request, version=V2_1)


def test_what_is_held_outlasts_its_window(kms: TestKms) -> None:
    key = destroyed(kms)
    hold(kms, unique_identifier=key)
    end(kms)
    assert parked(kms, key)
    with pytest.raises(NotFound):
        restore(kms, "no-such-object")


def test_a_hold_that_comes_while_the_window_ends_keeps_the_material(kms: TestKms) -> None:
    """The job has looked for holds and found none; then the hold is placed; then it wants to commit."""
    key = destroyed(kms)
    commit = kms.backend.commit
    placed: list[object] = []

    async def late(changes: Any) -> None:
        if not placed:
            vars(kms.backend).pop("commit")
            request: Message = {"command": "hold.add", "unique_identifier": key, "reason": "case 7"}
            placed.append(await perform(administrator(kms), request))
        await commit(changes)

    vars(kms.backend)["commit"] = late
    end(kms)
    assert placed
    assert parked(kms, key)
    tick(kms)
    assert parked(kms, key)


def test_a_second_node_finds_nothing_to_do(kms: TestKms, tmp_path: Path) -> None:
    key = destroyed(kms)
    kms.clock.time += WINDOW + timedelta(seconds=1)
    due = kms.run(kms.repository.due_entries(Parked, kms.clock.now(), 10))
    assert len(due) == 1
    assert kms.run(kms.dispatcher.transactions.guard._change(due[0], None, kms.clock.now()))
    assert not kms.run(kms.dispatcher.transactions.guard._change(due[0], None, kms.clock.now()))
    assert not parked(kms, key)


def database(kms: TestKms) -> sqlite3.Connection:
    file = kms.directory / "strongroom.db"
    if not file.exists():
        pytest.skip("looks into the files of SQLite")
    return sqlite3.connect(file)


def files(kms: TestKms) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(kms.directory.glob("strongroom.db*")))


@pytest.mark.parametrize("size", [32, 20_000])
@pytest.mark.parametrize("way", ["window", "obliterate"])
def test_the_files_of_the_database_keep_no_byte_of_what_is_gone_for_good(
    kms: TestKms, size: int, way: str
) -> None:
    """Neither of the record before the Destroy nor of the parked one, of whatever size."""
    from tests.expect import opaque, registration

    with database(kms) as reader:
        request = registration(ObjectType.OPAQUE_OBJECT, opaque(bytes(size)))
        key = kms.call(request).unique_identifier
        (live,) = reader.execute("SELECT sealed FROM objects").fetchone()
        kms.call(DestroyRequest(unique_identifier=key))
        (kept,) = reader.execute("SELECT sealed FROM entries WHERE kind = 42").fetchone()
    reader.close()
    tick(kms)  # the first one of a process, which is for whoever was here before
    kms.clock.pass_time(seconds=11)
    pieces = [row[start : start + 24] for row in (live, kept) for start in range(0, len(row) - 24, 24)]
    assert any(piece in files(kms) for piece in pieces[-1:])
    if way == "window":
        end(kms)
    else:
        kms.call(ObliterateRequest(unique_identifier=key), version=V3_0)
        tick(kms)
    left = files(kms)
    assert not [piece for piece in pieces if piece in left]


def test_a_clock_that_is_set_back_leaves_nothing_in_the_files(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    with database(kms) as reader:
        (sealed,) = reader.execute("SELECT sealed FROM objects").fetchone()
    reader.close()
    tick(kms)
    kms.clock.pass_time(days=-1)
    kms.call(ObliterateRequest(unique_identifier=UniqueIdentifier(key)), version=V3_0)
    tick(kms)
    assert sealed not in files(kms)


def test_the_files_of_the_database_keep_no_byte_of_what_an_import_took_the_place_of(kms: TestKms) -> None:
    lay_down(kms)
    key = kms.create_symmetric_key()
    with database(kms) as reader:
        (sealed,) = reader.execute("SELECT sealed FROM objects").fetchone()
    reader.close()
    tick(kms)
    kms.clock.pass_time(seconds=11)
    kms.call(
        ImportRequest(
            unique_identifier=UniqueIdentifier(key),
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            attributes=template(),
            managed_object=raw_key(),
        ),
        version=V2_1,
    )
    tick(kms)
    assert sealed not in files(kms)


@pytest.mark.parametrize("what", ["object", "parked", "doubted"])
def test_what_cannot_be_trusted_keeps_nothing_else_past_its_window_and_is_told(
    kms: TestKms, what: str
) -> None:
    bad = [destroyed(kms) for _ in range(33)]  # more than are looked at in one go
    kms.clock.pass_time(seconds=2)
    good = destroyed(kms)
    with database(kms) as editor:
        for key in bad:
            if what == "object":
                editor.execute("UPDATE objects SET activation_date = 5 WHERE unique_identifier = ?", (key,))
            elif what == "parked":
                editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 42 AND key = ?", (key,))
            else:
                kms.repository._distrusted[DEFAULT_TENANT, key] = "it is older than the audit log says"
        (sealed,) = editor.execute(
            "SELECT sealed FROM entries WHERE kind = 42 AND key = ?", (good,)
        ).fetchone()
    editor.close()
    kms.repository._cache.clear()
    with pytest.raises(TamperedRecord, match=bad[0]):
        end(kms)
    assert not parked(kms, good)
    assert sealed not in files(kms)
    with database(kms) as reader:
        (left,) = reader.execute("SELECT count(*) FROM entries WHERE kind = 42").fetchone()
    reader.close()
    assert left == len(bad)  # nobody knows whether they are held


def test_what_is_damaged_hides_nothing_else_that_can_be_restored(kms: TestKms) -> None:
    bad, good = destroyed(kms), destroyed(kms)
    with database(kms) as editor:
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 42 AND key = ?", (bad,))
    editor.close()
    rows: Any = kms.run(perform(administrator(kms), {"command": "object.parked"}))
    assert [row["unique_identifier"] for row in rows if "damaged" not in row] == [good]
    (told,) = [row["damaged"] for row in rows if "damaged" in row]
    assert bad in told


def test_a_parked_record_is_not_made_a_living_object_by_editing_the_database(kms: TestKms) -> None:
    key = destroyed(kms)
    with database(kms) as editor:
        row = editor.execute("SELECT sealed, store_key, generation FROM entries WHERE kind = 42").fetchone()
        editor.execute(
            "UPDATE objects SET sealed = ?, store_key = ?, generation = ?, state = 1, storage = 1", row
        )
    editor.close()
    kms.repository._cache.clear()
    with pytest.raises(TamperedRecord):
        kms.run(kms.repository.load(DEFAULT_TENANT, key))


def test_a_parked_record_under_another_identifier_is_not_believed(kms: TestKms) -> None:
    one, two = destroyed(kms), destroyed(kms)
    with database(kms) as editor:
        (sealed,) = editor.execute(
            "SELECT sealed FROM entries WHERE kind = 42 AND key = ?", (one,)
        ).fetchone()
        editor.execute("UPDATE entries SET sealed = ? WHERE kind = 42 AND key = ?", (sealed, two))
        editor.execute("UPDATE entries SET due = due + 1000000 WHERE kind = 42 AND key = ?", (one,))
    editor.close()
    for key in (one, two):
        with pytest.raises(TamperedRecord):
            restore(kms, key)
