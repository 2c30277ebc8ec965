"""Compare a received message with the listing of a test case.

Rule: everything must match but what `variations.py` frees. The comparison binds the variables of the
listing, reports the first difference with its place and both values, and says which variations it used.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from strongroom.conformance.ledger import IDENTIFIERS, Ledger
from strongroom.conformance.render import render_value, tag_name
from strongroom.conformance.spot import Freedom, Spot
from strongroom.conformance.trees import child, children, leaves
from strongroom.conformance.variables import CARRIED_OVER, Bindings, Value, Variable, same
from strongroom.conformance.variations import permitted
from strongroom.registry import ItemType, Operation, Tag, Version
from strongroom.registry.names import TAG_BY_SPEC_NAME
from strongroom.wire.item import (
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    IDENTIFIER,
    REFERENCE,
    STRUCTURE,
    TEXT_STRING,
    Item,
)

_PAYLOADS: Final = frozenset({Tag.RESPONSE_PAYLOAD, Tag.REQUEST_PAYLOAD})
_State: TypeAlias = tuple[dict[str, Value], dict[bytes, bytes], list[str]]

_NO_ANSWER: Final = "nothing"
_MATERIAL: Final = frozenset({Tag.KEY_VALUE, Tag.KEY_MATERIAL})
# A list in order of preference, to which a server may add.
_MAY_REPEAT: Final = frozenset({(int(Tag.PROTOCOL_VERSION), False)})


@dataclass(frozen=True)
class Difference:
    """The first place where a message differs, in the specification's names."""

    path: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, received {self.actual}"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What surrounds a comparison: the message that was answered and when."""

    version: Version
    request: Item | None  # as sent; None when the compared message is itself a request
    earliest: int  # seconds; a `$NOW` in the listing lies between these two
    latest: int
    fixed_dates: frozenset[int] = frozenset()
    mentioned: frozenset[str] = frozenset()


class Comparison:
    """One comparison of a message; use once."""

    def __init__(self, exchange: Exchange, bindings: Bindings, ledger: Ledger) -> None:
        self._exchange = exchange
        self._bindings = bindings
        self._ledger = ledger
        self.used: list[str] = []

    def run(self, expected: Item, actual: Item) -> Difference | None:
        """Return the first difference, None when the message conforms."""
        spot = Spot(
            tag=expected[0],
            path=(),
            expected=expected,
            actual=actual,
            parents=(None, None),
            attribute=None,
            version=self._exchange.version,
            operation=None,
            request=None,
            subject=None,
            ledger=self._ledger,
            fixed_dates=self._exchange.fixed_dates,
            mentioned=self._exchange.mentioned,
            round_trip=False,
        )
        return self._pair(spot, tag_name(expected[0]))

    def _free(self, freedom: Freedom, spot: Spot) -> bool:
        entry = permitted(freedom, spot)
        if entry is not None and entry.name not in self.used:
            self.used.append(entry.name)
        return entry is not None

    # Two items at the same place.

    def _pair(self, spot: Spot, path: str) -> Difference | None:
        expected, actual = _both(spot)
        if expected[0] != actual[0]:
            return Difference(path, tag_name(expected[0]), tag_name(actual[0]))
        if expected[1] == STRUCTURE or actual[1] == STRUCTURE:
            if expected[1] == actual[1]:
                if self._free(Freedom.VALUE, spot):
                    return None
                return self._structure(spot, path)
        elif self._equal_leaf(expected, actual):
            return None
        if _same_form(spot) and self._free(Freedom.VALUE, spot):
            self._carry_over(expected, actual)
            return None
        wanted, received = (render_value((spot.tag, *item[1:])) for item in (expected, actual))
        if expected[1] != actual[1]:
            received = f"{received} as {ItemType(actual[1]).name}"
        return Difference(path, wanted, received)

    def _equal_leaf(self, expected: Item, actual: Item) -> bool:
        if expected[1] != actual[1]:
            return False
        wanted = expected[2]
        if not isinstance(wanted, Variable):
            return same(wanted, actual[2])
        if wanted.name == "NOW":
            return self._about(wanted, actual)
        known = self._bindings.bound(wanted)
        if known is None:
            if self._bindings.names_another(wanted, actual[2]):
                return False
            self._bindings.bind(wanted, actual[2])
            return True
        return same(known, actual[2])

    def _about(self, wanted: Variable, actual: Item) -> bool:
        """Tell whether a time is the `$NOW+n` of this exchange."""
        if actual[1] not in (DATE_TIME, DATE_TIME_EXTENDED):
            return False
        seconds: int = actual[2] // 1_000_000 if actual[1] == DATE_TIME_EXTENDED else actual[2]
        return self._exchange.earliest <= seconds - wanted.offset <= self._exchange.latest

    def _carry_over(self, expected: Item, actual: Item) -> None:
        """Remember a value that differs where it may, for the requests that send it back."""
        if expected[1] != actual[1]:
            return
        if isinstance(expected[2], Variable):
            self._bindings.bind(expected[2], actual[2])
        elif expected[0] in CARRIED_OVER and expected[1] == BYTE_STRING:
            self._bindings.replaced[expected[2]] = actual[2]

    # The children of a structure: in order, but for what may come in any order.

    def _structure(self, spot: Spot, path: str) -> Difference | None:
        expected, actual = _both(spot)
        inner = _below(spot)
        wanted = self._entries(expected[2], inner)
        received = self._entries(actual[2], inner)
        known = {entry.key for entry in wanted} - _MAY_REPEAT
        while wanted or received:
            left, right = wanted[0] if wanted else None, received[0] if received else None
            if left is not None and right is not None and left.key == right.key:
                before = self._state()
                difference = self._entry(left, right, inner, path)
                if difference is None or not self._surplus(right, wanted, received, inner):
                    del wanted[0]
                else:
                    self._restore(before)
                    difference = None
                del received[0]
            elif right is not None and right.key not in known and self._extra(right, inner):
                # An item that the listing has elsewhere is no addition, it stands in the wrong place.
                difference = _repeated(right.items, [], path)
                del received[0]
            elif left is not None and self._all_free(Freedom.MISSING, left.items, inner):
                difference = None
                del wanted[0]
            else:
                difference = _unmatched(left, right, wanted, path)
            if difference is not None:
                return difference
        return None

    def _extra(self, entry: "_Entry", inner: Spot) -> bool:
        return self._all_free(Freedom.EXTRA, entry.items, inner)

    def _surplus(
        self, entry: "_Entry", wanted: Sequence["_Entry"], received: Sequence["_Entry"], inner: Spot
    ) -> bool:
        """Tell whether a received entry may be one more of a list that keeps its order."""
        if entry.key not in _MAY_REPEAT:
            return False
        more = sum(other.key == entry.key for other in received)
        return more > sum(other.key == entry.key for other in wanted) and self._extra(entry, inner)

    def _state(self) -> _State:
        return dict(self._bindings.values), dict(self._bindings.replaced), list(self.used)

    def _restore(self, state: _State) -> None:
        self._bindings.values, self._bindings.replaced, self.used = state

    def _entries(self, items: Sequence[Item], inner: Spot) -> "list[_Entry]":
        """Return the children as entries: one for each item, one for each group without an order."""
        entries: list[_Entry] = []
        groups: dict[int, _Entry] = {}
        totals, counted = Counter(item[0] for item in items), Counter[int]()
        for item in items:
            here = replace(inner, tag=item[0], expected=item)
            if permitted(Freedom.ORDER, here) is None:
                position = counted[item[0]] if totals[item[0]] > 1 else None
                entries.append(_Entry(key=(item[0], False), items=[item], position=position))
                counted[item[0]] += 1
                continue
            group = 0 if inner.path[-1:] == (Tag.ATTRIBUTES,) else item[0]
            if group not in groups:
                groups[group] = _Entry(key=(group, True), items=[])
                entries.append(groups[group])
            groups[group].items.append(item)
        return entries

    def _entry(self, left: "_Entry", right: "_Entry", inner: Spot, path: str) -> Difference | None:
        if left.key[1]:
            return self._bag(left.items, right.items, inner, path)
        (expected,), (actual,) = left.items, right.items
        here = self._spot(inner, expected, actual, left.position)
        return self._pair(here, path + _step(expected, left.position))

    def _bag(
        self, wanted: Sequence[Item], received: Sequence[Item], inner: Spot, path: str
    ) -> Difference | None:
        """Pair each wanted item with a received one; what is bound already goes first."""
        free = list(received)
        for expected in sorted(wanted, key=self._open_variables):
            found = self._take(expected, free, inner, path)
            if found is not None:
                free.remove(found)
            elif not self._all_free(Freedom.MISSING, [expected], inner):
                return self._closest(expected, free, inner, path)
        for actual in free:
            if not self._all_free(Freedom.EXTRA, [actual], inner):
                return Difference(path + _step(actual, None), _NO_ANSWER, render_value(actual))
        return _repeated(free, received, path)

    def _take(self, expected: Item, free: Sequence[Item], inner: Spot, path: str) -> Item | None:
        for actual in free:
            if _identity(expected) != _identity(actual):
                continue
            before = self._state()
            if self._pair(self._spot(inner, expected, actual, None), path) is None:
                return actual
            self._restore(before)
        return None

    def _closest(self, expected: Item, free: Sequence[Item], inner: Spot, path: str) -> Difference | None:
        """Return what differs from the item that is most likely meant, else that there is none."""
        for actual in free:
            if _identity(expected) == _identity(actual) and not _is_leaf_of_list(expected):
                return self._pair(self._spot(inner, expected, actual, None), path + _step(expected, None))
        return Difference(path + _step(expected, None), render_value(expected), _NO_ANSWER)

    def _open_variables(self, item: Item) -> int:
        return sum(
            isinstance(value, Variable) and value.name != "NOW" and self._bindings.bound(value) is None
            for _, _, value in leaves(item)
        )

    def _all_free(self, freedom: Freedom, items: Sequence[Item], inner: Spot) -> bool:
        extra = freedom is Freedom.EXTRA
        return all(
            self._free(
                freedom,
                self._spot(inner, None if extra else item, item if extra else None, None),
            )
            for item in items
        )

    # Where we are.

    def _spot(self, inner: Spot, expected: Item | None, actual: Item | None, position: int | None) -> Spot:
        item = expected if expected is not None else actual
        if item is None:
            raise ValueError("a spot needs an item")
        tag = item[0]
        spot = replace(inner, tag=tag, expected=expected, actual=actual)
        if tag == Tag.ATTRIBUTE and item[1] == STRUCTURE:
            return replace(spot, attribute=_attribute_name(item))
        if tag == Tag.ATTRIBUTE_VALUE and inner.attribute is not None:
            return replace(spot, tag=TAG_BY_SPEC_NAME.get(inner.attribute, tag))
        if tag == Tag.BATCH_ITEM:
            return self._batch_item_spot(spot, item, actual, position or 0)
        return spot

    def _batch_item_spot(self, spot: Spot, item: Item, actual: Item | None, position: int) -> Spot:
        """Add what the batch item is about: its operation, request payload and object."""
        operation = child(item, Tag.OPERATION)
        sent = children(self._exchange.request, Tag.BATCH_ITEM) if self._exchange.request else []
        request = child(sent[position], Tag.REQUEST_PAYLOAD) if position < len(sent) else None
        answer = next((c for c in (actual[2] if actual else ()) if c[0] in _PAYLOADS), None)
        return replace(
            spot,
            operation=operation[2] if operation is not None else None,
            request=request,
            subject=_subject(answer) or _subject(request),
            round_trip=self._is_round_trip(operation, request),
        )

    def _is_round_trip(self, operation: Item | None, request: Item | None) -> bool:
        """Tell whether Decrypt is given what this server encrypted: then the plaintext is known."""
        if operation is None or operation[2] != Operation.DECRYPT or request is None:
            return False
        data = child(request, Tag.DATA)
        return data is not None and data[2] in self._bindings.seen.get(Tag.DATA, [])


@dataclass(frozen=True)
class _Entry:
    """One child, or a group of children whose order is free; equal keys belong together."""

    key: tuple[int, bool]
    items: list[Item]
    position: int | None = None  # among equal siblings; None when it is the only one


def _both(spot: Spot) -> tuple[Item, Item]:
    if spot.expected is None or spot.actual is None:
        raise ValueError("both sides are needed here")
    return spot.expected, spot.actual


def _same_form(spot: Spot) -> bool:
    """Tell whether two items have one type: a value may vary, its type never.

    But material comes as bytes or, transparent or not wrapped, as a Structure.
    """
    kinds = {item[1] for item in _both(spot)}
    return len(kinds) == 1 or (spot.tag in _MATERIAL and kinds == {STRUCTURE, BYTE_STRING})


def _below(spot: Spot) -> Spot:
    return replace(spot, path=(*spot.path, spot.tag), parents=(spot.expected, spot.actual))


def _step(item: Item, position: int | None) -> str:
    name = _attribute_name(item) if item[0] == Tag.ATTRIBUTE and item[1] == STRUCTURE else None
    if name is not None:
        return f".{tag_name(item[0])}[{name}]"
    return f".{tag_name(item[0])}" if position is None else f".{tag_name(item[0])}[{position}]"


def _attribute_name(item: Item) -> str | None:
    name = child(item, Tag.ATTRIBUTE_NAME)
    return str(name[2]) if name is not None else None


def _identity(item: Item) -> tuple[object, ...]:
    """Return what makes two items of a group comparable: tag, attribute name, vendor and index."""
    if item[0] != Tag.ATTRIBUTE or item[1] != STRUCTURE:
        return (item[0],)
    parts = (child(item, tag) for tag in (Tag.VENDOR_IDENTIFICATION, Tag.ATTRIBUTE_NAME))
    return (item[0], *(part[2] if part is not None else None for part in parts))


def _repeated(extra: Sequence[Item], received: Sequence[Item], path: str) -> Difference | None:
    """Find an additional item that only says again what another one says."""
    others = list(received)
    for item in extra:
        if item in others:
            others.remove(item)
    for item in extra:
        if any(item == other or _same_instance(item, other) for other in others):
            return Difference(path + _step(item, None), "it once", f"twice, again as {render_value(item)}")
        others.append(item)
    return None


def _same_instance(left: Item, right: Item) -> bool:
    """Tell whether two 1.x attributes have one name and one index."""
    if left[0] != Tag.ATTRIBUTE or left[1] != STRUCTURE or _identity(left) != _identity(right):
        return False
    indices = (child(item, Tag.ATTRIBUTE_INDEX) for item in (left, right))
    first, second = (index[2] if index is not None else 0 for index in indices)
    return bool(first == second)


def _is_leaf_of_list(item: Item) -> bool:
    """A name or number in a list is there or not; no other entry is a wrong form of it."""
    return item[1] in (ENUMERATION, TEXT_STRING, IDENTIFIER, REFERENCE) and (
        item[0] in (Tag.OPERATION, Tag.OBJECT_TYPE, Tag.ATTRIBUTE_NAME, Tag.ATTRIBUTE_REFERENCE)
    )


def _subject(payload: Item | None) -> str | None:
    if payload is None:
        return None
    named = next((item for item in payload[2] if item[0] in IDENTIFIERS and item[1] != ENUMERATION), None)
    return str(named[2]) if named is not None else None


def _unmatched(left: _Entry | None, right: _Entry | None, rest: Sequence[_Entry], path: str) -> Difference:
    """Describe two entries that do not belong together: one of them is missing, or one is too many."""
    if left is None or (right is not None and right.key not in {entry.key for entry in rest}):
        extra = right or _Entry((0, False), [])
        wanted = _NO_ANSWER if left is None else render_value(left.items[0])
        return Difference(path + _step(extra.items[0], None), wanted, render_value(extra.items[0]))
    return Difference(path + _step(left.items[0], None), render_value(left.items[0]), _NO_ANSWER)
