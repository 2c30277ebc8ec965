"""Locate: a query as SQL.

Rule: a query runs over indexes, and never over all objects while one of its filters is rare.

`search` is a dialogue: it yields statements and is sent their rows, so that both back ends drive the same.
What it does, each step only if the ones before did not settle it:

1. A single term: look at the first objects that have it, as it is nearly always a name or the like.
2. Count the objects of each filter, but never beyond `FEW`; if one is rare, walk its objects and look up the
   other conditions for each.
3. Every filter is common: look at the first objects of one, since then hits are usually common too.
4. Count up to `MANY`, walk the rarest.

Statements are made for the shape of a query (how many terms, which conditions), so that a driver prepares
each shape once. They are written with question marks and run on both databases; `Dialect` has what differs.
"""

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from strongroom.store import visibility
from strongroom.store.records import ORDERED, Located, LocateQuery, TermRange
from strongroom.store.statements import numbered
from strongroom.store.visibility import Sizes

T = TypeVar("T")

FEW: Final = 100
"""Objects to which a filter is counted, and that are looked at where every filter has more."""

MANY: Final = 5_000
"""Objects to which a filter is counted where a look at the first did not settle the query."""

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL and its parameters."""
Rows: TypeAlias = Sequence[Sequence[Any]]
Search: TypeAlias = Generator[Statement, Rows, T]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dialect:
    """What the two databases write differently."""

    numbered: bool
    """Parameters are $1, $2 instead of question marks."""
    excluded: str
    """Condition: the identifier is none of a list, which is one parameter."""
    array: Callable[[Sequence[str]], Any]
    """Makes that parameter."""
    join: str
    """Gives the object `o` of each row of the walk `w`, in that order."""
    in_order: str
    """Ends a subquery whose rows are to be read from an index in the order of their sequence; `{order}` is
    DESC or ASC."""
    fence: str
    """Ends a subquery that is to be run for each row, and not turned into a join."""
    ordered: str
    """Literal: the first ordered term."""
    unlimited: str


SQLITE: Final = Dialect(
    numbered=False,
    excluded="o.unique_identifier NOT IN (SELECT value FROM json_each(?))",
    array=lambda identifiers: json.dumps(list(identifiers)),
    join="CROSS JOIN objects o ON o.sequence = w.sequence",
    in_order="",
    fence="",
    ordered=f"X'{ORDERED:02x}'",
    unlimited="-1",
)
POSTGRESQL: Final = Dialect(
    numbered=True,
    excluded="o.unique_identifier <> ALL (?::text[])",
    array=list,
    join="CROSS JOIN LATERAL (SELECT * FROM objects WHERE sequence = w.sequence OFFSET 0) o",
    in_order=" ORDER BY sequence {order} OFFSET 0",
    fence=" OFFSET 0",
    ordered=f"'\\x{ORDERED:02x}'::bytea",
    unlimited="ALL",
)


class Walk(IntEnum):
    """What the rows of a query come from; of two that are equally rare, the cheaper is first."""

    TERM = 1
    OWNER = 2
    TYPE = 3
    VISIBLE = 4
    TENANT = 5
    RANGE = 6


class Columns(NamedTuple):
    """Which conditions there are on columns of the object."""

    dialect: Dialect
    owner: bool
    visible: Sizes | None
    """Of a condition on what may be seen, None without one."""
    object_type: bool
    usage_mask: bool
    state: int | None
    excluded: bool


class Shape(NamedTuple):
    """All that the text of a statement depends on."""

    columns: Columns
    walk: Walk
    walked: Sizes | None
    """Of the walk over what may be seen."""
    terms: int
    """Terms to look up for each row."""
    ranges: tuple[bool, ...]
    """Ranges to look up for each row: whether each is among the ordered terms."""
    limited: bool
    order: str
    """DESC or ASC."""


class Plan(NamedTuple):
    """A walk with the number of its term or range in the query."""

    walk: Walk
    number: int = 0


_FIRST_TERM: Final = Plan(Walk.TERM)

# An object whose dates have passed is in another state than the stored one (`domain.lifecycle.state_at`);
# each effective state is spelt out so that no row needs more than a few comparisons. Parameters: the time.
_EFFECTIVE_STATE: Final = {
    1: ("o.state = 1 AND (o.activation_date IS NULL OR o.activation_date > ?)", 1),
    2: (
        "(o.state = 2 OR o.state = 1 AND o.activation_date <= ?)"
        " AND (o.deactivation_date IS NULL OR o.deactivation_date > ?)",
        2,
    ),
    3: (
        "(o.state = 3 OR"
        " (o.state = 2 OR o.state = 1 AND o.activation_date <= ?) AND o.deactivation_date <= ?)",
        2,
    ),
}


def search(query: LocateQuery, dialect: Dialect) -> Search[Located]:
    """Yield statements, be sent the rows of each, and return the answer."""
    # Most filters by a single term (a name, a link, an identifier of the client's own) are rare.
    look_at_once = len(query.terms) == 1 and not query.ranges
    if look_at_once:
        answer = yield from _look(query, dialect, _FIRST_TERM)
        if answer is not None:
            return answer
    plans = _plans(query)
    plan = plans[0]
    if len(plans) > 1:
        count, rarest = yield from _rarest(query, dialect, plans, FEW)
        if count > FEW:
            if not look_at_once:
                answer = yield from _look(query, dialect, plan)
                if answer is not None:
                    return answer
            count, rarest = yield from _rarest(query, dialect, plans, MANY)
        if count <= MANY:
            plan = rarest
    return (yield from _walk(query, dialect, plan))


def _plans(query: LocateQuery) -> list[Plan]:
    """Return the possible plans; the first is for a query whose filters are all common, and no range."""
    plans = [Plan(Walk.TERM, number) for number in range(len(query.terms))]
    if query.owner is not None:
        plans.append(Plan(Walk.OWNER))
    if query.object_type is not None:
        plans.append(Plan(Walk.TYPE))
    if not plans:
        plans.append(Plan(Walk.TENANT))
    if query.visible is not None:
        plans.append(Plan(Walk.VISIBLE))
    return plans + [Plan(Walk.RANGE, number) for number in range(len(query.ranges))]


def _look(query: LocateQuery, dialect: Dialect, plan: Plan) -> Search[Located | None]:
    """Look at the first objects of a walk; return the answer if they have it.

    There is a row for each: the identifier, or NULL for an object that fails another condition, such as that
    the caller may see it. How many of those there are must not show in the answer: so the total is told when
    it is that of what is told, as in `_walk`, and not when it merely happens to be known.
    """
    shape = _shape(query, dialect, plan)
    rows = yield _look_sql(shape), (*_condition_values(query, shape, plan), *_walk_values(query, plan))
    found = [identifier for (identifier,) in rows if identifier is not None]
    complete = len(rows) <= FEW
    end = None if query.maximum is None else query.offset + query.maximum
    more = end is not None and len(found) >= end
    if not complete and not more:
        return None
    return Located(found[query.offset : end], None if more else len(found))


def _rarest(query: LocateQuery, dialect: Dialect, plans: list[Plan], bound: int) -> Search[tuple[int, Plan]]:
    """Count the objects of each plan, up to `bound` and one; return the least count and its plan."""
    shape = tuple(plan.walk for plan in plans)
    seen = None if query.visible is None else visibility.sizes(query.visible)
    values = [value for plan in plans for value in _walk_values(query, plan)]
    (counts,) = yield _count_sql(dialect, shape, seen, bound), tuple(values)
    return min(zip(counts, plans, strict=True))


def _walk(query: LocateQuery, dialect: Dialect, plan: Plan) -> Search[Located]:
    """Return the answer, from all objects of a walk."""
    shape = _shape(query, dialect, plan)
    limits = (query.offset,) if query.maximum is None else (query.maximum, query.offset)
    rows = yield (
        _walk_sql(shape),
        (*_walk_values(query, plan), *_condition_values(query, shape, plan), *limits),
    )
    found = [identifier for (identifier,) in rows]
    at_end = query.maximum is None or len(found) < query.maximum
    known = at_end and (found or query.offset == 0)
    return Located(found, query.offset + len(found) if known else None)


def _walk_values(query: LocateQuery, plan: Plan) -> tuple[Any, ...]:
    """Return the parameters of what is walked."""
    match plan.walk:
        case Walk.TERM:
            return query.tenant, query.terms[plan.number]
        case Walk.RANGE:
            return query.tenant, *query.ranges[plan.number]
        case Walk.OWNER:
            return query.tenant, query.owner
        case Walk.TYPE:
            return query.tenant, query.object_type
        case Walk.VISIBLE:
            assert query.visible is not None
            return visibility.walk_values(query.tenant, query.visible)
        case Walk.TENANT:
            return (query.tenant,)


def _columns(query: LocateQuery, dialect: Dialect, walk: Walk) -> Columns:
    state = query.effective_state
    return Columns(
        dialect,
        query.owner is not None and walk is not Walk.OWNER,
        None if query.visible is None or walk is Walk.VISIBLE else visibility.sizes(query.visible),
        query.object_type is not None and walk is not Walk.TYPE,
        query.usage_mask != 0,
        None if state is None else state[0],
        bool(query.excluded),
    )


def _column_values(query: LocateQuery, columns: Columns) -> list[Any]:
    """Return the parameters of `_column_conditions`, in its order."""
    values: list[Any] = [query.storage]
    if columns.owner:
        values.append(query.owner)
    if columns.visible is not None and query.visible is not None:
        values += visibility.values(query.visible)
    if columns.object_type:
        values.append(query.object_type)
    if columns.usage_mask:
        values += (query.usage_mask, query.usage_mask)
    if query.effective_state is not None:
        state, now = query.effective_state
        _, times = _EFFECTIVE_STATE.get(state, ("", 0))
        values += (now,) * times if times else (state,)
    if columns.excluded:
        values.append(columns.dialect.array(query.excluded))
    return values


def _column_conditions(columns: Columns) -> list[str]:
    conditions = ["o.storage & ? <> 0"]
    if columns.owner:
        conditions.append("o.owner = ?")
    if columns.visible is not None:
        conditions.append(visibility.condition(columns.visible, fence=columns.dialect.fence))
    if columns.object_type:
        conditions.append("o.object_type = ?")
    if columns.usage_mask:
        conditions.append("o.usage_mask & ? = ?")
    if columns.state is not None:
        condition, _ = _EFFECTIVE_STATE.get(columns.state, ("o.state = ?", 0))
        conditions.append(f"({condition})")
    if columns.excluded:
        conditions.append(columns.dialect.excluded)
    return conditions


def _is_ordered(range_: TermRange) -> bool:
    return range_.low >= _FIRST_ORDERED


_FIRST_ORDERED: Final = bytes((ORDERED,))


def _shape(query: LocateQuery, dialect: Dialect, plan: Plan) -> Shape:
    ranges = query.ranges
    return Shape(
        _columns(query, dialect, plan.walk),
        plan.walk,
        visibility.sizes(query.visible) if query.visible and plan.walk is Walk.VISIBLE else None,
        len(query.terms) - (plan.walk is Walk.TERM),
        tuple(map(_is_ordered, _looked_up(ranges, plan, Walk.RANGE))) if ranges else (),
        query.maximum is not None,
        "ASC" if query.oldest_first else "DESC",
    )


def _looked_up(filters: Sequence[T], plan: Plan, walk: Walk) -> Sequence[T]:
    """Return the terms or ranges that are looked up for each row: all but the one that is walked."""
    if plan.walk is not walk:
        return filters
    return [*filters[: plan.number], *filters[plan.number + 1 :]] if len(filters) > 1 else ()


def _condition_values(query: LocateQuery, shape: Shape, plan: Plan) -> list[Any]:
    """Return the parameters of `_conditions`, in its order."""
    values = _column_values(query, shape.columns)
    for term in _looked_up(query.terms, plan, Walk.TERM):
        values += (query.tenant, term)
    for range_ in _looked_up(query.ranges, plan, Walk.RANGE):
        values += range_ if _is_ordered(range_) else (query.tenant, *range_)
    return values


def _conditions(shape: Shape) -> str:
    dialect = shape.columns.dialect
    term = "SELECT 1 FROM terms x WHERE x.tenant = ? AND x.term = ? AND x.sequence = o.sequence"
    ordered_range = (
        "SELECT 1 FROM terms x WHERE x.sequence = o.sequence"  # noqa: S608 -- fixed text
        f" AND x.term >= {dialect.ordered} AND x.term BETWEEN ? AND ?"
    )
    any_range = "SELECT x.sequence FROM terms x WHERE x.tenant = ? AND x.term BETWEEN ? AND ?"
    # IS TRUE keeps PostgreSQL from making a join of it: the range is read once, into a hash table.
    look_ups = [f"EXISTS ({term}{dialect.fence})"] * shape.terms + [
        f"EXISTS ({ordered_range}{dialect.fence})" if ordered else f"(o.sequence IN ({any_range})) IS TRUE"
        for ordered in shape.ranges
    ]
    return " AND ".join(_column_conditions(shape.columns) + look_ups)


_WALKED: Final = {
    Walk.TERM: "terms WHERE tenant = ? AND term = ?",
    Walk.OWNER: "objects WHERE tenant = ? AND owner = ?",
    Walk.TYPE: "objects WHERE tenant = ? AND object_type = ?",
    Walk.TENANT: "objects WHERE tenant = ?",
    Walk.RANGE: "terms WHERE tenant = ? AND term BETWEEN ? AND ?",
}


def _source(shape: Shape) -> str:
    """Return what follows FROM: the walk as `w`, its objects as `o`."""
    dialect, walk = shape.columns.dialect, shape.walk
    if walk is Walk.RANGE:
        # An object may have several terms in a range, and they are in the order of the terms.
        return f"(SELECT DISTINCT sequence FROM {_WALKED[walk]}) w {dialect.join}"  # noqa: S608 -- fixed text
    if shape.walked is not None:
        # Sorted afterwards: it is walked where it is short, or where nothing else is there to walk.
        return f"(SELECT DISTINCT sequence FROM ({visibility.walk(shape.walked)}) s) w {dialect.join}"  # noqa: S608
    in_order = dialect.in_order.format(order=shape.order)
    return f"(SELECT sequence FROM {_WALKED[walk]}{in_order}) w {dialect.join}"  # noqa: S608


@lru_cache(maxsize=256)
def _walk_sql(shape: Shape) -> str:
    dialect = shape.columns.dialect
    limit = "?" if shape.limited else dialect.unlimited
    return _finished(
        dialect,
        f"SELECT o.unique_identifier FROM {_source(shape)} WHERE {_conditions(shape)}"  # noqa: S608 -- fixed text
        f" ORDER BY w.sequence {shape.order} LIMIT {limit} OFFSET ?",
    )


@lru_cache(maxsize=256)
def _look_sql(shape: Shape) -> str:
    return _finished(
        shape.columns.dialect,
        f"SELECT CASE WHEN {_conditions(shape)} THEN o.unique_identifier END"  # noqa: S608 -- fixed text
        f" FROM {_source(shape)} ORDER BY w.sequence {shape.order} LIMIT {FEW + 1}",
    )


@lru_cache(maxsize=256)
def _count_sql(dialect: Dialect, walks: tuple[Walk, ...], seen: Sizes | None, bound: int) -> str:
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM {_counted(walk, seen)} LIMIT {bound + 1}) c)"  # noqa: S608 -- fixed text
        for walk in walks
    )
    return _finished(dialect, f"SELECT {counts}")


def _counted(walk: Walk, seen: Sizes | None) -> str:
    if walk is Walk.VISIBLE and seen is not None:
        return f"({visibility.walk(seen)}) s"
    return _WALKED[walk]


def _finished(dialect: Dialect, sql: str) -> str:
    """Return `sql` with its parameters as the dialect writes them."""
    return numbered(sql) if dialect.numbered else sql
