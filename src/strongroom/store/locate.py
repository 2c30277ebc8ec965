"""Locate: a query as SQL.

Rule: a query runs over indexes, never over all objects while some filter is rare. How many objects a filter
has is counted, but never beyond a bound; then one statement walks the rarest filter, newest object first, and
checks the other conditions by point look-ups.

Statements are made for the shape of a query (how many terms, which conditions), so that a driver prepares
each shape once. They are written with `?` and run on both databases; `Dialect` has what differs.

    walk      what the rows come from
    TERM      terms that are equal to one term: in order of sequence by themselves
    OWNER     objects of one owner, in order of sequence
    TENANT    objects of the tenant, in order of sequence
    RANGE     terms in a range: sorted by sequence, hence only for few
"""

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from strongroom.store.records import ORDERED, Located, LocateQuery, TermRange
from strongroom.store.statements import numbered

T = TypeVar("T")

PROBE_BOUNDS: Final = (100, 5_000)
"""Filters are counted up to the first; only if none is rarer, up to the second."""

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL and its parameters."""
Rows: TypeAlias = Sequence[Sequence[Any]]
Search: TypeAlias = Generator[Statement, Rows, Located]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dialect:
    """What the two databases write differently."""

    numbered: bool
    """Parameters are $1, $2 instead of question marks."""
    excluded: str
    """Condition: the identifier is none of a list, which is one parameter."""
    array: Callable[[Sequence[str]], Any]
    """Makes that parameter."""
    ordered: str
    """Literal: the first ordered term."""
    unlimited: str


SQLITE: Final = Dialect(
    numbered=False,
    excluded="o.unique_identifier NOT IN (SELECT value FROM json_each(?))",
    array=lambda identifiers: json.dumps(list(identifiers)),
    ordered=f"X'{ORDERED:02x}'",
    unlimited="-1",
)
POSTGRESQL: Final = Dialect(
    numbered=True,
    excluded="o.unique_identifier <> ALL (?::text[])",
    array=list,
    ordered=f"'\\x{ORDERED:02x}'::bytea",
    unlimited="ALL",
)


class Walk(IntEnum):
    """What the rows of a query come from; of two that are equally rare, the cheaper is first."""

    TERM = 1
    OWNER = 2
    TENANT = 3
    RANGE = 4


class Columns(NamedTuple):
    """Which conditions there are on columns of the object."""

    dialect: Dialect
    owner: bool
    object_type: bool
    usage_mask: bool
    state: int | None
    excluded: bool


class Shape(NamedTuple):
    """All that the text of a statement depends on."""

    columns: Columns
    walk: Walk
    terms: int
    """Terms to look up for each row."""
    ranges: tuple[bool, ...]
    """Ranges to look up for each row: whether each is among the ordered terms."""
    limited: bool


class Plan(NamedTuple):
    """A walk with the number of its term or range in the query."""

    walk: Walk
    number: int = 0


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


def search(query: LocateQuery, dialect: Dialect) -> Search:
    """Yield statements, be sent the rows of each, and return the answer."""
    if len(query.terms) == 1 and not query.ranges:
        answer = _answer_of(query, (yield _first_look(query, dialect)))
        if answer is not None:
            return answer
    plan = None
    if query.terms or query.ranges:
        for bound in PROBE_BOUNDS:
            plans, probe = _probe(query, dialect, bound)
            (counts,) = yield probe
            count, plan = min(zip(counts, plans, strict=True))
            if count <= bound:
                break
        else:
            # Every filter is common. A range would be sorted whole; a term has no more rows than the tenant.
            plan = Plan(Walk.TERM) if query.terms else None
    if plan is None:
        plan = Plan(Walk.TENANT if query.owner is None else Walk.OWNER)
    found = [identifier for (identifier,) in (yield _statement(query, dialect, plan))]
    at_end = query.maximum is None or len(found) < query.maximum
    known = at_end and (found or query.offset == 0)
    return Located(found, query.offset + len(found) if known else None)


def _first_look(query: LocateQuery, dialect: Dialect) -> Statement:
    """Return a statement that answers most queries of a single term at once.

    It walks few objects and gives a row for each: the identifier, or NULL for an object that fails another
    condition.
    """
    columns = _columns(query, dialect, with_owner=True)
    return _first_look_sql(columns), (*_column_values(query, columns), query.tenant, query.terms[0])


def _answer_of(query: LocateQuery, rows: Rows) -> Located | None:
    """Return the answer if the rows of the first look have it, else None."""
    found = [identifier for (identifier,) in rows if identifier is not None]
    complete = len(rows) <= PROBE_BOUNDS[0]
    end = None if query.maximum is None else query.offset + query.maximum
    if not complete and (end is None or len(found) < end):
        return None
    return Located(found[query.offset : end], len(found) if complete else None)


def _probe(query: LocateQuery, dialect: Dialect, bound: int) -> tuple[list[Plan], Statement]:
    """Return the possible plans and a statement that counts the objects of each, up to `bound` and one."""
    plans: list[Plan] = []
    counts: list[str] = []
    parameters: list[Any] = []
    for number, term in enumerate(query.terms):
        plans.append(Plan(Walk.TERM, number))
        counts.append("SELECT 1 FROM terms WHERE tenant = ? AND term = ?")
        parameters += (query.tenant, term)
    for number, (low, high) in enumerate(query.ranges):
        plans.append(Plan(Walk.RANGE, number))
        counts.append("SELECT 1 FROM terms WHERE tenant = ? AND term BETWEEN ? AND ?")
        parameters += (query.tenant, low, high)
    if query.owner is not None:
        plans.append(Plan(Walk.OWNER))
        counts.append("SELECT 1 FROM objects WHERE tenant = ? AND owner = ?")
        parameters += (query.tenant, query.owner)
    columns = ", ".join(f"(SELECT count(*) FROM ({count} LIMIT {bound + 1}) AS c)" for count in counts)  # noqa: S608
    return plans, (_finished(dialect, f"SELECT {columns}"), tuple(parameters))


def _statement(query: LocateQuery, dialect: Dialect, plan: Plan) -> Statement:
    """Return the statement that answers the query; its rows are identifiers, newest first."""
    shape = _shape(query, dialect, plan)
    values = (*_column_values(query, shape.columns), *_look_up_values(query, plan))
    head: tuple[Any, ...]
    match plan.walk:
        case Walk.TERM:
            head = (query.tenant, query.terms[plan.number])
        case Walk.RANGE:
            head = (query.tenant, *query.ranges[plan.number])
        case Walk.OWNER:
            head = (query.tenant, query.owner)
        case Walk.TENANT:
            head = (query.tenant,)
    limits = (query.offset,) if query.maximum is None else (query.maximum, query.offset)
    return _sql(shape), (*head, *values, *limits)


def _columns(query: LocateQuery, dialect: Dialect, *, with_owner: bool) -> Columns:
    state = query.effective_state
    return Columns(
        dialect,
        with_owner and query.owner is not None,
        query.object_type is not None,
        query.usage_mask != 0,
        None if state is None else state[0],
        bool(query.excluded),
    )


def _column_values(query: LocateQuery, columns: Columns) -> list[Any]:
    """Return the parameters of `_column_conditions`, in its order."""
    values: list[Any] = [query.storage]
    if columns.owner:
        values.append(query.owner)
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
    return Shape(
        columns=_columns(query, dialect, with_owner=plan.walk is not Walk.OWNER),
        walk=plan.walk,
        terms=len(query.terms) - (plan.walk is Walk.TERM),
        ranges=tuple(_is_ordered(range_) for range_ in _looked_up(query.ranges, plan, Walk.RANGE)),
        limited=query.maximum is not None,
    )


def _looked_up(filters: Sequence[T], plan: Plan, walk: Walk) -> Sequence[T]:
    """Return the terms or ranges that are looked up for each row: all but the one that is walked."""
    if plan.walk is not walk:
        return filters
    return [*filters[: plan.number], *filters[plan.number + 1 :]]


def _look_up_values(query: LocateQuery, plan: Plan) -> list[Any]:
    """Return the parameters of `_look_ups`, in its order."""
    values: list[Any] = []
    for term in _looked_up(query.terms, plan, Walk.TERM):
        values += (query.tenant, term)
    for range_ in _looked_up(query.ranges, plan, Walk.RANGE):
        values += range_ if _is_ordered(range_) else (query.tenant, *range_)
    return values


def _look_ups(shape: Shape) -> list[str]:
    conditions = [
        "EXISTS (SELECT 1 FROM terms x WHERE x.tenant = ? AND x.term = ? AND x.sequence = o.sequence)"
    ] * shape.terms
    for ordered in shape.ranges:
        if ordered:
            conditions.append(
                "EXISTS (SELECT 1 FROM terms x WHERE x.sequence = o.sequence"  # noqa: S608 -- fixed text
                f" AND x.term >= {shape.columns.dialect.ordered} AND x.term BETWEEN ? AND ?)"
            )
        else:
            conditions.append(
                "o.sequence IN (SELECT x.sequence FROM terms x WHERE x.tenant = ? AND x.term BETWEEN ? AND ?)"
            )
    return conditions


_SOURCES: Final = {
    Walk.TERM: "terms t CROSS JOIN objects o WHERE t.tenant = ? AND t.term = ? AND o.sequence = t.sequence",
    Walk.RANGE: (
        "(SELECT DISTINCT sequence FROM terms WHERE tenant = ? AND term BETWEEN ? AND ?) AS t"
        " CROSS JOIN objects o WHERE o.sequence = t.sequence"
    ),
    Walk.OWNER: "objects o WHERE o.tenant = ? AND o.owner = ?",
    Walk.TENANT: "objects o WHERE o.tenant = ?",
}
_ORDERS: Final = {
    Walk.TERM: "t.sequence",
    Walk.RANGE: "t.sequence",
    Walk.OWNER: "o.sequence",
    Walk.TENANT: "o.sequence",
}


@lru_cache(maxsize=256)
def _sql(shape: Shape) -> str:
    dialect = shape.columns.dialect
    conditions = " AND ".join([_SOURCES[shape.walk], *_column_conditions(shape.columns), *_look_ups(shape)])
    limit = "?" if shape.limited else dialect.unlimited
    return _finished(
        dialect,
        f"SELECT o.unique_identifier FROM {conditions}"  # noqa: S608 -- fixed text
        f" ORDER BY {_ORDERS[shape.walk]} DESC LIMIT {limit} OFFSET ?",
    )


@lru_cache(maxsize=256)
def _first_look_sql(columns: Columns) -> str:
    conditions = " AND ".join(_column_conditions(columns))
    return _finished(
        columns.dialect,
        f"SELECT CASE WHEN {conditions} THEN o.unique_identifier END FROM {_SOURCES[Walk.TERM]}"  # noqa: S608
        f" ORDER BY t.sequence DESC LIMIT {PROBE_BOUNDS[0] + 1}",
    )


def _finished(dialect: Dialect, sql: str) -> str:
    """Return `sql` with its parameters as the dialect writes them."""
    return numbered(sql) if dialect.numbered else sql
