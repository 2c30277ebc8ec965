"""What a client did to some keys, and what must be left of it.

Rule: a model, without a server. A story is one name or two and every key that ever bore them. One step at a
time changes it, so at any moment the store shows the story as it was before the step or as it is after it,
and nothing between.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.client.attributes import attribute, template
from strongroom.domain.operation import Request
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    LinkType,
    ObjectType,
    State,
    Tag,
)

MOST_KEYS: Final = 4
MOST_GROUPS: Final = 3


@dataclass(frozen=True, slots=True)
class Key:
    """What a client sees of one key. A link names its target by its position among the keys of the name."""

    state: State
    names: frozenset[str]
    groups: frozenset[str] = frozenset()
    links: frozenset[tuple[LinkType, int]] = frozenset()


Line: TypeAlias = tuple[Key, ...]
"""The keys that bore one name, oldest first."""

World: TypeAlias = tuple[Line, ...]
"""A line for each name of a story."""


class Step(NamedTuple):
    """One message: an only request, or several with Undo."""

    what: str
    requests: list[Request[Any]]
    after: World
    makes: tuple[int, ...] = ()
    """The lines that get a new key, in the order of the answers."""
    refused: bool = False
    """The last request must fail, so that nothing of the message may stay."""


@dataclass(slots=True)
class Story:
    """`world` was acknowledged; `sent` is the step that nobody knows the outcome of, if there is one."""

    names: tuple[str, ...]
    world: World = ()
    identifiers: tuple[list[str], ...] = ()
    sent: Step | None = None
    requests_done: int = 0
    """Each leaves one audit event."""
    materials: dict[str, bytes] = field(default_factory=dict)
    """Digests of what Get has answered."""
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = ((),) * len(self.names)
        self.identifiers = tuple([] for _ in self.names)

    def carried_out(self) -> None:
        """Note that the step which was sent has been done."""
        assert self.sent is not None
        self.world = self.sent.after
        self.requests_done += len(self.sent.requests)
        self.sent = None

    def next_step(self, chance: random.Random) -> Step | None:
        """Return what to do next, None when the story has come to its end."""
        if not any(self.world):
            return chance.choice(list(self._beginnings()))
        lines = [list(self._steps(number)) for number in range(len(self.names))]
        if len(lines) > 1 and all(lines) and chance.random() < 0.5:
            return self._joint(*(chance.choice(steps) for steps in lines))
        steps = [step for steps in lines for step in steps]
        if not steps:
            return None
        step = chance.choice(steps)
        return self._refused(step) if chance.random() < 0.1 else step

    def _beginnings(self) -> Iterator[Step]:
        new = Key(State.PRE_ACTIVE, frozenset())
        if len(self.names) == 1:
            (name,) = self.names
            yield Step("create", [_create(name)], ((replace(new, names=frozenset({name})),),), makes=(0,))
            return
        # Activate without an identifier means the key that the message has made.
        requests: list[Request[Any]] = []
        for name in self.names:
            requests += [_create(name), ActivateRequest()]
        active = replace(new, state=State.ACTIVE)
        after = tuple((replace(active, names=frozenset({name})),) for name in self.names)
        yield Step("create and activate both", requests, after, makes=(0, 1))
        yield Step("create both, refused", [*requests, ActivateRequest()], self.world, refused=True)

    def _steps(self, number: int) -> Iterator[Step]:
        """Yield what can be done to one key of a line."""
        line = self.world[number]
        for position, key in enumerate(line):
            identifier = UniqueIdentifier(self.identifiers[number][position])
            what = f"key {position} of {self.names[number]}"
            if key.state is State.PRE_ACTIVE:
                after = self._with(number, position, state=State.ACTIVE)
                yield Step(f"activate {what}", [ActivateRequest(unique_identifier=identifier)], after)
            if key.state is State.ACTIVE:
                after = self._with(number, position, state=State.DEACTIVATED)
                yield Step(f"revoke {what}", [RevokeRequest(unique_identifier=identifier)], after)
                if position == len(line) - 1 < MOST_KEYS - 1:
                    yield self._re_key(number, identifier)
            if key.state in (State.PRE_ACTIVE, State.DEACTIVATED):
                after = self._with(number, position, state=State.DESTROYED)
                yield Step(f"destroy {what}", [DestroyRequest(unique_identifier=identifier)], after)
            if key.state is not State.DESTROYED and len(key.groups) < MOST_GROUPS:
                yield self._add_group(number, position, identifier)

    def _joint(self, first: Step, second: Step) -> Step:
        """Return one message that does a step in each line."""
        return Step(
            f"{first.what} and {second.what}",
            [*first.requests, *second.requests],
            (first.after[0], second.after[1]),
            makes=first.makes + second.makes,
        )

    def _refused(self, step: Step) -> Step:
        """Return `step` in a message that ends with something impossible; `step` itself if nothing is."""
        for line, identifiers in zip(self.world, self.identifiers, strict=True):
            for key, identifier in zip(line, identifiers, strict=True):
                if key.state not in (State.PRE_ACTIVE, State.ACTIVE):
                    bad = ActivateRequest(unique_identifier=UniqueIdentifier(identifier))
                    return Step(f"{step.what}, refused", [*step.requests, bad], self.world, refused=True)
        return step

    def _re_key(self, number: int, identifier: UniqueIdentifier) -> Step:
        line = self.world[number]
        last, old = len(line), line[-1]
        new = replace(old, links=frozenset({(LinkType.REPLACED_OBJECT_LINK, last - 1)}))
        links = old.links | {(LinkType.REPLACEMENT_OBJECT_LINK, last)}
        after = _put(self.world, number, (*line[:-1], replace(old, names=frozenset(), links=links), new))
        request = ReKeyRequest(unique_identifier=identifier)
        return Step(f"re-key {self.names[number]}", [request], after, makes=(number,))

    def _add_group(self, number: int, position: int, identifier: UniqueIdentifier) -> Step:
        key = self.world[number][position]
        group = f"{self.names[number]}-{position}-{len(key.groups)}"
        request = AddAttributeRequest(
            unique_identifier=identifier, new_attribute=attribute(Tag.OBJECT_GROUP, group)
        )
        after = self._with(number, position, groups=key.groups | {group})
        return Step(f"add group {group}", [request], after)

    def _with(self, number: int, position: int, **changes: Any) -> World:
        line = list(self.world[number])
        line[position] = replace(line[position], **changes)
        return _put(self.world, number, tuple(line))


def _put(world: World, number: int, line: Line) -> World:
    return (*world[:number], line, *world[number + 1 :])


def _create(name: str) -> CreateRequest:
    given = template(
        name=name,
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT,
    )
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=given)
