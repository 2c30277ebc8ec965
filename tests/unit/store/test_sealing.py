"""Sealing of records (design.md, section 4)."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from strongroom.domain.ports import RootKeyUnavailable
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.file import FileRootKey, create
from strongroom.store import sealing
from strongroom.store.records import ClientRow, EntryRow, ObjectRow
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey, associated_data
from tests.unit.rootkey.conftest import begin, new
from tests.unit.store.samples import row

NOW = 1_700_000_000
MATERIAL = SecretBytes(b"k" * 32)


@dataclass
class Sealed:
    keys: StoreKeys
    row: ObjectRow


@pytest.fixture
def root_key(tmp_path: Path) -> FileRootKey:
    create(tmp_path / "root.key")
    return FileRootKey(tmp_path / "root.key")


@pytest.fixture
def sealed(root_key: FileRootKey) -> Sealed:
    keys = StoreKeys(root_key)
    keys.load([keys.create(NOW).row])
    new = row(1, store_key=keys.current, activation_date=NOW, deactivation_date=NOW + 1)
    return Sealed(keys, new._replace(sealed=keys.seal(new, MATERIAL)))


def test_what_was_sealed_is_opened(sealed: Sealed) -> None:
    assert sealed.keys.open(sealed.row) == MATERIAL
    assert MATERIAL.reveal() not in sealed.row.sealed


def test_two_seals_of_the_same_differ(sealed: Sealed) -> None:
    assert sealed.keys.seal(sealed.row, MATERIAL) != sealed.row.sealed


EDITS: list[tuple[str, Any]] = [
    ("sequence", 5),
    ("unique_identifier", "another object"),
    ("tenant", 2),
    ("owner", 2),
    ("generation", 2),
    ("object_type", 1),
    ("state", 1),
    ("state", None),
    ("storage", 2),
    ("usage_mask", 0xFFFF),
    ("activation_date", None),
    ("activation_date", 0),
    ("deactivation_date", NOW + 2),
    ("attributes", b"attributes "),
    ("attributes", b""),
    ("sealed", b""),
    ("sealed", b"short"),
    # SQLite stores what it is given, of whatever type.
    ("owner", "1"),
    ("generation", 1.5),
    ("usage_mask", 2**70),
    ("unique_identifier", 5),
    ("attributes", "text"),
    ("attributes", None),
    ("sealed", None),
]


@pytest.mark.parametrize(("column", "value"), EDITS, ids=lambda value: str(value)[:20])
def test_no_column_can_be_edited_unnoticed(sealed: Sealed, column: str, value: Any) -> None:
    with pytest.raises(RecordTampered):
        sealed.keys.open(sealed.row._replace(**{column: value}))


def test_every_column_is_among_the_edits() -> None:
    assert {column for column, _ in EDITS} | {"store_key"} == set(ObjectRow._fields)


def test_sealed_bytes_cannot_move_to_another_row(sealed: Sealed) -> None:
    other = row(1, store_key=sealed.keys.current)
    with pytest.raises(RecordTampered):
        sealed.keys.open(other._replace(sealed=sealed.row.sealed))


def test_a_bit_that_flips_is_noticed(sealed: Sealed) -> None:
    for position in range(len(sealed.row.sealed)):
        damaged = bytearray(sealed.row.sealed)
        damaged[position] ^= 1
        with pytest.raises(RecordTampered):
            sealed.keys.open(sealed.row._replace(sealed=bytes(damaged)))


def test_a_tampered_record_is_named_and_nothing_else_of_it(sealed: Sealed) -> None:
    with pytest.raises(RecordTampered) as caught:
        sealed.keys.open(sealed.row._replace(owner=99))
    message = str(caught.value)
    assert sealed.row.unique_identifier in message
    assert MATERIAL.reveal().decode() not in message
    assert caught.value.__cause__ is None


SMALL = st.integers(-2, 2)
ROWS = st.builds(
    ObjectRow,
    sequence=SMALL,
    unique_identifier=st.text("ab", max_size=3),
    tenant=SMALL,
    owner=SMALL,
    generation=SMALL,
    object_type=SMALL,
    state=st.none() | SMALL,
    storage=SMALL,
    usage_mask=SMALL,
    activation_date=st.none() | SMALL,
    deactivation_date=st.none() | SMALL,
    store_key=SMALL,
    attributes=st.sampled_from([b"", b"a", b"b", b"ab", b"ba"]),
    sealed=st.just(b""),
)


@given(rows=st.sets(ROWS, min_size=2, max_size=8))
def test_different_rows_have_different_associated_data(rows: set[ObjectRow]) -> None:
    for one, other in combinations(rows, 2):
        assert associated_data(one) != associated_data(other)


def test_the_associated_data_is_as_it_was_when_the_first_record_was_sealed() -> None:
    """What is stored must stay readable: this value never changes."""
    stored = ObjectRow(1, "uid", 2, 3, 4, 5, None, 7, 8, 9, None, 11, b"attributes", b"")
    assert (
        associated_data(stored).hex()
        == ("01020003" + "".join(f"{number:016x}" for number in (1, 2, 3, 4, 5, 0, 7, 8, 9, 0, 11)))
        + b"uidattributes".hex()
    )


@pytest.mark.parametrize(("due", "present"), [(None, 0), (0, 1), (6, 1)])
def test_so_is_that_of_an_entry(due: int | None, present: int) -> None:
    stored = EntryRow(1, 2, "key", 3, 4, due, 7, b"")
    numbers = "".join(f"{number:016x}" for number in (1, 2, 3, 4, due or 0, 7))
    assert associated_data(stored).hex() == f"02{present:02x}0003" + numbers + b"key".hex()


@pytest.mark.parametrize("username", [None, "", "user"])
@pytest.mark.parametrize("password_hash", [None, "", "hash"])
@pytest.mark.parametrize("revoked_at", [None, 0, 6])
def test_so_is_that_of_a_client(
    username: str | None, password_hash: str | None, revoked_at: int | None
) -> None:
    stored = ClientRow(1, 2, "name", "print", ["a", "büro"], username, password_hash, 5, revoked_at, 7, 8)
    present = (username is not None) + 2 * (password_hash is not None) + 4 * (revoked_at is not None)
    numbers = "".join(f"{number:016x}" for number in (1, 2, 5, revoked_at or 0, 7, 8))
    texts = [text.encode() for text in ("name", "print", username or "", password_hash or "", "a", "büro")]
    counted = "".join(f"{len(text):08x}{text.hex()}" for text in texts)
    assert associated_data(stored).hex() == f"03{present:02x}" + numbers + "0002" + counted


def test_store_keys_are_opened_by_another_process(sealed: Sealed, root_key: FileRootKey) -> None:
    fresh = sealed.keys.create(NOW + 1).row
    other = StoreKeys(root_key)
    with pytest.raises(UnknownStoreKey, match=sealed.row.unique_identifier):
        other.open(sealed.row)
    other.load([fresh])
    assert other.current == fresh.store_key


def test_the_newest_store_key_seals_and_older_ones_still_open(sealed: Sealed) -> None:
    old = sealed.keys.current
    newer = sealed.keys.create(NOW + 1).row
    sealed.keys.load([newer])
    assert sealed.keys.current == newer.store_key != old
    assert sealed.keys.open(sealed.row) == MATERIAL


@pytest.mark.parametrize("created_at", [NOW + 10**9, NOW - 1, 0, -1, 1.5, "text", None, 2**70])
def test_a_store_key_whose_date_was_changed_opens_and_seals_nothing(
    sealed: Sealed, root_key: FileRootKey, created_at: Any
) -> None:
    """Else somebody could put its replacement off, or have an old one take over."""
    older, newest = sealed.keys.create(NOW - 5).row, sealed.keys.create(NOW + 1).row
    redated = newest._replace(created_at=created_at)
    for rows, current in (([redated], None), ([older, redated], older), ([redated, older], older)):
        keys = StoreKeys(root_key)
        keys.load(rows)
        assert keys.doubt(redated) is not None
        assert keys.knows(newest.store_key)
        if current is None:
            assert keys.due(NOW)
            with pytest.raises(UnknownStoreKey):
                _ = keys.current
        else:
            assert (keys.current, keys.newest_at) == (current.store_key, NOW - 5)
    keys.load([newest])
    assert (keys.current, keys.doubt(newest)) == (newest.store_key, None)


def test_a_store_key_under_another_number_is_not_believed(sealed: Sealed, root_key: FileRootKey) -> None:
    one, other = sealed.keys.create(NOW).row, sealed.keys.create(NOW).row
    keys = StoreKeys(root_key)
    keys.load([one._replace(store_key=other.store_key)])
    assert keys.due(NOW)


def test_a_store_key_of_an_older_release_opens_and_another_takes_its_place(
    sealed: Sealed, root_key: FileRootKey
) -> None:
    """Nothing vouches for when it was made; that it opens is no doubt."""
    older = sealed.keys.create(NOW).row._replace(store_key=7)
    keys = StoreKeys(root_key)
    keys.load([older])
    assert keys.doubt(older) is None
    stored = row(1, store_key=7)
    stored = stored._replace(sealed=keys.seal(stored, MATERIAL))
    assert keys.open(stored) == MATERIAL
    assert keys.due(NOW)
    fresh = keys.create(NOW - 100).row
    keys.load([older, fresh])
    assert keys.current == fresh.store_key
    assert not keys.due(NOW)


def test_a_changed_date_is_told_once(sealed: Sealed, root_key: FileRootKey) -> None:
    redated = sealed.keys.create(NOW).row._replace(created_at=NOW + 1)
    keys = StoreKeys(root_key)
    with capture_logs() as logs:
        keys.load([redated])
        keys.load([redated])
    assert [(one["event"], one["store_key"]) for one in logs] == [("store_key_redated", redated.store_key)]


def test_a_store_key_is_due_by_age(sealed: Sealed) -> None:
    assert not sealed.keys.due(NOW + sealing.LIFETIME - 1)
    assert sealed.keys.due(NOW + sealing.LIFETIME)


def test_a_store_key_is_due_by_use(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 3)
    for _ in range(2):
        assert not sealed.keys.due(NOW)
        sealed.keys.seal(sealed.row, MATERIAL)
    assert sealed.keys.due(NOW)
    sealed.keys.load([sealed.keys.create(NOW + 1).row])
    assert not sealed.keys.due(NOW + 1)


class Absent(FileRootKey):
    """A root key that is away for a while."""

    away = False

    def wrap(self, key: SecretBytes) -> bytes:
        if self.away:
            raise RootKeyUnavailable("the token is out")
        return super().wrap(key)

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        if self.away:
            raise RootKeyUnavailable("the token is out")
        return super().unwrap(wrapped)


@pytest.fixture
def absent(tmp_path: Path) -> Absent:
    create(tmp_path / "absent.key")
    return Absent(tmp_path / "absent.key")


def test_what_is_open_stays_open_when_the_root_key_is_away(absent: Absent) -> None:
    keys = StoreKeys(absent)
    first, second = keys.create(NOW).row, keys.create(NOW + 1).row
    keys.load([first])
    stored = row(1, store_key=keys.current)
    stored = stored._replace(sealed=keys.seal(stored, MATERIAL))
    absent.away = True
    with pytest.raises(StoreFailure, match="the token is out"):
        keys.load([first, second])
    assert keys.open(stored) == MATERIAL
    assert keys.current == first.store_key
    absent.away = False
    keys.load([first, second])
    assert keys.current == second.store_key


def test_a_store_key_is_used_for_as_long_again_when_there_cannot_be_another(absent: Absent) -> None:
    keys = StoreKeys(absent)
    keys.load([keys.create(NOW).row])
    late, too_late = NOW + sealing.LIFETIME, NOW + 2 * sealing.LIFETIME
    why = RootKeyUnavailable("the token is out")
    keys.put_off(late, why)
    assert not keys.due(late + sealing.PAUSE - 1), "it is not tried at every commit"
    assert keys.due(late + sealing.PAUSE)
    with pytest.raises(StoreFailure, match="the token is out"):
        keys.put_off(too_late, why)
    assert keys.due(too_late)


def test_the_same_holds_for_its_uses(absent: Absent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "SEALS_PER_PROCESS", 3)
    keys = StoreKeys(absent)
    keys.load([keys.create(NOW).row])
    stored = row(1, store_key=keys.current)
    for _ in range(3):
        keys.seal(stored, MATERIAL)
    why = RootKeyUnavailable("the token is out")
    keys.put_off(NOW, why)
    for _ in range(3):
        keys.seal(stored, MATERIAL)
    assert keys.due(NOW)
    with pytest.raises(StoreFailure):
        keys.put_off(NOW, why)


def test_the_budget_of_nonces_holds_with_a_wide_margin() -> None:
    """NIST SP 800-38D §8.3: 2^32 seals with random nonces under one key, here by hundreds of processes."""
    assert sealing.LAST * sealing.SEALS_PER_PROCESS * 500 <= 2**32


def test_a_store_key_that_was_on_its_way_while_the_root_key_changed_is_wrapped_again(tmp_path: Path) -> None:
    root_key = begin(tmp_path, new("file"))
    keys = StoreKeys(root_key)
    fresh = keys.create(NOW)
    second = new("file", 2)
    root_key.adopt(root_key.prepare(second.described, second.secret))
    rewrap = keys.wrapped_again(fresh)
    assert rewrap is not None
    assert (rewrap.store_key, rewrap.before) == (fresh.row.store_key, fresh.row.wrapped)
    root_key.complete(root_key.state)
    keys.take_over(fresh)
    again = StoreKeys(root_key)
    again.load([fresh.row._replace(wrapped=rewrap.wrapped)])
    stored = row(1, store_key=keys.current)
    assert again.open(stored._replace(sealed=keys.seal(stored, MATERIAL))) == MATERIAL
    assert keys.wrapped_again(keys.create(NOW + 1)) is None


def test_the_store_key_that_takes_over_is_the_one_that_was_committed(sealed: Sealed) -> None:
    """Another may have been made meanwhile, and be in no database yet."""
    committed, other = sealed.keys.create(NOW + 1), sealed.keys.create(NOW + 2)
    sealed.keys.take_over(committed)
    assert sealed.keys.current == committed.row.store_key
    assert not sealed.keys.knows(other.row.store_key)


def test_a_store_without_keys_needs_one(root_key: FileRootKey) -> None:
    keys = StoreKeys(root_key)
    assert keys.due(NOW)
    with pytest.raises(UnknownStoreKey):
        _ = keys.current
