"""Who may see an object, as SQL.

Rule: what a caller may not see is left out by the database, in the query that looks for it. Statements are
made for how many owners, identifiers and terms there are, counted in powers of two, so that a driver prepares
few of them; the last value of each is repeated to fill up.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, Final, NamedTuple

from strongroom.store.records import Visible
from strongroom.store.statements import FETCH, numbered

NOBODY: Final = 0
"""An owner that no object has: what an empty `Visible` is filled up with."""


class Sizes(NamedTuple):
    """How many parameters stand for each part of a `Visible`, 0 for none."""

    owners: int
    identifiers: int
    terms: int


def sizes(visible: Visible) -> Sizes:
    """Return what the text of a condition depends on."""
    found = Sizes(_filled(visible.owners), _filled(visible.identifiers), _filled(visible.terms))
    return found if any(found) else Sizes(1, 0, 0)


def condition(has: Sizes, *, fence: str = "") -> str:
    """Return the condition that the object `o` is visible; `values` are its parameters.

    `fence` ends a subquery that is to be run for each row (`locate.Dialect`).
    """
    parts = []
    if has.owners:
        parts.append(f"o.owner IN ({_marks(has.owners)})")
    if has.identifiers:
        parts.append(f"o.unique_identifier IN ({_marks(has.identifiers)})")
    if has.terms:
        parts.append(
            "EXISTS (SELECT 1 FROM terms x WHERE x.tenant = o.tenant"  # noqa: S608 -- fixed text
            f" AND x.term IN ({_marks(has.terms)}) AND x.sequence = o.sequence{fence})"
        )
    return f"({' OR '.join(parts)})"


def values(visible: Visible) -> tuple[Any, ...]:
    """Return the parameters of `condition`, in its order."""
    owners, identifiers, terms = visible
    if not (owners or identifiers or terms):
        return (NOBODY,)
    return (*_fill(owners), *_fill(identifiers), *_fill(terms))


def walk(has: Sizes) -> str:
    """Return the SELECT of the sequence of every visible object; `walk_values` are its parameters.

    An object is there once for each reason to see it.
    """
    parts = []
    if has.owners:
        parts.append(f"SELECT sequence FROM objects WHERE tenant = ? AND owner IN ({_marks(has.owners)})")  # noqa: S608
    if has.identifiers:
        parts.append(
            "SELECT sequence FROM objects WHERE tenant = ?"  # noqa: S608 -- fixed text
            f" AND unique_identifier IN ({_marks(has.identifiers)})"
        )
    if has.terms:
        parts.append(f"SELECT sequence FROM terms WHERE tenant = ? AND term IN ({_marks(has.terms)})")  # noqa: S608
    return " UNION ALL ".join(parts)


def walk_values(tenant: int, visible: Visible) -> tuple[Any, ...]:
    """Return the parameters of `walk`, in its order."""
    owners, identifiers, terms = visible
    if not (owners or identifiers or terms):
        return tenant, NOBODY
    return tuple(value for part in visible if part for value in (tenant, *_fill(part)))


def fetch(
    tenant: int, unique_identifier: str, visible: Visible | None, *, with_numbers: bool = False
) -> tuple[str, tuple[Any, ...]]:
    """Return the statement that reads one object, and its parameters.

    `with_numbers`: as PostgreSQL writes parameters.
    """
    if visible is None:
        return _fetch_sql(None, with_numbers), (tenant, unique_identifier)
    return _fetch_sql(sizes(visible), with_numbers), (tenant, unique_identifier, *values(visible))


@lru_cache(maxsize=256)
def _fetch_sql(has: Sizes | None, with_numbers: bool) -> str:
    sql = FETCH if has is None else f"{FETCH} AND {condition(has)}"
    return numbered(sql) if with_numbers else sql


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _filled(part: Sequence[Any]) -> int:
    return 1 << (len(part) - 1).bit_length() if part else 0


def _fill(part: Sequence[Any]) -> Sequence[Any]:
    missing = _filled(part) - len(part)
    return (*part, *repeat(part[-1], missing)) if missing else part
