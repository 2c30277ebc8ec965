"""What Locate finds."""

import random
from typing import Any

import pytest

from strongroom.store import locate
from strongroom.store.records import (
    Backend,
    ChangeSet,
    Conflict,
    LocateQuery,
    ObjectChange,
    ObjectRemoval,
    ObjectRow,
    TermRange,
    Visible,
)
from tests.unit.store.samples import creation, generation_of, row, update

ORDERED = b"\x80"


async def found(backend: Backend, tenant: int, **conditions: Any) -> list[str]:
    conditions.setdefault("owner", None)
    return (await backend.locate(LocateQuery(tenant=tenant, **conditions))).unique_identifiers


async def put(backend: Backend, tenant: int, *, terms: tuple[bytes, ...] = (), **columns: Any) -> str:
    new = row(tenant, **columns)
    await backend.commit(creation(new, terms=terms))
    return new.unique_identifier


async def test_the_newest_comes_first(backend: Backend, tenant: int) -> None:
    created = [await put(backend, tenant, terms=(b"t",)) for _ in range(5)]
    assert await found(backend, tenant) == created[::-1]
    assert await found(backend, tenant, owner=1) == created[::-1]
    assert await found(backend, tenant, terms=[b"t"]) == created[::-1]


async def test_the_oldest_comes_first_where_that_is_asked_for(
    backend: Backend, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every way that a query may be answered: a look, a walk, pages of both."""
    created = [await put(backend, tenant, terms=(b"t", ORDERED + b"5")) for _ in range(5)]
    for few in (100, 1):
        monkeypatch.setattr(locate, "FEW", few)
        monkeypatch.setattr(locate, "MANY", few)
        for conditions in (
            {},
            {"owner": 1},
            {"terms": [b"t"]},
            {"ranges": [TermRange(ORDERED, ORDERED + b"9")]},
            {"terms": [b"t"], "ranges": [TermRange(ORDERED, ORDERED + b"9")]},
        ):
            oldest = {"oldest_first": True, **conditions}
            assert await found(backend, tenant, **oldest) == created
            assert await found(backend, tenant, **oldest, maximum=2) == created[:2]
            assert await found(backend, tenant, **oldest, maximum=2, offset=3) == created[3:]
            assert await found(backend, tenant, **conditions, maximum=2) == created[:2:-1]


async def test_another_tenant_is_not_there(backend: Backend, tenant: int) -> None:
    await put(backend, tenant, terms=(b"t", ORDERED + b"5"))
    other = tenant + 1_000_000
    assert await found(backend, other) == []
    assert await found(backend, other, owner=1) == []
    assert await found(backend, other, terms=[b"t"]) == []
    assert await found(backend, other, ranges=[TermRange(ORDERED, ORDERED + b"9")]) == []
    mine = await put(backend, other, terms=(b"t",))
    assert await found(backend, other, terms=[b"t"], ranges=[TermRange(b"a", b"z")]) == [mine]


async def test_an_owner_finds_what_is_theirs(backend: Backend, tenant: int) -> None:
    mine = await put(backend, tenant, owner=1, terms=(b"t",))
    theirs = await put(backend, tenant, owner=2, terms=(b"t",))
    assert await found(backend, tenant, owner=1, terms=[b"t"]) == [mine]
    assert await found(backend, tenant, owner=2) == [theirs]
    assert await found(backend, tenant, owner=None) == [theirs, mine]


async def test_what_is_not_visible_is_not_there(backend: Backend, tenant: int) -> None:
    mine = await put(backend, tenant, owner=1)
    named = await put(backend, tenant, owner=2)
    grouped = await put(backend, tenant, owner=3, terms=(b"g", b"h"))
    await put(backend, tenant, owner=4)

    async def seen(visible: Visible) -> list[str]:
        return await found(backend, tenant, visible=visible)

    assert await seen(Visible()) == []
    assert await seen(Visible(owners=[1])) == [mine]
    assert await seen(Visible(owners=[1], identifiers=[named])) == [named, mine]
    assert await seen(Visible(owners=[1, 2, 5], identifiers=[named], terms=[b"g", b"h", b"i"])) == [
        grouped,
        named,
        mine,
    ]
    other = tenant + 1_000_000
    assert await found(backend, other, visible=Visible([1], [named], [b"g"])) == []


async def test_an_object_is_read_where_it_is_visible(backend: Backend, tenant: int) -> None:
    new = row(tenant, owner=2)
    await backend.commit(creation(new, terms=(b"g",)))
    name = new.unique_identifier
    for visible in (None, Visible([2]), Visible([1, 2]), Visible((), [name]), Visible([1], (), [b"f", b"g"])):
        assert await backend.fetch(tenant, name, visible) == new
    for visible in (Visible(), Visible([1]), Visible((), ["x"]), Visible([1], ["x", "y"], [b"f"])):
        assert await backend.fetch(tenant, name, visible) is None


async def test_two_tenants_have_objects_with_one_identifier(backend: Backend, tenant: int) -> None:
    """What is done to one leaves the other as it is."""
    mine = row(tenant, unique_identifier=f"shared-{tenant}")
    theirs = row(tenant + 1_000_000, unique_identifier=mine.unique_identifier)
    name = mine.unique_identifier
    await backend.commit(creation(mine))
    await backend.commit(creation(theirs))
    with pytest.raises(Conflict):
        await backend.commit(creation(row(tenant, unique_identifier=name)))
    change = update(mine, state=3)
    await backend.commit(ChangeSet(objects=[change]))
    assert await backend.fetch(theirs.tenant, name) == theirs
    assert await generation_of(backend, theirs.tenant, name) == 1
    gone = ObjectRemoval(mine.sequence, name, change.row.written, tenant, (), ())
    await backend.commit(ChangeSet(removals=[gone]))
    assert await backend.fetch(tenant, name) is None
    assert await backend.fetch(theirs.tenant, name) == theirs
    assert await backend.fetch(tenant + 2_000_000, name) is None


async def test_the_storage_mask_picks_where_objects_are(backend: Backend, tenant: int) -> None:
    online, archived, destroyed = [await put(backend, tenant, storage=bit) for bit in (1, 2, 4)]
    assert await found(backend, tenant) == [online]
    assert await found(backend, tenant, storage=2) == [archived]
    assert await found(backend, tenant, storage=7) == [destroyed, archived, online]
    assert await found(backend, tenant, storage=0) == []


async def test_the_object_type_is_compared(backend: Backend, tenant: int) -> None:
    certificate = await put(backend, tenant, object_type=1)
    await put(backend, tenant, object_type=2)
    assert await found(backend, tenant, object_type=1) == [certificate]


async def test_every_bit_of_a_usage_mask_must_be_set(backend: Backend, tenant: int) -> None:
    both = await put(backend, tenant, usage_mask=0b1100)
    one = await put(backend, tenant, usage_mask=0b0100)
    assert await found(backend, tenant, usage_mask=0b1100) == [both]
    assert await found(backend, tenant, usage_mask=0b0100) == [one, both]


NOW = 1_000


@pytest.mark.parametrize(
    ("state", "activation_date", "deactivation_date", "effective"),
    [
        (1, None, None, 1),
        (1, NOW + 1, None, 1),
        (1, NOW, None, 2),
        (1, NOW - 1, NOW + 1, 2),
        (1, NOW - 1, NOW, 3),
        (1, None, NOW - 1, 1),
        (2, None, None, 2),
        (2, NOW + 1, None, 2),
        (2, NOW - 1, NOW + 1, 2),
        (2, NOW - 1, NOW, 3),
        (3, NOW - 2, NOW + 1, 3),
        (4, NOW - 2, NOW - 1, 4),
        (5, NOW - 2, NOW - 1, 5),
        (6, NOW - 2, NOW - 1, 6),
        (None, NOW - 2, NOW - 1, None),
    ],
)
async def test_dates_act_on_the_state_when_they_pass(
    backend: Backend,
    tenant: int,
    state: int | None,
    activation_date: int | None,
    deactivation_date: int | None,
    effective: int | None,
) -> None:
    """KMIP 2.1 §4.57; the same table as `domain.lifecycle.state_at`."""
    identifier = await put(
        backend, tenant, state=state, activation_date=activation_date, deactivation_date=deactivation_date
    )
    in_states = [
        asked
        for asked in range(1, 7)
        if await found(backend, tenant, effective_state=(asked, NOW)) == [identifier]
    ]
    assert in_states == ([] if effective is None else [effective])


async def test_every_term_must_be_there(backend: Backend, tenant: int) -> None:
    both = await put(backend, tenant, terms=(b"a", b"b"))
    await put(backend, tenant, terms=(b"a",))
    assert await found(backend, tenant, terms=[b"a", b"b"]) == [both]
    assert await found(backend, tenant, terms=[b"a", b"c"]) == []
    assert await found(backend, tenant, terms=[b""]) == []


async def test_a_removed_term_is_not_found(backend: Backend, tenant: int) -> None:
    old = row(tenant)
    await backend.commit(creation(old, terms=[b"a", b"b"]))
    await backend.commit(ChangeSet(objects=[update(old, terms_removed=[b"a"], terms_added=[b"c"])]))
    assert await found(backend, tenant, terms=[b"a"]) == []
    assert await found(backend, tenant, terms=[b"b", b"c"]) == [old.unique_identifier]


@pytest.mark.parametrize("prefix", [b"\x01", ORDERED], ids=["unordered", "ordered"])
async def test_a_range_includes_its_ends(backend: Backend, tenant: int, prefix: bytes) -> None:
    objects = [await put(backend, tenant, terms=(prefix + bytes([value]),)) for value in range(5)]
    inside = TermRange(prefix + b"\x01", prefix + b"\x03")
    assert await found(backend, tenant, ranges=[inside]) == objects[3:0:-1]
    upper = TermRange(prefix + b"\x03", prefix + b"\x09")
    assert await found(backend, tenant, ranges=[inside, upper]) == [objects[3]]
    assert await found(backend, tenant, ranges=[inside], terms=[prefix + b"\x02"]) == [objects[2]]


async def test_an_object_with_two_terms_in_a_range_is_found_once(backend: Backend, tenant: int) -> None:
    identifier = await put(backend, tenant, terms=(ORDERED + b"1", ORDERED + b"2"))
    assert await found(backend, tenant, ranges=[TermRange(ORDERED, ORDERED + b"9")]) == [identifier]


async def test_excluded_objects_are_left_out(backend: Backend, tenant: int) -> None:
    kept, left_out = [await put(backend, tenant, terms=(b"t",)) for _ in range(2)]
    assert await found(backend, tenant, excluded=[left_out, "no such object"]) == [kept]
    assert await found(backend, tenant, excluded=[left_out], terms=[b"t"]) == [kept]


async def test_pages_follow_each_other(backend: Backend, tenant: int) -> None:
    newest_first = [await put(backend, tenant, terms=(b"t",)) for _ in range(7)][::-1]
    for conditions in ({}, {"owner": 1}, {"terms": [b"t"]}):
        pages = [
            await found(backend, tenant, offset=offset, maximum=3, **conditions) for offset in (0, 3, 6, 9)
        ]
        assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:], []]
        assert await found(backend, tenant, offset=5, **conditions) == newest_first[5:]
        assert await found(backend, tenant, maximum=0, **conditions) == []


async def test_the_total_is_given_where_it_is_known(backend: Backend, tenant: int) -> None:
    for _ in range(4):
        await put(backend, tenant, terms=(b"a", b"b"))

    async def total(**conditions: Any) -> int | None:
        return (await backend.locate(LocateQuery(tenant=tenant, owner=1, **conditions))).total

    assert await total() == 4
    assert await total(maximum=5) == 4
    assert await total(maximum=3, offset=2) == 4
    assert await total(maximum=3) is None
    assert await total(terms=[b"a"], maximum=5) == 4
    assert await total(terms=[b"a"], maximum=3) is None
    assert await total(terms=[b"a", b"b"], maximum=1) is None
    assert await total(offset=9) is None


class Model:
    """The same query over plain Python objects."""

    def __init__(self) -> None:
        self.objects: list[tuple[ObjectRow, set[bytes]]] = []

    def locate(self, query: LocateQuery) -> list[str]:
        hits = [
            stored
            for stored, terms in self.objects
            if (query.owner is None or stored.owner == query.owner)
            and (query.visible is None or self._visible(stored, terms, query.visible))
            and stored.storage & query.storage
            and (query.object_type is None or stored.object_type == query.object_type)
            and stored.usage_mask & query.usage_mask == query.usage_mask
            and (
                query.effective_state is None
                or self._state(stored, query.effective_state[1]) == query.effective_state[0]
            )
            and terms.issuperset(query.terms)
            and all(any(low <= term <= high for term in terms) for low, high in query.ranges)
            and stored.unique_identifier not in query.excluded
        ]
        newest_first = sorted((stored.sequence, stored.unique_identifier) for stored in hits)[::-1]
        end = None if query.maximum is None else query.offset + query.maximum
        return [identifier for _, identifier in newest_first[query.offset : end]]

    @staticmethod
    def _visible(stored: ObjectRow, terms: set[bytes], visible: Visible) -> bool:
        return (
            stored.owner in visible.owners
            or stored.unique_identifier in visible.identifiers
            or not terms.isdisjoint(visible.terms)
        )

    @staticmethod
    def _state(stored: ObjectRow, now: int) -> int | None:
        state = stored.state
        if state == 1 and stored.activation_date is not None and stored.activation_date <= now:
            state = 2
        if state == 2 and stored.deactivation_date is not None and stored.deactivation_date <= now:
            state = 3
        return state


def random_object(dice: random.Random, tenant: int) -> tuple[ObjectRow, set[bytes]]:
    stored = row(
        tenant,
        owner=dice.choice([1, 1, 1, 2]),
        state=dice.choice([None, 1, 1, 2, 2, 3, 4]),
        storage=dice.choice([1, 1, 1, 2, 4]),
        object_type=dice.choice([1, 2, 2]),
        usage_mask=dice.getrandbits(3),
        activation_date=dice.choice([None, dice.randrange(20)]),
        deactivation_date=dice.choice([None, dice.randrange(20)]),
    )
    terms = {b"common"} if dice.random() < 0.9 else set()
    terms |= {bytes([1, dice.randrange(8)]), bytes([2, dice.randrange(3)]), bytes([0x80, dice.randrange(40)])}
    if dice.random() < 0.03:
        terms.add(b"rare")
    return stored, terms


def random_query(dice: random.Random, tenant: int, identifiers: list[str]) -> LocateQuery:
    terms = [b"common", b"rare", bytes([1, 3]), bytes([2, 1]), bytes([0x80, 7])]
    low, width = dice.randrange(40), dice.randrange(30)
    ranges = [
        TermRange(bytes([0x80, low]), bytes([0x80, low + width])),
        TermRange(bytes([1, low % 8]), bytes([2, low % 3])),
    ]
    visible = Visible(
        owners=dice.sample([2, 3, 4], dice.choice([0, 1, 1, 3])),
        identifiers=dice.sample(identifiers, dice.choice([0, 0, 1, 5])),
        terms=dice.sample(terms, dice.choice([0, 0, 1, 3])),
    )
    return LocateQuery(
        tenant=tenant,
        owner=dice.choice([None, 1, 2, 3]),
        visible=dice.choice([None, None, visible]),
        storage=dice.choice([1, 7, 6]),
        object_type=dice.choice([None, 1, 2]),
        usage_mask=dice.choice([0, 0, 1, 6]),
        effective_state=dice.choice([None, (dice.randrange(1, 5), dice.randrange(20))]),
        terms=dice.sample(terms, dice.choice([0, 0, 1, 1, 2, 3])),
        ranges=dice.sample(ranges, dice.choice([0, 0, 1, 2])),
        excluded=dice.sample(identifiers, dice.choice([0, 0, 3])),
        maximum=dice.choice([None, 1, 5, 50]),
        offset=dice.choice([0, 0, 1, 7]),
    )


@pytest.mark.parametrize(("few", "many"), [(100, 5_000), (20, 100), (3, 12), (0, 1)])
async def test_every_plan_finds_what_a_plain_search_finds(
    backend: Backend, tenant: int, few: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "FEW", few)
    monkeypatch.setattr(locate, "MANY", many)
    locate._look_sql.cache_clear()
    dice = random.Random(few)
    model = Model()
    model.objects = [random_object(dice, tenant) for _ in range(250)]
    changes = [
        ObjectChange(row=stored, expected_generation=None, terms_added=list(terms))
        for stored, terms in model.objects
    ]
    await backend.commit(ChangeSet(objects=changes))
    identifiers = [stored.unique_identifier for stored, _ in model.objects]
    for _ in range(250):
        query = random_query(dice, tenant, identifiers)
        answer = await backend.locate(query)
        assert answer.unique_identifiers == model.locate(query), query
        if answer.total is not None:
            query.maximum, query.offset = None, 0
            assert answer.total == len(model.locate(query)), query
    locate._look_sql.cache_clear()
